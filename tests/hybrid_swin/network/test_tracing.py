"""``torch.jit.trace`` with gradients on records what the network computes."""

import pytest
import torch

from hybrid_swin.network.contract import words_with
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec import registry
from hybrid_swin.spec.variant import Variant

# torch's own words about tracing: that it is deprecated, and that sizes become constants.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]
OPTIONS = [
    "w_msa(attention=cosine;bias=continuous;mask_padding=true)",
    "sw_msa(bias=none;mask_padding=true)",
    "linear(feature=focused;rotary=true)",
    "grid(mask_padding=true)",
    "channel_group(scale=tokens)",
    "pooled(pool=7)",
    "mdta(attention=false)",
    "w_msa+mdta:gate(per=pixel)",
    "conv+w_msa:cross(norm=batch)",
]
# Every branch alone and every fusion; a fusion only adds, multiplies and joins what branches give.
WORDS = sorted(
    {*OPTIONS, *registry.names("branch")}
    | {list(words_with("fusion", name))[-1] for name in registry.names("fusion")}
)


def network(words, size=16, norm="pre"):
    stages = [
        {"width": 12, "depth": len(words), "num_heads": 3, "blocks": words, "norm": norm},
        {"width": 24, "depth": 1, "num_heads": 3, "blocks": ["sw_msa"]},
    ]
    torch.manual_seed(0)
    variant = {"image_size": size, "num_classes": 3, "patch_size": 2, "window_size": 3}
    return HybridSwin(Variant.from_dict(variant | {"stages": stages})).eval()


def traced_like_eager(model, images):
    assert torch.is_grad_enabled()
    traced = torch.jit.trace(model, images, check_trace=False)  # which traces it again
    more = torch.randn(len(images) + 1, *images.shape[1:])  # another batch, the same size
    with torch.no_grad():
        torch.testing.assert_close(traced(more), model(more), rtol=1e-4, atol=1e-5)
    out = traced(more)  # gradients flow through what was traced, as they do without
    (out if isinstance(out, torch.Tensor) else out[-1]).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())
    return traced


@pytest.mark.parametrize("start", range(0, len(WORDS), 12))
def test_every_block_and_fusion(start):
    words = WORDS[start : start + 12]
    traced_like_eager(network(words), torch.randn(2, 3, 13, 19))


@pytest.mark.parametrize(
    ("norm", "size"), [("post", (13, 19)), ("branch", (16, 16)), ("branch", (1, 1))]
)
def test_every_norm_and_size(norm, size):
    words = ["w_msa+mdta", "sw_msa", "conv+w_msa:cascade"]
    traced_like_eager(network(words, norm=norm), torch.randn(2, 3, *size))


def test_maps_of_stages_and_checkpointed_blocks():
    maps = Pyramid(network(["sw_msa", "mdta+w_msa:gate"])).eval()
    traced_like_eager(maps, torch.randn(1, 3, 13, 16))
    model = network(["sw_msa", "mdta"])
    model.set_grad_checkpointing()
    traced_like_eager(model, torch.randn(2, 3, 13, 16))


def test_a_trace_leaves_nothing_behind_that_another_call_would_meet():
    model, other = (network(["sw_msa", "w_msa(bias=continuous;mask_padding=true)"]) for _ in "ab")
    images = torch.randn(2, 3, 22, 26)
    torch.jit.trace(model, images)  # the first call of all at this size
    with torch.no_grad():
        expected = other(images)
    (model(images) - expected).abs().max().backward()
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.jit.trace(other, images)(images), expected)


def test_inference_keeps_its_fast_path(monkeypatch):
    """Without gradients, attention is one fused call."""
    calls = []
    fused = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *args, **named: calls.append(1) or fused(*args, **named),
    )
    model = network(["w_msa", "sw_msa"])
    with torch.no_grad():
        model(torch.randn(1, 3, 16, 16))
    assert len(calls) == 3
    model(torch.randn(1, 3, 16, 16))
    assert len(calls) == 3  # gradients on a CPU: the plain products, which are faster there

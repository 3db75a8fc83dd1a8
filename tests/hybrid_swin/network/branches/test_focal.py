"""Focal modulation against loops in float64 and against FocalNet's in Hugging Face."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.network.branches.focal import Focal

OPTIONS = [{}, {"levels": 1}, {"levels": 3, "kernel": 5}, {"levels": 4, "kernel": 9}]


def build(**options):
    torch.manual_seed(0)
    return Focal(4, 2, 7, (6, 5), **options).double().eval()


def convolved(maps, kernels):
    """A convolution of each channel alone, by loops. (H, W, C)."""
    reach = kernels.shape[-1] // 2
    places = list(itertools.product(range(maps.shape[0]), range(maps.shape[1])))
    out = torch.zeros_like(maps)
    for i, j in places:
        for a, b in places:
            if abs(a - i) <= reach and abs(b - j) <= reach:
                out[i, j] += maps[a, b] * kernels[:, 0, a - i + reach, b - j + reach]
    return out


def reference(module, image, levels, kernel):
    """(H, W, C) -> (H, W, C)."""
    parts = image @ module.expand.weight.T + module.expand.bias
    query, context, gates = parts[..., :4], parts[..., 4:8], parts[..., 8:]
    assert gates.shape[-1] == levels + 1
    total = torch.zeros_like(image)
    for level in range(levels):
        weight = module.contexts[level].weight
        assert weight.shape == (4, 1, kernel + 2 * level, kernel + 2 * level)
        context = F.gelu(convolved(context, weight))
        total += gates[..., level, None] * context
    total += gates[..., levels, None] * F.gelu(context.flatten(0, 1).mean(0))
    modulator = total @ module.modulator.weight.T + module.modulator.bias
    return (query * modulator) @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("size", [(6, 5), (1, 1)])
def test_it_computes_what_the_paper_says(options, size):
    module = build(**options)
    x = torch.randn(2, *size, 4).double()
    levels, kernel = options.get("levels", 2), options.get("kernel", 3)
    expected = torch.stack([reference(module, image, levels, kernel) for image in x])
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_focalnets(options):
    from transformers import FocalNetConfig
    from transformers.models.focalnet.modeling_focalnet import FocalNetModulation

    ours = build(**options)
    config = FocalNetConfig(
        focal_levels=[options.get("levels", 2)], focal_windows=[options.get("kernel", 3)]
    )
    theirs = FocalNetModulation(config, 0, 4).double().eval()
    names = {"expand": "projection_in", "modulator": "projection_context", "proj": "projection_out"}
    state = {}
    for name, tensor in ours.state_dict().items():
        module, _, rest = name.partition(".")
        if module == "contexts":
            level, _, leaf = rest.partition(".")
            state[f"focal_layers.{level}.0.{leaf}"] = tensor
        elif name == "modulator.weight":
            state["projection_context.weight"] = tensor[:, :, None, None]
        else:
            state[f"{names[module]}.{rest}"] = tensor
    theirs.load_state_dict(state)
    x = torch.randn(2, 6, 5, 4).double()
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


def test_every_token_sees_the_whole_map():
    module, x = build(levels=1), torch.randn(1, 1, 9, 4).double()
    other = x.clone()
    other[0, 0, 0] += 1
    assert (module(other) != module(x)).any(-1).all()


def test_what_it_costs():
    tokens = 56**2
    cost = Focal.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 4 * 96**2 + 4 * 96 + 3 * 97 + 96 * (9 + 25)
    assert cost.macs == tokens * (4 * 96**2 + 3 * 96 + 96 * (9 + 25))
    deep = Focal.cost(96, 3, 7, (56, 56), levels=4, kernel=9)
    assert deep.parameters == 4 * 96**2 + 4 * 96 + 5 * 97 + 96 * (81 + 121 + 169 + 225)

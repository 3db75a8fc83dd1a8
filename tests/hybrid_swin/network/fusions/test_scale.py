import pytest
import torch

from hybrid_swin.cost import mixer_cost
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

GRID, DIM = (5, 4), 12


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word), DIM, 3, 4, GRID).double().eval()


@pytest.mark.parametrize("branches", ["conv+w_msa", "conv+w_msa+mdta"])
def test_every_channel_of_every_branch_has_its_weight(branches):
    mixer = build(f"{branches}:scale")
    x = torch.randn(2, *GRID, DIM).double()
    outs = [branch(x) for branch in mixer.branches]
    torch.testing.assert_close(mixer(x), sum(outs), rtol=0, atol=1e-12)  # starts as the sum
    with torch.no_grad():
        mixer.scales.normal_()
    found = mixer(x)
    for channel in range(DIM):
        expected = torch.zeros(2, *GRID).double()
        for scale, out in zip(mixer.scales[:, channel].tolist(), outs, strict=True):
            expected += scale * out[..., channel]
        torch.testing.assert_close(found[..., channel], expected, rtol=0, atol=1e-12)


def test_it_may_start_small():
    assert torch.equal(
        build("conv+w_msa:scale(init=1e-5)").scales, torch.full((2, DIM), 1e-5).double()
    )


def test_it_can_start_as_each_of_its_branches_even_beside_one_without_weights():
    x = torch.randn(2, *GRID, DIM).double()
    for word in ("conv+w_msa:scale(init=0.1)", "conv+identity:scale"):
        for base in (0, 1):
            mixer = build(word)
            assert mixer.identity_start(base)
            torch.testing.assert_close(mixer(x), mixer.branches[base](x), rtol=0, atol=1e-12)
            (mixer(x) * torch.randn_like(x)).sum().backward()
            assert mixer.scales.grad.all()  # the zeros move at once


def test_scales_do_not_decay_and_cost_only_parameters():
    mixer = build("conv+w_msa:scale")
    assert mixer.no_weight_decay() == {"scales"}
    scaled, plain = (
        mixer_cost(parse(f"conv+w_msa:{f}"), 96, 3, 7, (56, 56)) for f in ("scale", "sum")
    )
    assert (scaled - plain).to_dict() == {"parameters": 192, "macs": 0, "activations": 0}


def test_a_network_knows_that_they_do_not_decay():
    stage = Stage(DIM, 1, 3, ("conv+w_msa:scale",))
    model = HybridSwin(Variant(image_size=8, patch_size=2, window_size=4, stages=[stage]))
    assert "layers.0.blocks.0.attn.scales" in model.no_weight_decay()

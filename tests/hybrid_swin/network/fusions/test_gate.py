import pytest
import torch

from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse

GRID = (5, 4)
DIM = 12


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word), DIM, 3, 4, GRID).double().eval()


def opened(mixer):
    """The same with gates that are not at their start."""
    with torch.no_grad():
        mixer.logits.weight.normal_()
        mixer.logits.bias.normal_()
    return mixer


@pytest.mark.parametrize("per", ["channel", "pixel"])
@pytest.mark.parametrize("branches", ["conv+w_msa", "conv+w_msa+mdta"])
def test_it_starts_as_the_sum(branches, per):
    mixer = build(f"{branches}:gate(per={per})")
    x = torch.randn(2, *GRID, DIM).double()
    expected = sum(branch(x) for branch in mixer.branches)
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)
    opened(mixer)
    assert not torch.allclose(mixer(x), expected)
    mixer.start()
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)


def test_two_branches_share_by_a_logistic_gate_per_channel():
    mixer = opened(build("conv+w_msa:gate"))
    x = torch.randn(2, *GRID, DIM).double()
    local, wide = (branch(x) for branch in mixer.branches)
    for image in range(2):
        means = torch.cat([local[image].mean((0, 1)), wide[image].mean((0, 1))])
        share = torch.sigmoid(mixer.logits.weight @ means + mixer.logits.bias)
        expected = 2 * share * local[image] + 2 * (1 - share) * wide[image]
        torch.testing.assert_close(mixer(x)[image], expected, rtol=0, atol=1e-12)


def test_two_branches_share_by_a_logistic_gate_per_pixel():
    mixer = opened(build("conv+w_msa:gate(per=pixel)"))
    x = torch.randn(2, *GRID, DIM).double()
    local, wide = (branch(x) for branch in mixer.branches)
    found = mixer(x)
    for place in ((0, 0, 0), (1, 4, 3), (0, 2, 1)):
        seen = torch.cat([local[place], wide[place]])
        share = torch.sigmoid(mixer.logits.weight[0] @ seen + mixer.logits.bias[0])
        expected = 2 * share * local[place] + 2 * (1 - share) * wide[place]
        torch.testing.assert_close(found[place], expected, rtol=0, atol=1e-12)


def test_three_branches_share_by_a_softmax_whose_last_logit_is_zero():
    mixer = opened(build("conv+w_msa+mdta:gate"))
    x = torch.randn(1, *GRID, DIM).double()
    outs = [branch(x)[0] for branch in mixer.branches]
    seen = torch.cat([out.mean((0, 1)) for out in outs])
    free = mixer.logits.weight @ seen + mixer.logits.bias
    expected = torch.zeros_like(outs[0])
    for channel in range(DIM):
        logits = torch.stack([free[channel], free[DIM + channel], torch.tensor(0.0).double()])
        for weight, out in zip(logits.softmax(0), outs, strict=True):
            expected[..., channel] += 3 * weight * out[..., channel]
    torch.testing.assert_close(mixer(x)[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("per", "shape"), [("channel", (2, 1, 1, 3, DIM)), ("pixel", (2, 5, 4, 3, 1))]
)
def test_gates_share_out_as_many_as_there_are_branches(per, shape):
    mixer = opened(build(f"conv+w_msa+mdta:gate(per={per})"))
    gates = mixer.gates([torch.randn(2, *GRID, DIM).double() for _ in range(3)])
    assert gates.shape == shape
    assert (gates > 0).all()
    torch.testing.assert_close(gates.sum(-2), torch.full_like(gates.sum(-2), 3))


def test_it_can_start_as_each_of_its_branches():
    x = torch.randn(2, *GRID, DIM).double()
    for base in (0, 1):
        mixer = opened(build("conv+w_msa:gate"))
        assert mixer.identity_start(base)
        torch.testing.assert_close(mixer(x), mixer.branches[base](x), rtol=0, atol=1e-12)
    mixer = opened(build("conv+identity:gate"))
    before = mixer.logits.weight.clone()
    assert not mixer.identity_start(0)
    assert torch.equal(mixer.logits.weight, before)

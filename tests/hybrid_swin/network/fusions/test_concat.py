import torch

from hybrid_swin.cost import mixer_cost
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse

GRID = (5, 4)


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word), 12, 3, 4, GRID).double().eval()


def test_it_projects_its_branches_side_by_side():
    mixer = build("conv+w_msa+mdta:concat")
    x = torch.randn(2, *GRID, 12).double()
    parts = mixer.join.weight.split(12, dim=1)
    expected = mixer.join.bias + sum(
        branch(x) @ part.T for branch, part in zip(mixer.branches, parts, strict=True)
    )
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)


def test_it_can_start_as_each_of_its_branches_and_still_learn():
    x = torch.randn(2, *GRID, 12).double()
    for base in (0, 1):
        mixer = build("conv+identity:concat")
        assert mixer.identity_start(base)
        torch.testing.assert_close(mixer(x), mixer.branches[base](x), rtol=0, atol=1e-12)
        mixer(x).square().sum().backward()
        assert all(part.any() for part in mixer.join.weight.grad.split(12, dim=1))


def test_its_own_cost_is_that_of_the_projection():
    own = mixer_cost(parse("identity+identity:concat"), 96, 3, 7, (56, 56))
    assert own.parameters == 2 * 96**2 + 96
    assert own.macs == 56**2 * 2 * 96**2

import torch

from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse

GRID = (5, 4)


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word), 12, 3, 4, GRID).double().eval()


def test_it_adds_its_branches():
    mixer = build("conv+w_msa+mdta")
    x = torch.randn(2, *GRID, 12).double()
    expected = mixer.branches[0](x) + mixer.branches[1](x) + mixer.branches[2](x)
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)


def test_it_can_start_as_each_of_its_branches_and_still_learn():
    x = torch.randn(2, *GRID, 12).double()
    for base in (0, 1):
        mixer = build("conv+mdta")
        expected = mixer.branches[base](x).detach()
        assert mixer.identity_start(base)
        torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)
        (mixer(x) * torch.randn_like(x)).sum().backward()
        silent = mixer.branches[1 - base].proj
        assert not silent.weight.any()
        assert silent.weight.grad.any()


def test_it_says_no_where_a_branch_cannot_be_silenced_and_changes_nothing():
    for base, possible in ((0, False), (1, True)):
        mixer = build("conv+identity")
        before = [p.clone() for p in mixer.parameters()]
        assert mixer.identity_start(base) is possible
        same = all(torch.equal(p, q) for p, q in zip(mixer.parameters(), before, strict=True))
        assert same is not possible


def test_the_last_layer_of_a_branch_without_projection_is_silenced():
    mixer = build("conv+pointwise")
    assert mixer.identity_start(0)
    assert not mixer.branches[1].contract.weight.any()
    assert mixer.branches[1].expand.weight.any()

import pytest
import torch

from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse

GRID, DIM = (5, 4), 12


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word).canonical(), DIM, 3, 4, GRID).double().eval()


def test_the_second_branch_sees_what_the_first_one_added():
    mixer = build("w_msa+mdta:cascade")
    attention, channels = mixer.branches
    x = torch.randn(2, *GRID, DIM).double()
    expected = attention(x) + channels(x + attention(x))
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)


def test_a_third_branch_sees_what_both_added():
    mixer = build("w_msa+mdta+conv:cascade")
    x = torch.randn(1, *GRID, DIM).double()
    state = x  # the same as residual blocks in a row
    for branch in mixer.branches:
        state = state + branch(state)
    torch.testing.assert_close(mixer(x), state - x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("word", ["w_msa+mdta:cascade", "mdta+w_msa:cascade"])
def test_the_order_is_kept_and_it_can_start_as_each_branch(word):
    names = [type(b).__name__ for b in build(word).branches]
    assert names == [{"w_msa": "WMSA", "mdta": "MDTA"}[w] for w in word.split(":")[0].split("+")]
    x = torch.randn(2, *GRID, DIM).double()
    for base in (0, 1):
        mixer = build(word)
        expected = mixer.branches[base](x).detach()
        assert mixer.identity_start(base)
        torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)
        (mixer(x) * torch.randn_like(x)).sum().backward()
        assert mixer.branches[1 - base].proj.weight.grad.any()

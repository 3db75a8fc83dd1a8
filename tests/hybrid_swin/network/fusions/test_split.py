import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.branch_shapes import share_heads

GRID = (5, 4)


def build(word, dim=12, heads=3):
    torch.manual_seed(0)
    return build_mixer(parse(word), dim, heads, 4, GRID).double().eval()


@pytest.mark.parametrize(
    ("heads", "branches", "ratio", "shares"),
    [
        (2, 2, "equal", [1, 1]),
        (4, 2, "equal", [2, 2]),
        (3, 2, "equal", [2, 1]),
        (7, 3, "equal", [3, 2, 2]),
        (8, 2, "1-3", [2, 6]),
        (8, 2, "3-1", [6, 2]),
        (4, 2, "1-3", [1, 3]),
        (3, 2, "1-3", [1, 2]),
        (2, 2, "1-9", [1, 1]),
        (6, 3, "1-2-3", [1, 2, 3]),
        (12, 3, "3-2-1", [6, 4, 2]),
        (12, 3, "6-4-2", [6, 4, 2]),
        (5, 2, "1-1", [3, 2]),
        (4, 3, "1-1-100", [1, 1, 2]),
    ],
)
def test_heads_are_shared_out_whole(heads, branches, ratio, shares):
    assert share_heads(heads, branches, ratio) == shares


def test_sharing_is_as_near_to_the_ratio_as_whole_heads_allow():
    for heads in range(2, 13):
        for first in range(1, 6):
            for second in range(1, 6):
                found = share_heads(heads, 2, f"{first}-{second}")
                assert sum(found) == heads and min(found) >= 1
                wanted = max(1, min(heads - 1, heads * first / (first + second)))
                assert abs(found[0] - wanted) < 1


@pytest.mark.parametrize("ratio", ["1", "1-2-3", "0-1", "a-b", "1--2", "1.5-2", "-"])
def test_a_ratio_that_does_not_fit_is_refused(ratio):
    with pytest.raises(InputError, match="does not fit 2 branches; write one whole number above 0"):
        build(f"w_msa+mdta:split(ratio={ratio})", dim=24, heads=4)


def test_a_branch_needs_a_head():
    with pytest.raises(InputError, match="num_heads 2 is too few for 3 branches"):
        share_heads(2, 3, "equal")


def test_each_branch_sees_its_own_channels():
    mixer = build("conv+w_msa+mdta:split(ratio=1-2-3)", dim=24, heads=6)
    assert mixer.widths == [4, 8, 12]
    assert [b.num_heads for b in mixer.branches[1:]] == [2, 3]  # the head dimension is kept
    x = torch.randn(2, *GRID, 24).double()
    mixed = [mixer.branches[0](x[..., :4]), mixer.branches[1](x[..., 4:12])]
    mixed.append(mixer.branches[2](x[..., 12:]))
    expected = torch.cat(mixed, -1) @ mixer.join.weight.T + mixer.join.bias
    torch.testing.assert_close(mixer(x), expected, rtol=0, atol=1e-12)


def test_a_spare_head_goes_to_the_first_by_the_alphabet():
    for word in ("w_msa+conv:split", "conv+w_msa:split"):
        mixer = build_mixer(parse(word).canonical(), 12, 3, 4, GRID)
        assert [type(b).__name__ for b in mixer.branches] == ["Conv", "WMSA"]
        assert mixer.widths == [8, 4]


def test_it_cannot_start_as_one_branch_and_says_so():
    mixer = build("conv+w_msa:split")
    before = [p.clone() for p in mixer.parameters()]
    assert mixer.identity_start(0) is False
    assert all(torch.equal(p, q) for p, q in zip(mixer.parameters(), before, strict=True))


def test_it_makes_two_branches_cheaper_than_the_sum():
    count = {
        word: sum(p.numel() for p in build(word, 96, 4).parameters())
        for word in ("w_msa", "conv+w_msa:split", "conv+w_msa")
    }
    assert count["conv+w_msa:split"] < count["w_msa"] < count["conv+w_msa"]

"""Ceilings, against placements counted one by one, and what they do and do not bound."""

from itertools import product

import numpy as np
import pytest

from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.reach_ceiling import ceiling, cells_seen, variant_ceiling
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def variant(*blocks, image_size=16, patch_size=2, depth=2):
    return Variant(image_size, 1, 2, patch_size, 4, 2.0, (Stage(8, depth, 2, blocks),))


def windows_of_four(grid=8):
    """What plain window attention sees: a token its window."""
    y, x = np.divmod(np.arange(grid**2), grid)
    window = y // 4 * grid + x // 4
    return window[:, None] == window[None]


def counted(layout, seen):
    """The share of placements with a pair in some token's support, one by one."""
    hits, total = 0, 0
    for place in product(range(layout.places), repeat=2 * layout.constellations):
        hit = False
        for index, origin in enumerate(layout.origins()):
            y, x = origin + place[2 * index : 2 * index + 2]
            for k in product(range(layout.side), repeat=2):
                r, first = layout.reach, (y + k[0]) * layout.grid + x + k[1]
                cell = {(u, v): first + u * r * layout.grid + v * r for u in (0, 1) for v in (0, 1)}
                for one, other in product(cell, repeat=2):
                    if abs(one[0] - other[0]) + abs(one[1] - other[1]) == 1:
                        hit |= bool((seen[:, cell[one]] & seen[:, cell[other]]).any())
        hits, total = hits + hit, total + 1
    return hits / total


@pytest.mark.parametrize(
    "layout",
    [Layout(8, r, s) for r, s in ((2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (5, 1))]
    + [Layout(8, 2, 1, 4), Layout(10, 3, 1, 1, 1)],
)
@pytest.mark.parametrize("kind", ["windows", "random"])
def test_the_share_is_exact(layout, kind):
    seen = windows_of_four(layout.grid)
    if kind == "random":
        seen = np.random.default_rng(layout.reach).random((5, layout.grid**2)) < 0.2
    found = ceiling(layout, seen)
    assert found.seen == pytest.approx(counted(layout, seen))
    assert found.accuracy == 0.5 + found.seen / 2


# Two blocks, window 4, an 8 x 8 grid, side 2, no margin; reach 2 to 6.
@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (("identity",), (0.5, 0.5, 0.5, 0.5, 0.5)),
        (("w_msa",), (0.98, 0.875, 0.5, 0.5, 0.5)),
        (("w_msa", "sw_msa"), (1, 1, 1, 1, 1)),
        (("conv",), (1, 1, 1, 0.5, 0.5)),
        (("w_msa+mdta",), (1, 1, 1, 1, 1)),
    ],
)
def test_ceilings_of_variants(blocks, expected):
    for reach, accuracy in zip(range(2, 7), expected, strict=True):
        found = variant_ceiling(variant(*blocks), Layout(8, reach, 2), 2)
        assert found.accuracy == pytest.approx(accuracy)


def test_patches_smaller_and_larger_than_cells():
    layout = Layout(4, 2, 1)
    for patch_size in (1, 2, 4):
        # Patches of 4 pixels hold 2 x 2 cells, so that a window of 4 tokens covers the image.
        found = variant_ceiling(variant("w_msa", image_size=8, patch_size=patch_size), layout, 2)
        within = {1: 0.0, 2: 1.0, 4: 1.0}[patch_size]
        assert found.seen == within
    support = np.eye(9, dtype=bool)  # 3 x 3 patches of 3 pixels over 4 x 4 cells of 2 pixels
    pixels = support.reshape(9, 3, 3).repeat(3, axis=1).repeat(3, axis=2)
    seen = cells_seen(pixels, 4, 2)
    assert seen[4].reshape(4, 4).tolist() == [
        [False] * 4,
        [False, True, True, False],
        [False, True, True, False],
        [False] * 4,
    ]


def test_tokens_that_know_their_place_can_pass_the_ceiling_but_not_the_bound():
    # Each token sees one block of one bit. Its answer is any function of the place and the bit:
    # an odd part each, and a constant for all. Every sum of those over the four, and a threshold.
    none = ceiling(Layout(3, 2, 1), np.eye(9, dtype=bool))
    best = 0.0
    for parts in product(range(-2, 3), repeat=4):
        logits = [
            [a * sum(p * s for p, s in zip(parts, signs, strict=True)) for a in (1, -1)]
            for signs in ((1, 1, -1, -1), (1, -1, 1, -1))
        ]
        for threshold in np.arange(-9, 10) + 0.5:
            right = np.mean([np.greater(logits[0], threshold), np.less(logits[1], threshold)])
            best = max(best, right, 1 - right)
    assert (none.accuracy, none.bound) == (0.5, 0.75)
    assert best == none.bound


def test_the_bound_is_not_claimed_for_several_constellations():
    assert ceiling(Layout(8, 2, 1, 4), np.eye(64, dtype=bool)).bound == 1.0


def test_another_size_is_refused_with_the_right_one():
    with pytest.raises(InputError, match="make 20 x 20; set image_size: 20"):
        variant_ceiling(variant("w_msa"), Layout(10, 4), 2)

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.patch_grids import (
    check_grid,
    cover,
    orders,
    possible_grids,
    shuffle,
    spread_grids,
)

IMAGES = torch.arange(2 * 3 * 8 * 12.0).reshape(2, 3, 8, 12)


def test_a_grid_of_one_changes_nothing():
    assert torch.equal(shuffle(IMAGES, orders(0, 1, range(2)), 1), IMAGES)


@pytest.mark.parametrize("grid", [2, 4])
def test_patches_move_as_a_whole(grid):
    order = orders(7, grid, range(2))
    moved = shuffle(IMAGES, order, grid)
    height, width = 8 // grid, 12 // grid
    for image in range(2):
        for place, source in enumerate(order[image].tolist()):
            y, x = divmod(place, grid)
            v, u = divmod(source, grid)
            here = moved[image, :, y * height : (y + 1) * height, x * width : (x + 1) * width]
            there = IMAGES[image, :, v * height : (v + 1) * height, u * width : (u + 1) * width]
            assert torch.equal(here, there)
    assert not torch.equal(moved, IMAGES)


def test_an_order_depends_on_seed_grid_and_image_alone():
    together = orders(3, 4, range(5))
    assert torch.equal(torch.cat([orders(3, 4, range(2)), orders(3, 4, range(2, 5))]), together)
    assert all(sorted(order) == list(range(16)) for order in together.tolist())
    assert not torch.equal(orders(4, 4, range(5)), together)
    assert len({tuple(order) for order in together.tolist()}) == 5


def test_covered_patches_are_nested_and_of_one_colour():
    order = orders(0, 4, range(2))
    fill = torch.tensor([-1.0, -2.0, -3.0])
    assert cover(IMAGES, order, 4, 0, fill) is IMAGES
    few, many, all_ = (cover(IMAGES, order, 4, count, fill) for count in (3, 9, 16))
    for covered, count in ((few, 3), (many, 9), (all_, 16)):
        changed = covered != IMAGES
        assert int(changed.sum()) == count * 2 * 3 * 2 * 3
        assert torch.equal(covered[changed], fill[:, None, None].expand_as(IMAGES)[changed])
    assert ((few == IMAGES) | (many != IMAGES)).all()


def test_which_grids_fit():
    assert possible_grids((8, 12)) == [2, 4]
    assert possible_grids((224, 224), smallest=16) == [2, 4, 7, 8, 14]
    assert spread_grids((224, 224), 4, 4) == [2, 7, 16, 56]
    assert spread_grids((8, 8), 1, 4) == [2, 4, 8]
    assert spread_grids((28, 28), 28, 4) == [2, 4, 14, 28]  # tokens as large as the image
    assert check_grid(4, (8, 12), "x") == 4
    with pytest.raises(InputError, match=r"x: a grid of 3 x 3 .* choose from 1, 2, 4"):
        check_grid(3, (8, 12), "x")
    with pytest.raises(InputError, match="cannot be cut"):
        spread_grids((7, 8), 1, 4)

"""Windows against loops over coordinates of the map, without any rolling."""

import itertools

import pytest
import torch

from hybrid_swin.network import windows

CPU = torch.device("cpu")
MAPS = [  # (size of the map, already whole windows; window)
    ((8, 8), (4, 4)),
    ((9, 9), (3, 3)),
    ((4, 12), (4, 4)),
    ((6, 8), (3, 4)),
    ((10, 5), (5, 5)),
    ((2, 7), (2, 7)),
    ((6, 6), (2, 3)),
    ((3, 4), (1, 2)),
    ((5, 5), (1, 1)),
]


@pytest.mark.parametrize(("size", "window"), MAPS)
def test_partition_cuts_windows_row_by_row(size, window):
    x = torch.arange(2 * size[0] * size[1] * 3.0).view(2, *size, 3)
    parts = windows.partition(x, window)
    assert parts.shape == (
        2,
        size[0] * size[1] // (window[0] * window[1]),
        window[0] * window[1],
        3,
    )
    columns = size[1] // window[1]
    for row, column in itertools.product(range(size[0]), range(size[1])):
        which = row // window[0] * columns + column // window[1]
        token = row % window[0] * window[1] + column % window[1]
        assert torch.equal(parts[:, which, token], x[:, row, column])


@pytest.mark.parametrize(("size", "window"), MAPS)
def test_merge_undoes_partition(size, window):
    x = torch.randn(3, *size, 5)
    assert torch.equal(windows.merge(windows.partition(x, window), window, size), x)


@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [
        ((8, 8), (4, 4), (2, 2)),
        ((9, 9), (3, 3), (1, 1)),
        ((14, 7), (7, 7), (3, 0)),
        ((4, 12), (4, 4), (0, 2)),
        ((10, 15), (5, 5), (2, 2)),
        ((6, 8), (2, 4), (1, 2)),
        ((8, 8), (8, 4), (0, 2)),
    ],
)
def test_tokens_are_masked_unless_they_were_neighbours_before_the_roll(size, window, shift):
    mask = windows.shift_mask(size, window, shift, CPU)
    # Where each token of a rolled window was on the map.
    position = torch.cartesian_prod(torch.arange(size[0]), torch.arange(size[1])).view(1, *size, 2)
    rolled = position.roll((-shift[0], -shift[1]), dims=(1, 2))
    before = windows.partition(rolled, window)[0]
    offset = torch.tensor(shift)
    # Windows of a grid that begins at the shift: -1 is the part window before it.
    cells = torch.div(before - offset, torch.tensor(window), rounding_mode="floor")
    together = (cells[:, :, None] == cells[:, None, :]).all(dim=-1)
    assert mask.shape == together.shape
    assert torch.equal(mask == 0, together)
    assert set(mask.unique().tolist()) <= {0.0, windows.MASKED}
    # Each token sees itself, so no row is masked whole.
    assert (mask.diagonal(dim1=1, dim2=2) == 0).all()


def test_nothing_is_masked_where_nothing_is_shifted():
    assert not windows.shift_mask((8, 8), (4, 4), (0, 0), CPU).any()


@pytest.mark.parametrize(
    ("window", "table"),
    [
        ((4, 4), (4, 4)),
        ((3, 5), (3, 5)),
        ((1, 1), (1, 1)),
        ((2, 3), (4, 4)),  # a window smaller than its table reads the table's middle
        ((3, 5), (7, 7)),
        ((1, 1), (3, 5)),
    ],
)
def test_relative_positions_are_rows_of_the_table(window, table):
    index = windows.relative_position_index(window, table, CPU)
    # Swin's table: offsets by row, then by column, from the most negative on.
    rows = list(itertools.product(range(1 - table[0], table[0]), range(1 - table[1], table[1])))
    tokens = list(itertools.product(range(window[0]), range(window[1])))
    for (i, query), (j, key) in itertools.product(enumerate(tokens), enumerate(tokens)):
        offset = (query[0] - key[0], query[1] - key[1])
        assert rows[index[i, j]] == offset

import pytest

from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.errors import InputError


def test_corners_are_a_reach_apart_and_blocks_side_wide():
    corners = Layout(grid=9, reach=4, side=2).corners()
    assert corners.shape == (2, 2, 4, 2)
    assert corners[0, 0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert (corners[1, 0] - corners[0, 0] == [4, 0]).all()
    assert (corners[0, 1] - corners[0, 0] == [0, 4]).all()
    assert (corners[1, 1] - corners[0, 0] == [4, 4]).all()


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        (Layout(8, 6, 2), 1),
        (Layout(8, 2, 2), 5),
        (Layout(20, 6, 2, 1, 4), 5),
        (Layout(12, 3, 1, 4), 3),
        (Layout(14, 3, 1, 4, 1), 3),
    ],
)
def test_constellations_stay_in_their_own_sub_squares(layout, places):
    assert layout.places == places
    taken = set()
    for origin in layout.origins():
        last = origin + places - 1 + layout.corners().reshape(-1, 2)
        assert (origin >= layout.margin).all()
        assert last.max() < layout.grid - layout.margin
        y, x = origin.tolist()
        room = range(layout.room)
        square = {(y + dy, x + dx) for dy in room for dx in room}
        assert not taken & square
        taken |= square
        assert {tuple(cell) for cell in last} <= square


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((8, 2, 3), "side 3 is above reach 2.*choose a side of at most 2"),
        ((8, 7, 2), "need 9 cells per side, but each of the 1 x 1 sub-squares has 8.*at least 9"),
        ((8, 4, 2, 1, 2), "sub-squares has 4; choose a grid of at least 10"),
        ((8, 2, 1, 3), "3 is not a perfect square; choose 1 or 4"),
        ((9, 2, 1, 4), "has 9 cells per side, which 2 x 2"),
        ((8, 2, 1, 1, 4), "has 0 cells per side"),
        ((8, 0), "reach must be a whole number of at least 1; got 0"),
        ((8, 2, 1, 1, -1), "margin must be a whole number of at least 0"),
        ((8.0, 2), "grid must be a whole number"),
        ((8, True), "reach must be a whole number"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(numbers, message):
    with pytest.raises(InputError, match=message):
        Layout(*numbers)

from itertools import pairwise

import pytest

from search.reporting.figures.style import short, spread


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([1.0, 5.0], [1.0, 5.0]),  # far enough from each other
        ([5.0, 5.0], [4.5, 5.5]),
        ([5.2, 5.0, 9.0], [5.6, 4.6, 9.0]),
        ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0]),
        ([0.0, 0.0], [0.0, 1.0]),  # not below the axis
        ([10.0, 10.0, 1.0], [9.0, 10.0, 1.0]),
    ],
)
def test_labels_move_as_little_as_they_must(wanted, expected):
    assert spread(wanted, 1.0, 0.0, 10.0) == pytest.approx(expected)


def test_many_labels_keep_their_order_and_distance():
    wanted = [3.0 + 0.01 * (i * 7 % 11) for i in range(11)]
    found = spread(wanted, 0.5, 0.0, 10.0)
    order = sorted(range(11), key=wanted.__getitem__)
    assert all(found[b] - found[a] > 0.499 for a, b in pairwise(order))


def test_long_labels_are_cut():
    assert short("w_msa") == "w_msa"
    assert len(short("w_msa+" * 20)) == 34

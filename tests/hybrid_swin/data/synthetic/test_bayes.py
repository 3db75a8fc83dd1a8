"""Best accuracies, against enumeration of every image."""

from itertools import product

import pytest

from hybrid_swin.data.synthetic.bayes import constellation_accuracy
from hybrid_swin.errors import InputError


@pytest.mark.parametrize(("flip", "best"), [(0.1, 0.9839), (0.2, 0.8766), (0.3, 0.7022)])
def test_four_bits(flip, best):
    assert constellation_accuracy(4, flip) == pytest.approx(best, abs=5e-5)


@pytest.mark.parametrize("bits", [1, 9, 16])
def test_certain_without_flips_and_a_coin_at_a_half(bits):
    assert constellation_accuracy(bits, 0.0) == 1.0
    assert constellation_accuracy(bits, 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("flip", [0.1, 0.35])
def test_one_bit_by_enumeration_of_all_cells_and_flips(flip):
    law = {}  # the four cells as seen -> probability in each class
    for label, a, flips in product((0, 1), (1, -1), product((0, 1), repeat=4)):
        corners = [(u, v) for u in (0, 1) for v in (0, 1)]
        seen = tuple(
            a * (1 - 2 * (v if label else u)) * (-1 if f else 1)
            for (u, v), f in zip(corners, flips, strict=True)
        )
        weight = flip ** sum(flips) * (1 - flip) ** (4 - sum(flips)) / 2
        law.setdefault(seen, [0.0, 0.0])[label] += weight
    best = sum(max(pair) for pair in law.values()) / 2
    assert constellation_accuracy(1, flip) == pytest.approx(best)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((0, 0.1), "bits must be at least 1"), ((4, 1.1), "flip must be a probability")],
)
def test_impossible_numbers_are_refused(numbers, message):
    with pytest.raises(InputError, match=message):
        constellation_accuracy(*numbers)

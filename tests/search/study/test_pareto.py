"""The front and its volume, beside brute force and Optuna's own."""

import math
from itertools import product

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume
from optuna.study._multi_objective import _is_pareto_front

from search.study.pareto import Front, front, hypervolume

MIN3 = ["min"] * 3


def test_a_front_by_hand():
    points = [(0.9, 100), (0.8, 50), (0.7, 60), (0.9, 120), (0.5, 10)]
    assert front(points, ["max", "min"]) == [0, 1, 4]
    assert front(points, ["min", "max"]) == [2, 3, 4]
    assert front([], ["max", "min"]) == []


@pytest.mark.parametrize("grid", [3, 1000], ids=["many ties", "few ties"])
def test_a_front_that_grows_is_the_front_of_all(grid):
    rng = np.random.default_rng(grid)
    points = [*rng.integers(0, grid, (60, 3)).astype(float).tolist(), [None, 1.0, 1.0]]
    growing = Front(["max", "min", "min"])
    for place, point in enumerate(points):
        there = growing.add(point, place)
        expected = front(points[: place + 1], ["max", "min", "min"])
        assert growing.items == expected
        assert there == (place in expected)


def test_equal_points_stand_or_fall_together():
    assert front([(1, 1), (1, 1), (0, 2)], ["min", "min"]) == [0, 1, 2]
    assert front([(1, 1), (1, 1), (0, 1)], ["min", "min"]) == [2]


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_known_is_on_no_front(missing):
    points = [(missing, 1.0), (2.0, missing), (3.0, 3.0)]
    assert front(points, ["min", "min"]) == [2]
    assert hypervolume(points, (4.0, 5.0), ["min", "min"]) == 2.0


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("grid", [3, 1000], ids=["many ties", "few ties"])
def test_fronts_and_volumes_are_those_of_optuna(dimensions, grid):
    rng = np.random.default_rng(dimensions)
    signs = np.where(rng.random(dimensions) < 0.5, -1, 1)
    directions = ["max" if sign < 0 else "min" for sign in signs]
    for _ in range(20):
        losses = rng.integers(0, grid, (30, dimensions)).astype(float)
        points = (losses * signs).tolist()
        expected = np.flatnonzero(_is_pareto_front(losses, assume_unique_lexsorted=False))
        assert front(points, directions) == expected.tolist()
        corner = np.full(dimensions, 0.8 * grid)
        inside = losses[np.all(losses < corner, axis=1)]
        volume = compute_hypervolume(inside, corner) if len(inside) else 0.0
        assert hypervolume(points, corner * signs, directions) == pytest.approx(volume)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_a_volume_counts_the_cells_that_are_dominated(dimensions):
    rng = np.random.default_rng(7)
    points = rng.integers(0, 5, (6, dimensions)).tolist()
    cells = product(range(5), repeat=dimensions)
    dominated = sum(
        any(all(x <= c for x, c in zip(p, cell, strict=True)) for p in points) for cell in cells
    )
    assert hypervolume(points, [5] * dimensions, ["min"] * dimensions) == dominated


def test_points_outside_add_nothing():
    assert hypervolume([(0, 0, 9), (3, 0, 0)], (3, 3, 3), MIN3) == 0.0
    assert hypervolume([], (1.0,), ["max"]) == 0.0
    assert hypervolume([(0.9, 1e6)], (0.0, 4e6), ["max", "min"]) == pytest.approx(2.7e6)


def test_a_reference_must_be_known():
    with pytest.raises(ValueError, match="reference point"):
        hypervolume([(1, 1)], (math.nan, 2), ["min", "min"])


def test_a_front_of_many_points_is_quick_enough_to_be_drawn():
    points = np.random.default_rng(0).random((20_000, 2)).tolist()
    found = front(points, ["max", "min"])
    assert 3 < len(found) < 50
    assert hypervolume(points, (0, 1), ["max", "min"]) == pytest.approx(1, abs=0.01)

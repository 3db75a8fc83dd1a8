"""Seeds decide what is drawn."""

import random

import numpy as np
import pytest
import torch

from hybrid_swin.data.seeding import seed_all, seeded


def draws():
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_seed_and_place_decide_all_generators():
    drawn = []
    for seed, place in ((1, 0), (1, 1), (2, 0), (1, 0)):
        seed_all(seed, "epoch", place)
        drawn.append(draws())
    assert drawn[0] == drawn[3]
    for values in zip(*drawn[:3], strict=True):
        assert len(set(values)) == 3


@pytest.mark.parametrize("seed", [0, 2**63, -1])
def test_any_whole_number_is_a_seed(seed):
    seed_all(seed, "start")
    assert all(0 <= value < 1 for value in draws())


def test_what_is_drawn_inside_does_not_matter_outside():
    seed_all(7, "start")
    draws()
    expected = draws()
    seed_all(7, "start")
    draws()
    with seeded(3, "data"):
        inside = draws()
    assert draws() == expected
    with seeded(3, "data"):
        assert draws() == inside

"""Seeds and identities; what the keeper does in a training is in test_training."""

import random

import numpy as np
import pytest
import torch

from hybrid_swin.epochs import data_identity, identify, seed_all
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant


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


def test_an_identity_is_that_of_the_network_not_of_its_spelling():
    stage = {"width": 8, "depth": 1, "num_heads": 2}
    spelt = [
        Variant.from_dict(
            {"image_size": 8, "patch_size": 2, "stages": [stage | {"blocks": [word]}]}
        )
        for word in ("w_msa+mdta", "mdta+w_msa:sum", "w_msa")
    ]
    ids = [identify(variant, Recipe(), 0) for variant in spelt]
    assert ids[0] == ids[1] != ids[2]


def test_data_without_hashes_has_no_identity():
    class Module:
        data_hash = "0123456789"

    assert data_identity(object()) == {}
    assert data_identity(Module()) == {"data": "0123456789"}

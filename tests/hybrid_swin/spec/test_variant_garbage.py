"""Whatever stands in a variant's data: it is taken whole, or refused in one sentence."""

import copy
import math
import random

import pytest
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant

VALID = {
    "image_size": [24, 20],
    "patch_size": 2,
    "window_size": 4,
    "mlp_ratio": 2.0,
    "stages": [
        {"width": 16, "depth": 2, "num_heads": 2, "blocks": ["w_msa", "sw_msa"]},
        {"width": 24, "depth": 3, "num_heads": 4, "blocks": ["conv(kernel=5)+w_msa:gate"]},
    ],
}
GARBAGE = (
    *(None, True, False, 0, 1, -1, 3, 7, 12, 0.5, 2.0, 1e308, -0.0, math.nan, math.inf, 10**30),
    *("", "w_msa", "8", "w_msa+mdta:gate", "conv(kernel=4)", "a,b", "\0", "größe", "x" * 300),
    *([], [[]], [3], ["w_msa"], [None, {}], {}, {"a": 1}, {"choose": [1]}, {1: {2: [3]}}),
    *(
        b"conv",
        (8, 8),
        (2, 4),
        [3, 5],
        {1, 2},
        object(),
        [VALID["stages"][0]],
        VALID["stages"][1],
        VALID,
    ),
)


@pytest.mark.parametrize("seed", range(40))
def test_no_garbage_raises_anything_but_an_input_error(seed, spoil):
    rng = random.Random(seed)
    refused = 0
    for _ in range(25):
        data = copy.deepcopy(VALID)
        for _ in range(rng.randint(1, 3)):
            spoil(data, rng, GARBAGE)
        try:
            read = Variant.from_dict(data)
        except InputError as error:
            refused += 1
            assert str(error)
        else:  # what is taken is whole: it can be hashed, named, written and read again
            assert Variant.from_dict(yaml.safe_load(read.to_yaml())).id == read.id
            assert read.name.isascii()
            assert hash(read) == hash(Variant.from_dict(read.to_dict()))
    assert refused > 5

"""Numbers of settings: each has a largest, and no value is too large to be refused in one line."""

import math

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_fit
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.spec.variant import Variant

HUGE = [10**400, -(10**400), 2**63, math.inf, -math.inf, math.nan, "1" * 400, "010x", True, None]
FIELDS = ["epochs", "batch_size", "learning_rate", "weight_decay", "warmup_epochs", "shift"]
FIELDS += ["min_learning_rate", "label_smoothing", "gradient_clip", "drop_path"]


@pytest.mark.parametrize("value", HUGE, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_recipe_takes_what_cannot_be(name, value):
    with pytest.raises(InputError, match=f"{name} must be a") as error:
        Recipe(**{name: value})
    assert len(str(error.value)) <= 300


def test_text_that_spells_a_number_is_taken():
    assert Recipe(learning_rate="1e-3", epochs="7.0") == Recipe(learning_rate=1e-3, epochs=7)


def test_the_ends_of_a_range():
    half_open = Range(0, 1, open_above=True)
    assert half_open.holds(0) and not half_open.holds(1)
    assert Range(1, 5).holds(5) and not Range(1, 5).holds(5.5)
    check_ranges({"a": (3, Range(1, 5))})
    for value, said in ((0, "a must be at least 1"), (9, "a must be at most 5")):
        with pytest.raises(InputError, match=said):
            check_ranges({"a": (value, Range(1, 5))})
    with pytest.raises(InputError, match="got nan"):
        check_ranges({"a": (math.nan, Range(1, 5))})


def test_a_recipe_must_fit_the_network():
    stage = {"width": 8, "depth": 1, "num_heads": 1, "blocks": ["w_msa"]}
    variant = Variant(image_size=(8, 12), stages=(stage,))
    check_fit(variant, Recipe(shift=7, epochs=1))
    with pytest.raises(InputError, match=r"shift 8 moves images of 8 pixels .*less than 8"):
        check_fit(variant, Recipe(shift=8))
    check_fit(variant, Recipe(epochs=5, warmup_epochs=5))
    with pytest.raises(InputError, match=r"warmup_epochs 6 does not end within .*epochs 5"):
        check_fit(variant, Recipe(epochs=5, warmup_epochs=6))

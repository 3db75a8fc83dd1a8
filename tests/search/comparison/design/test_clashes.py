import re

import pytest

from hybrid_swin.errors import InputError
from search.comparison.design.clashes import check_clashes, preset_clashes
from search.settings.comparison import ArmSettings

EPOCHS = {"recipe.epochs": [12, 14]}
WIDTHS = {"stages.0.width": [8, 16]}


@pytest.mark.parametrize(
    ("factors", "arm", "message"),
    [
        (EPOCHS, {"recipe.epochs": 9}, "factors.recipe.epochs and arm '+a' both set recipe.epochs"),
        ({"window_size": [2, 4]}, {"window_size": 8}, "both set window_size"),
        ({"recipe.preset": ["quick"]}, {"recipe.preset": "quick"}, "both set recipe.preset"),
        (WIDTHS, {"stages.0": {"width": 4}}, "both set stages.0.width (the latter stages.0)"),
        ({"base": [["conv"]]}, {"stages.0.blocks": ["conv"]}, "both set base (the latter stages"),
        ({"x": [{}, {"recipe.epochs": 9}], **EPOCHS}, {}, "factors.x and factors.recipe.epochs"),
        ({"data.options": [{"label": "a", "data.options.a": 1, "data.options": {}}]}, {},
         "one of which holds the other"),
    ],
)  # fmt: skip
def test_a_value_that_two_places_set_is_refused(factors, arm, message):
    arms = ArmSettings(), ArmSettings(add="a", set=arm)
    with pytest.raises(InputError, match=re.escape(message)):
        check_clashes(factors, arms)


def test_blocks_and_words_of_one_arm_clash():
    arms = [ArmSettings(label="a", blocks=("conv",), set={"stages.1.blocks": ["w_msa"]})]
    with pytest.raises(InputError, match="has blocks, which replace the words"):
        check_clashes({}, arms)


@pytest.mark.parametrize(
    ("factors", "arm"),
    [
        (EPOCHS, {"recipe.weight_decay": 0.1}),
        (WIDTHS, {"stages.0.blocks": ["conv"]}),
        ({"base": [["conv"]], "stages": ["all"], "fusion": ["sum"]}, {"stages.0.depth": 2}),
        ({"a": [{"label": "b", "x": 1}, {"x": 2}]}, {}),
    ],
)
def test_others_are_taken(factors, arm):
    check_clashes(factors, [ArmSettings(add="a", set=arm)])


def test_a_single_value_counts_before_a_preset_and_a_note_says_so():
    factors = {"recipe.preset": ["quick"], **EPOCHS}
    arms = [ArmSettings(add="a", set={"recipe.flip": "none", "recipe.batch_size": 8})]
    check_clashes(factors, arms)
    assert list(preset_clashes(factors, arms)) == [
        "recipe.preset quick: what factors.recipe.epochs sets counts first: epochs",
        "recipe.preset quick: what arm '+a' sets counts first: batch_size",
    ]

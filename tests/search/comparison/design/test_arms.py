import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import parse
from search.comparison.design.arms import check_arms, default_arms, stages_of, words_with
from search.settings.comparison import ArmSettings


def test_default_arms_isolate_every_part_of_mdta():
    arms = {arm.name: arm for arm in default_arms()}
    assert check_arms(tuple(arms.values()), "") == "base"
    controls = arms["+mdta"].controls
    assert set(controls) == {"channel attention", "depthwise convolution", "size"}
    kept = {
        cause: dict(parse(arms[name].add).branches[0].options) for cause, name in controls.items()
    }
    assert kept["channel attention"] == {"attention": False}  # all but the attention
    assert kept["depthwise convolution"] == {"depthwise": False}
    assert arms["+conv"].controls == {"size": "+pointwise"}


@pytest.mark.parametrize(
    ("words", "add", "fusion", "expected"),
    [
        (["w_msa", "sw_msa"], "mdta", None, ("w_msa+mdta", "sw_msa+mdta")),
        (["w_msa"], "mdta", "gate", ("w_msa+mdta:gate",)),
        (["w_msa"], "mdta:concat", "gate", ("w_msa+mdta:concat",)),  # its own fusion wins
        (["w_msa"], "conv+mdta", None, ("w_msa+conv+mdta",)),
    ],
)
def test_branches_are_put_beside_the_words(words, add, fusion, expected):
    assert words_with(words, add, fusion) == expected


def test_a_word_with_a_fusion_takes_no_further_branch():
    with pytest.raises(InputError, match="has a fusion already"):
        words_with(["w_msa+conv:gate"], "mdta", None)


@pytest.mark.parametrize(
    ("arms", "baseline", "message"),
    [
        ([ArmSettings()], "", "at least two arms"),
        ([ArmSettings(add="mdtaa")], "", "unknown branch 'mdtaa'; did you mean 'mdta'"),
        ([ArmSettings(blocks=("w_msaa",))], "", "did you mean 'w_msa'"),
        ([ArmSettings(add="mdta:gate")], "", "at least two arms"),
        ([ArmSettings(), ArmSettings()], "", "two arms are called 'base'"),
        ([ArmSettings(), ArmSettings(add="conv", blocks=("conv",))], "", "give one"),
        ([ArmSettings(), ArmSettings(add="conv", controls={"x": "+cnv"})], "", "did you mean"),
        ([ArmSettings(), ArmSettings(add="conv", controls={"x": "+conv"})], "", "its own control"),
        ([ArmSettings(), ArmSettings(add="conv")], "bse", "did you mean 'base'"),
    ],
)
def test_arms_that_do_not_belong_together_are_refused(arms, baseline, message):
    with pytest.raises(InputError, match=message):
        check_arms(arms, baseline)


def test_stages_are_all_or_a_list():
    assert stages_of("all", 3) == (0, 1, 2)
    assert stages_of([0, 2], 3) == (0, 2)
    assert stages_of(1, 3) == (1,)
    for wrong in (3, [-1], "first", True):
        with pytest.raises(InputError, match="numbers from 0 to 2"):
            stages_of(wrong, 3)

import pytest

from search.leaderboard.rows.controls import cause_of
from search.leaderboard.rows.row import Row

STAGE = {"width": 32, "depth": 2, "num_heads": 4}


def row(*stages, recipe=None, baseline=True, width=32):
    variant = {"stages": [{**STAGE, "width": width, "blocks": list(blocks)} for blocks in stages]}
    recipe = recipe or {"epochs": 3}
    return Row("l", "v", "c", "o", "final", baseline, "complete", 3, 3, variant=variant,
               recipe=recipe)  # fmt: skip


@pytest.mark.parametrize(
    ("word", "control", "cause"),
    [
        ("w_msa+mdta", "w_msa+mdta(attention=false)", "channel attention"),
        ("mdta+w_msa", "w_msa+mdta(depthwise=false)", "depthwise convolution"),
        ("w_msa+mdta", "w_msa+pointwise", "size"),
        ("w_msa+mdta", "w_msa", "mdta"),
        ("w_msa+mdta:gate", "w_msa+mdta", "fusion gate"),
        ("w_msa+mdta", "w_msa+mdta(attention=false;depthwise=false)", ""),  # two parts
        ("w_msa+mdta(attention=false)", "w_msa+mdta", ""),  # the control has more
        ("w_msa+mdta", "w_msa+conv", ""),
        ("w_msa+mdta:gate", "w_msa+pointwise", ""),  # two things at once
        ("w_msa+mdta", "w_msa+mdta", ""),
        ("w_msa+mdta", "w_msa+no_such_plugin", ""),
        ("w_msa+mdta:split(gate=se)", "w_msa+mdta:split", "gate se"),
        ("w_msa:sum(gate=se)", "w_msa", "gate se"),
        ("w_msa+mdta:sum(gate=se)", "w_msa:sum(gate=se)", "mdta"),
        ("w_msa+mdta:sum(gate=se)", "w_msa", ""),  # a branch and a gate
        ("w_msa+mdta:sum(gate=se)", "w_msa+mdta:sum(gate=grn)", ""),
        ("w_msa+mdta:gate(gate=se)", "w_msa+mdta", ""),
        ("w_msa", "w_msa:sum(gate=se)", ""),
    ],
)
def test_the_part_that_a_control_lacks(word, control, cause):
    assert cause_of(row([word]), row([control])) == cause


def test_all_else_is_the_same():
    mine, control = ["w_msa+mdta"], ["w_msa+mdta(attention=false)"]
    assert cause_of(row(mine, mine), row(control, control)) == "channel attention"
    assert cause_of(row(mine, ["w_msa"]), row(control, ["w_msa"])) == "channel attention"
    assert cause_of(row(mine, ["w_msa"]), row(control, ["conv"])) == ""
    assert cause_of(row(mine, mine), row(control)) == ""
    assert cause_of(row(mine, recipe={"epochs": 9}), row(control)) == ""
    assert cause_of(row(mine), row(control, baseline=False)) == ""
    # blocks cycle over the depth
    assert cause_of(row(mine), row([*mine, *control])) == "channel attention"
    assert cause_of(row(mine), row([*mine, "w_msa+mdta(depthwise=false)"])) == (
        "depthwise convolution"
    )


def test_widths_may_differ_where_they_were_solved_for():
    mine, control = row(["w_msa+mdta"]), row(["w_msa+pointwise"], width=48)
    assert cause_of(mine, control) == ""
    assert cause_of(mine, control, matched=True) == "size"

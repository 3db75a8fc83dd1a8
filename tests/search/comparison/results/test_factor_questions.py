from search.comparison.design.plan import make_plan
from search.comparison.results.factor_questions import factor_questions
from search.comparison.results.trained_arm import TrainedArm
from search.leaderboard.rows.evidence import RowEvidence
from search.settings.comparison import ArmSettings, MatchSettings

ARMS = (ArmSettings(), ArmSettings(add="mdta"))


def over(fake, factors, **changes):
    """Of each change over which arms its effect is."""
    plan = make_plan(fake.settings(factors=factors, learning_rates=(), **changes))
    nothing = RowEvidence({}, None)
    arms = [TrainedArm(entry, (), None, nothing, (), (), {}) for entry in plan.entries]
    return {q.changes[0].text: q.over for q in factor_questions(arms, list(factors)) if
            q.question == "alone"}  # fmt: skip


def test_a_counterpart_that_follows_the_cost_of_its_arm_is_left_out(fake):
    by_control = {"arms": ARMS, "match": MatchSettings(by=("control",), tolerance=0.1)}
    assert over(fake, {"fusion": ["sum", "gate"]}, **by_control)["fusion=gate"] == "+mdta"
    assert over(fake, {"recipe.epochs": [9, 10]}, **by_control)["epochs=10"] == ""


def test_the_fewer_of_those_in_and_out_are_named(fake):
    arms = (*ARMS, ArmSettings(add="conv"), ArmSettings(label="fixed", blocks=("conv",)))
    made = over(fake, {"fusion": ["sum", "gate"]}, arms=arms, match=MatchSettings(by=("none",)))
    assert made["fusion=gate"] == "+mdta, +conv"
    made = over(fake, {"fusion": ["sum", "gate"]}, arms=(*arms[:3], ArmSettings(add="sw_msa")),
                match=MatchSettings(by=("none",)))  # fmt: skip
    assert made["fusion=gate"] == "all arms but base"


def test_a_change_may_touch_some_cells_only(fake):
    """Where nothing is mixed, the probability of it is nothing."""
    factors = {"recipe.mixup": [0.0, 0.8], "recipe.mix_probability": [0.5, 1.0]}
    arms = (ArmSettings(), ArmSettings(add="mdta", set={"recipe.cutmix": 1.0}))
    made = over(fake, factors, arms=arms, match=MatchSettings(by=("none",)))
    assert made == {"mixup=0.8": "", "mix_probability=1.0": "3 of 4 arms in all cells", "+mdta": ""}

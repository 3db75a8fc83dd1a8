"""Which trainings a comparison comes to, and that equal ones are done once."""

import numpy as np
import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from search.comparison.design.plan import make_plan
from search.records.runs import RunResult
from search.settings.comparison import ArmSettings, ComparisonSettings, MatchSettings
from search.statistics.intervals import paired_difference

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 1,
    "window_size": 4,
    "stages": [
        {"width": 48, "depth": 2, "num_heads": 6, "blocks": ["w_msa"]},
        {"width": 96, "depth": 2, "num_heads": 12, "blocks": ["w_msa"]},
    ],
}
ARMS = (ArmSettings(), ArmSettings(add="mdta", controls={"size": "+conv"}), ArmSettings(add="conv"))


def plan_of(**changes):
    given = {"variant": VARIANT, "recipe": {"epochs": 3}, "arms": ARMS, "seeds": 2}
    return make_plan(ComparisonSettings(**{**given, **changes}))


def runs_of(plan):
    return [
        spec
        for entry in plan.entries
        for rate in range(len(entry.recipes))
        for spec in (*plan.selections(entry, rate), *finals(plan, entry, rate))
    ]


def finals(plan, entry, rate):
    return [plan.final(entry, rate, seed) for seed in range(plan.seeds)]


def test_every_arm_costs_what_the_baseline_costs():
    plan = plan_of(match=MatchSettings(by=("macs", "parameters"), tolerance=0.02))
    for entry in plan.entries:
        target = next(e for e in plan.entries if e.against is None)
        cost = getattr(entry.cost, entry.matching)
        assert abs(cost / getattr(target.cost, entry.matching) - 1) <= 0.02
        assert entry.cost == count_cost(entry.variant)


def test_a_baseline_is_trained_once_for_all_matchings():
    plan = plan_of(match=MatchSettings(by=("macs", "parameters")))
    bases = [entry for entry in plan.entries if entry.arm == "base"]
    assert len(bases) == 2
    assert len({entry.candidates for entry in bases}) == 1
    assert plan.trainings() == (0, 2 * 5)


def test_a_baseline_is_trained_once_for_levels_that_do_not_touch_it():
    plan = plan_of(factors={"fusion": ["sum", "gate"], "stages": ["all", [0]]})
    candidates = {entry.candidates for entry in plan.entries if entry.arm == "base"}
    assert len(plan.cells) == 4
    assert len(candidates) == 1


def test_windows_of_two_sides_may_be_varied():
    plan = plan_of(factors={"window_size": [4, [4, 8]]}, match=MatchSettings(by=("none",)))
    named = {(e.cell.name, e.arm): e.variant.window_size for e in plan.entries}
    assert named["window_size=4", "base"] == 4
    assert named["window_size=[4 8]", "+conv"] == (4, 8)


def test_windows_of_two_sides_may_be_set():
    arms = (ArmSettings(), ArmSettings(label="wide", set={"window_size": [2, 8]}))
    plan = plan_of(arms=arms, match=MatchSettings(by=("none",)))
    assert [entry.variant.window_size for entry in plan.entries] == [4, (2, 8)]


def test_stages_and_fusion_say_where_and_how_an_arm_adds():
    plan = plan_of(factors={"fusion": ["gate"], "stages": [[1]]}, match=MatchSettings(by=("none",)))
    arm = next(entry for entry in plan.entries if entry.arm == "+mdta")
    assert [stage.blocks for stage in arm.variant.stages] == [("w_msa",), ("w_msa+mdta:gate",)]


def test_the_base_varies_with_nothing_else():
    plan = plan_of(
        factors={"base": [["w_msa"], ["w_msa", "sw_msa"]]}, match=MatchSettings(by=("none",))
    )
    words = [e.variant.stages[0].blocks for e in plan.entries if e.arm == "+mdta"]
    assert words == [("w_msa+mdta",), ("w_msa+mdta", "sw_msa+mdta")]


def test_other_data_is_another_candidate():
    plan = plan_of(factors={"data.split_seed": [0, 1]})
    bases = [entry for entry in plan.entries if entry.arm == "base"]
    assert bases[0].variant == bases[1].variant
    assert bases[0].candidates != bases[1].candidates
    seeds = [plan.final(entry, 0, 0).data["split_seed"] for entry in bases]
    assert seeds == [0, 1]


def test_arms_share_seeds_and_seeds_are_fresh_after_the_choice():
    plan = plan_of(learning_rates=(0.001, 0.003), choose_rate="once", selection_seeds=2, seeds=3)
    trained = [[s.seed for s in finals(plan, entry, 0)] for entry in plan.entries]
    assert trained[0] == trained[1] == trained[2]
    chosen = {s.seed for entry in plan.entries for s in plan.selections(entry, 0)}
    assert len(chosen) == 2
    assert not chosen & set(trained[0])
    assert plan.trainings() == (3 * 2 * 2, 3 * 3)


def test_each_final_seed_has_a_choice_of_its_own_that_arms_share():
    plan = plan_of(learning_rates=(0.001, 0.003), selection_seeds=2, seeds=3)
    assert plan.trainings() == (3 * 2 * 2 * 3, 3 * 3)
    places = [(rate, seed) for rate in range(2) for seed in range(3)]
    by_entry = [
        [[s.seed for s in plan.selection(entry, *place)] for place in places]
        for entry in plan.entries
    ]
    assert by_entry[0] == by_entry[1] == by_entry[2]  # paired over arms
    apart = [seed for seeds in by_entry[0] for seed in seeds]
    assert len(set(apart)) == 2 * 3 * 2  # each seed and rate their own
    assert not set(apart) & {s.seed for s in finals(plan, plan.entries[0], 0)}


def test_seeds_are_added_without_changing_earlier_ones():
    few, many = (plan_of(learning_rates=(0.001, 0.003), seeds=seeds) for seeds in (3, 5))
    for entry in few.entries:
        for rate in range(2):
            assert many.selections(entry, rate)[:3] == few.selections(entry, rate)
            assert finals(many, entry, rate)[:3] == finals(few, entry, rate)


def test_a_single_rate_needs_no_choice():
    plan = plan_of(learning_rates=(0.003,), seeds=3)
    assert plan.trainings() == (0, 9)
    assert [plan.choose(plan.entries[0], {}, seed) for seed in range(3)] == [0, 0, 0]


def test_each_seed_takes_the_rate_that_its_own_trainings_prefer():
    plan = plan_of(learning_rates=(0.001, 0.003), seeds=3)
    entry = plan.entries[1]
    better = (0, 1, 0)
    results = {
        spec.key: result(spec.key, 0.8 if rate == better[seed] else 0.7)
        for seed in range(3)
        for rate in range(2)
        for spec in plan.selection(entry, rate, seed)
    }
    assert tuple(plan.choose(entry, results, seed) for seed in range(3)) == better
    del results[plan.selection(entry, 0, 2)[0].key]
    assert [plan.choose(entry, results, seed) for seed in range(3)] == [0, 1, None]


def test_keys_tell_candidates_apart_and_name_each_run_once():
    specs = runs_of(
        plan_of(learning_rates=(0.001, 0.003), match=MatchSettings(by=("macs", "none")))
    )
    by_key = {
        spec.key: (spec.candidate_id, spec.seed, spec.recipe["learning_rate"]) for spec in specs
    }
    assert all(by_key[s.key] == (s.candidate_id, s.seed, s.recipe["learning_rate"]) for s in specs)
    assert {s.stage for s in specs} == {"search", "final"}


def result(key, score, state="complete"):
    return RunResult(key, 1, state, score)


def test_validation_chooses_the_learning_rate():
    plan = plan_of(learning_rates=(0.001, 0.003, 0.01))
    entry = plan.entries[1]
    keys = [plan.selection(entry, rate)[0].key for rate in range(3)]
    scores = {key: result(key, score) for key, score in zip(keys, (0.5, 0.7, 0.7), strict=True)}
    assert plan.choose(entry, scores) == 1  # of equals the first
    assert plan.choose(entry, {k: scores[k] for k in keys[:2]}) is None
    diverged = scores | {keys[1]: result(keys[1], None, "diverged")}
    assert plan.choose(entry, diverged) == 2
    nothing = {key: result(key, None, "diverged") for key in keys}
    assert plan.choose(entry, nothing) == 0


@pytest.mark.parametrize(
    ("choose_rate", "least", "most"), [("per_seed", 0.0, 0.08), ("once", 0.2, 1.0)]
)
def test_the_choice_of_learning_rates_calls_equal_arms_different(choose_rate, least, most):
    """Two exchangeable arms, rates 2.6 points apart, choices that are often wrong; level .05."""
    plan = plan_of(learning_rates=(0.001, 0.003), choose_rate=choose_rate, seeds=10)
    rng, gap, count, arms = np.random.default_rng(1), 0.026, 125, plan.entries[:2]
    keys = [{s.key: r for r in range(2) for s in plan.selections(e, r)} for e in arms]
    false_alarms = 0
    for _ in range(count):
        scores = np.empty((2, 10))
        for arm, entry in enumerate(arms):
            drawn = {
                k: result(k, gap * rate + rng.normal(0, 0.03)) for k, rate in keys[arm].items()
            }
            chosen = [plan.choose(entry, drawn, seed) for seed in range(10)]
            scores[arm] = gap * np.array(chosen) + rng.normal(0, 0.01, 10)
        false_alarms += paired_difference(*scores).p_value < 0.05
    assert least <= false_alarms / count <= most


def test_by_control_each_arm_has_a_counterpart_of_its_own_cost():
    plan = plan_of(match=MatchSettings(by=("control",)))
    named = {entry.arm: entry for entry in plan.entries}
    counterpart = named["+pointwise as costly as +mdta"]
    assert counterpart.against == "base"
    assert named["+mdta"].against == counterpart.arm
    assert named["+mdta"].controls["size"] == counterpart.arm
    assert abs(named["+mdta"].residuals["macs"]) <= 0.02
    assert named["+mdta"].variant.stages[0].width == 48


def test_arms_of_one_cost_share_a_counterpart():
    arms = (ArmSettings(), ArmSettings(add="conv"), ArmSettings(blocks=("sw_msa+conv",)))
    plan = plan_of(arms=arms, match=MatchSettings(by=("control",)))
    against = {entry.arm: entry.against for entry in plan.entries}
    assert against == {
        "base": None,
        "+pointwise as costly as +conv": "base",
        "+conv": "+pointwise as costly as +conv",
        "sw_msa+conv": "+pointwise as costly as +conv",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": {**VARIANT, "mlp_ratio": {"choose": [2, 4]}}}, "mlp_ratio is a choice"),
        ({"arms": (ArmSettings(), ArmSettings(blocks=("w_msa",)))}, "the same network"),
        ({"arms": (ArmSettings(), ArmSettings(add="mdat"))}, "did you mean 'mdta'"),
        ({"arms": (ArmSettings(), ArmSettings(add="conv", set={"windw": 2}))}, "windw"),
        ({"factors": {"widnow_size": [2, 4]}}, "widnow_size"),
        ({"factors": {"stages": [[5]]}}, "numbers from 0 to 1"),
        (
            {"factors": {"window_size": [4, [2, 4], [4, 4]]}},
            r"window_size=4 and window_size=\[4 4\] are the same networks, recipes and data in eve",
        ),
        (
            {"factors": {"window_size": [4, [4, 8, 4]]}},
            r"window_size must be a whole number .*or two for height and width.*got .4, 8, 4",
        ),
        ({"learning_rates": (1e-7, 1e-3)}, "learning_rates: min_learning_rate"),
        (
            {"factors": {"recipe.learning_rate": [0.1, 0.01]}, "learning_rates": (0.001, 0.003)},
            "arm 'base' at learning_rate=0.1: recipe.learning_rate is set to 0.1, but",
        ),
        (
            {
                "arms": (ArmSettings(), ArmSettings(add="mdta", set={"stages.0.depth": 4})),
                "match": MatchSettings(by=("control",)),
            },
            "other stages or depths than the baseline",
        ),
        (
            {
                "arms": (
                    ArmSettings(blocks=("w_msa+conv:gate",)),
                    ArmSettings(blocks=("w_msa+conv+mdta:gate",)),
                ),
                "match": MatchSettings(by=("control",)),
            },
            "'w_msa\\+conv:gate' of the baseline has a fusion already",
        ),
        (
            {"match": MatchSettings(by=("macs",), tolerance=0.0, fields=("width",))},
            r"arm '\+mdta', matched by macs: .* allow a larger tolerance",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        plan_of(**changes)

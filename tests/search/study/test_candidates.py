import copy
import dataclasses
import hashlib

import pytest
import torch
import yaml

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import write_json_atomically
from search.records.identity import candidate_id
from search.records.runs import RunSpec
from search.settings.config_files import find_config
from search.settings.experiment import ObjectiveSettings
from search.settings.study import BaselineSettings, BudgetSettings, StudySettings
from search.space.space import Space
from search.study.candidates import Candidates, check_objective
from search.study.sampling.draws import Draw

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": {"choose": [2, 1]},
    "window_size": {"choose": [2, 8]},
    "mlp_ratio": 2,
    "stages": [
        {
            "width": {"choose": [16, 20, 32]},
            "depth": 2,
            "num_heads": {"choose": [4, 8]},
            "blocks": {"choose": [["w_msa", "sw_msa"], ["w_msa+mdta"], ["sw_msa+mdta"]]},
        }
    ],
}
RECIPE = {"epochs": 3, "learning_rate": {"choose": [0.001, 0.01]}}


def candidates(variant=VARIANT, recipe=RECIPE, **settings):
    made = StudySettings(variant=variant, recipe=recipe, **settings)
    return Candidates(made, Space(made.variant, made.recipe))


def params(**changes):
    default = Space(VARIANT, RECIPE).default()
    return default | {name.replace("__", "."): value for name, value in changes.items()}


def test_a_candidate_is_known_by_its_network_and_its_recipe():
    space = Space(VARIANT, RECIPE)
    variant, recipe = space.resolve(space.default())
    first = candidate_id(variant, recipe)
    assert len(first) == 10 and set(first) <= set("0123456789abcdef")
    assert candidate_id(Variant.from_dict(variant.to_dict()), recipe) == first
    assert candidate_id(variant, dataclasses.replace(recipe, epochs=4)) != first
    assert candidate_id(dataclasses.replace(variant, mlp_ratio=3), recipe) != first


@pytest.mark.parametrize(("norm", "equal"), [("pre", True), ("branch", True), ("post", False)])
def test_a_start_of_norms_that_a_network_does_not_have_makes_no_other_candidate(norm, equal):
    stage = {"width": 16, "depth": 2, "num_heads": 4, "blocks": ["w_msa+mdta"], "norm": norm}
    variant = Variant.from_dict({"image_size": 8, "num_classes": 2, "stages": [stage]})
    ids, states = [], []
    for zero in (True, False):
        recipe = Recipe(zero_init_residual=zero)
        ids.append(candidate_id(variant, recipe, "data"))
        torch.manual_seed(0)
        states.append(HybridSwin(variant, zero_init_residual=zero).state_dict())
    weights = zip(states[0].values(), states[1].values(), strict=True)
    assert all(torch.equal(*pair) for pair in weights) is equal
    assert (ids[0] == ids[1]) is equal
    text = f"{variant.id}/{Recipe().id}/data"  # as it was before
    assert ids[0] == hashlib.sha256(text.encode()).hexdigest()[:10]


# Trials


@pytest.mark.parametrize("budget", [BudgetSettings(), BudgetSettings(macs="105K", mode="match")])
def test_a_light_trial_is_made_whole_as_it_was(budget):
    variant = copy.deepcopy(VARIANT)
    variant["stages"][0]["width"] = 16
    made = candidates(variant, budget=budget)
    drawn = Space(variant, RECIPE).default() | {"stages.0.blocks": "w_msa+mdta"}
    assert made.judge(drawn) is None
    spec = made.trial(Draw(7, 9, drawn), {5: 0.25})
    light = made.light(spec)
    assert light.variant is light.recipe is None
    assert made.whole(light) == spec
    assert made.whole(spec) is spec


def test_a_good_draw_becomes_a_run():
    made = candidates(name="mine", seed=3)
    drawn = params(stages__0__width=32, stages__0__blocks="w_msa+mdta")
    assert made.judge(drawn) is None
    spec = made.trial(Draw(7, 9, drawn), {5: 0.25})
    variant, recipe = Variant.from_dict(spec.variant), Recipe.from_dict(spec.recipe)
    assert (spec.study, spec.key, spec.kind, spec.stage) == (
        "mine",
        "trials/0007",
        "trial",
        "search",
    )
    assert (spec.label, spec.params, spec.cutoffs) == ("w_msa+mdta", drawn, {"5": 0.25})
    assert (variant.stages[0].width, recipe.epochs) == (32, 3)
    assert spec.variant_id == variant.id
    assert spec.candidate_id == candidate_id(variant, recipe)
    assert spec.cost == count_cost(variant).to_dict()
    assert RunSpec.from_dict(spec.to_dict()) == spec


def test_all_trials_of_a_study_share_a_seed_and_studies_do_not():
    seeds = {}
    for seed in (0, 1):
        made = candidates(seed=seed)
        drawn = [params(stages__0__width=w) for w in (16, 32)]
        seeds[seed] = {made.trial(Draw(i, i, p), {}).seed for i, p in enumerate(drawn)}
        assert len(seeds[seed]) == 1
    assert seeds[0] != seeds[1]


def test_what_was_drawn_before_is_refused_however_it_is_spelt():
    made = candidates()
    made.trial(Draw(0, 0, params(stages__0__blocks="w_msa+mdta", window_size=8)), {})
    shifted = params(stages__0__blocks="sw_msa+mdta", window_size=8)
    refusal = made.judge(shifted)
    assert refusal.reason == "the same candidate as trials/0000"
    assert refusal.excess is None
    assert made.judge(shifted | {"recipe.learning_rate": 0.01}) is None


def test_a_baseline_is_not_drawn_again():
    made = candidates(baselines=(BaselineSettings(("w_msa+mdta",), set={"window_size": 8}),))
    shifted = params(stages__0__blocks="sw_msa+mdta", window_size=8)
    assert made.judge(shifted).reason == "the same candidate as baselines/00"


def test_values_that_make_no_network_are_refused():
    refusal = candidates().judge(params(stages__0__width=20, stages__0__num_heads=8))
    assert "width 20 is not divisible by num_heads 8" in refusal.reason
    assert refusal.excess == {"possible": 1.0}


def test_a_block_too_large_for_its_width_is_refused_too():
    few = "conv+inception_dw:split(ratio=7-1)"  # one head of two channels
    variant = copy.deepcopy(VARIANT)
    variant["stages"][0]["blocks"] = {"choose": [["w_msa"], [few]]}
    drawn = params(stages__0__width=16, stages__0__num_heads=8) | {"stages.0.blocks": few}
    refusal = candidates(variant).judge(drawn)
    assert "gives inception_dw 2 channels" in refusal.reason
    assert refusal.excess == {"possible": 1.0}


def test_what_costs_too_much_is_refused_with_the_excess():
    small = candidates().trial(Draw(0, 0, params()), {}).cost
    made = candidates(budget=BudgetSettings(parameters=small["parameters"], macs=small["macs"]))
    assert made.judge(params()) is None
    refusal = made.judge(params(stages__0__width=32))
    assert "parameters of at most" in refusal.reason and "macs of at most" in refusal.reason
    assert refusal.excess.keys() == {"parameters", "macs"}
    assert all(value > 0 for value in refusal.excess.values())
    finer = made.judge(params(patch_size=1))
    assert finer.excess["macs"] > 0 > finer.excess["parameters"]


def test_images_are_of_one_size_in_a_study():
    variant = VARIANT | {"image_size": {"choose": [8, 4]}}
    refusal = candidates(variant).judge(params() | {"image_size": 4})
    assert refusal.reason == "another image size than the study's data"


# Baselines


def test_a_baseline_is_the_first_of_every_choice_but_for_what_is_set():
    made = candidates(
        baselines=(
            BaselineSettings(("conv",), "plain"),
            BaselineSettings((), "", {"stages.0.width": 32, "recipe.epochs": 9}),
        )
    )
    first, second = made.baselines
    assert (first.key, first.kind, first.stage) == ("baselines/00", "baseline", "search")
    assert first.is_baseline and first.label == "plain"
    assert first.variant["stages"] == [
        {"width": 16, "depth": 2, "num_heads": 4, "blocks": ["conv"]}
    ]
    assert second.label == "w_msa sw_msa"
    assert second.variant["stages"][0]["width"] == 32
    assert (second.recipe["epochs"], second.recipe["learning_rate"]) == (9, 0.001)
    assert first.seed == made.trial(Draw(0, 0, params()), {}).seed


def test_a_baselines_blocks_stand_in_every_stage():
    stage = {"width": 16, "depth": 1, "num_heads": 4, "blocks": {"choose": [["w_msa"], ["mdta"]]}}
    for stages in ([stage, stage], {"choose": [[stage | {"blocks": ["w_msa"]}] * 2]}):
        made = candidates(VARIANT | {"stages": stages}, baselines=(BaselineSettings(("conv",)),))
        blocks = [s["blocks"] for s in made.baselines[0].variant["stages"]]
        assert blocks == [["conv"], ["conv"]]


@pytest.mark.parametrize(
    ("baselines", "message"),
    [
        ([BaselineSettings(("conv",)), BaselineSettings(("cnv",))], r"^baselines\.1: .*'cnv'; did"),
        ([BaselineSettings((), "", {"widht": 3})], r"^baselines\.0: unknown .* 'widht'"),
        ([BaselineSettings((), "", {"stages.0.width": 15})], r"baselines\.0: .*not divisible"),
        ([BaselineSettings((), "", {"stages.0.width": {"choose": [1]}})], "is a choice; give one"),
        ([BaselineSettings(("pointwise(ratio=99)",))], r"^baselines\.0: .*ratio=99 is not"),
        (
            [BaselineSettings(("conv",), "a"), BaselineSettings(("conv(kernel=3)",), "b")],
            r"baselines\.1 \(b\) is the same network and recipe as baselines/00 \(a\); leave one",
        ),
        (
            [BaselineSettings((), "large", {"stages.0.width": 128})],
            r"baselines\.0 \(large\) exceeds the budget with .*parameters of at most 100,000",
        ),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(baselines, message):
    with pytest.raises(InputError, match=message):
        candidates(baselines=tuple(baselines), budget=BudgetSettings(parameters="100K"))


def test_the_default_study_has_controls_within_its_budget():
    content = yaml.safe_load(find_config("digits").read_text())
    baselines = tuple(
        BaselineSettings(tuple(b["blocks"]), b.get("label", "")) for b in content["baselines"]
    )
    made = candidates(
        content["variant"],
        content["recipe"],
        baselines=baselines,
        budget=BudgetSettings(**content["budget"]),
    )
    words = [b.variant["stages"][0]["blocks"] for b in made.baselines]
    assert ["w_msa", "sw_msa"] in words
    assert ["w_msa+mdta(depthwise=false)"] in words
    assert ["w_msa+mdta(attention=false)"] in words


# What comes after


def test_a_finalist_is_the_same_candidate_over_fresh_seeds():
    made = candidates(seed=2)
    origin = made.trial(Draw(3, 3, params()), {5: 0.5})
    finalists = [made.finalist(origin, index) for index in range(3)]
    for index, spec in enumerate(finalists):
        assert spec.key == f"finalists/{origin.candidate_id}/{index}"
        assert (spec.kind, spec.stage, spec.origin) == ("finalist", "final", "trials/0003")
        assert (spec.variant, spec.recipe) == (origin.variant, origin.recipe)
        assert (spec.seed_index, spec.cutoffs) == (index, {})
    assert len({origin.seed, *(spec.seed for spec in finalists)}) == 4
    # Every candidate is trained over the same seeds, so that their differences can be paired.
    other = made.trial(Draw(4, 4, params(stages__0__width=32)), {})
    assert [made.finalist(other, i).seed for i in range(3)] == [s.seed for s in finalists]


def test_the_reference_is_no_network():
    spec = candidates(name="mine").reference()
    assert (spec.kind, spec.variant, spec.recipe) == ("reference", None, None)
    assert spec.key == "references/logistic_regression"


@pytest.mark.parametrize(
    ("monitor", "mode", "classes", "message"),
    [
        ("val/acuracy", "max", 10, "unknown metric 'val/acuracy'; did you mean 'val/accuracy'"),
        ("test/accuracy", "max", 10, "unknown metric 'test/accuracy'"),
        ("val/top5", "max", 9, "unknown metric 'val/top5'"),
        ("val/loss", "max", 10, "'max' would search for the worst val/loss; give min"),
        ("val/f1", "min", 10, "'min' would search for the worst val/f1; give max"),
        ("val/calibration_error", "max", 10, "give min"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(monitor, mode, classes, message):
    with pytest.raises(InputError, match=message):
        check_objective(StudySettings(objective=ObjectiveSettings(monitor, mode)), classes)


@pytest.mark.parametrize(
    ("monitor", "mode"), [("val/accuracy", "max"), ("val/loss", "min"), ("val/top5", "max")]
)
def test_an_objective_that_is_logged_is_taken(monitor, mode):
    check_objective(StudySettings(objective=ObjectiveSettings(monitor, mode)), 10)


def test_a_users_own_branch_can_be_searched(write_plugin):
    registry.add_plugin(write_plugin("average"))
    made = candidates(baselines=(BaselineSettings(("w_msa+average",)),))
    assert made.baselines[0].label == "w_msa+average"


# What was begun before


def test_a_trial_that_was_begun_is_read_and_not_made(tmp_path, monkeypatch):
    made = candidates(folder=str(tmp_path))
    draw = Draw(0, 0, params())
    spec = made.trial(draw, {2: 0.5}, (64,))
    path = StudySettings(folder=str(tmp_path)).path / spec.key / "run.json"
    write_json_atomically(path, spec.to_dict())
    again = candidates(folder=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Space, "resolve", None)
        assert again.trial(draw, {2: 0.5}, (64,)) == spec
    assert again.begun == {spec.key}
    assert again.judge(params()).reason == f"the same candidate as {spec.key}"
    for other in (Draw(0, 0, params(stages__0__width=20)), draw):
        fresh = candidates(folder=str(tmp_path))
        cutoffs = {2: 0.5} if other is not draw else {}
        assert fresh.trial(other, cutoffs, (64,)).cutoffs == {str(k): v for k, v in cutoffs.items()}
        assert not fresh.begun


def test_rungs_lie_below_the_longest_training():
    longest = {"epochs": {"choose": [4, 40]}, "learning_rate": 0.001}
    assert candidates(recipe=longest).epochs == 40
    assert candidates(recipe={"epochs": {"from": 3, "to": 9, "step": 2}}).epochs == 9
    tied = {"epochs": {"times": ["stages.0.width", 2]}}
    assert candidates(recipe=tied).epochs == 64
    assert candidates(recipe={"learning_rate": 0.001}).epochs == Recipe().epochs

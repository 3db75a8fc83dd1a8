import dataclasses
from pathlib import Path

import pytest

from search.comparison.design.plan import make_plan
from search.comparison.results.reach_truth import UNKNOWN, truth_of
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ObjectiveSettings
from search.settings.reading import read_config_as

REACH = Path(__file__).parents[4] / "configs" / "compare" / "reach.yaml"


def reach_plan(**options):
    settings = read_config_as(str(REACH), ComparisonSettings)
    data = settings.data.to_dict()
    changed = {**data["options"], **options}
    data = dataclasses.replace(settings.data, options=changed)
    return make_plan(dataclasses.replace(settings, data=data))


def by_reach(truth):
    """The ceilings of each arm, from reach 2 to 6."""
    cells = [f"reach={reach}" for reach in range(2, 7)]
    arms = {arm for _, arm in truth.ceilings}
    return {arm: [truth.ceilings[cell, arm] for cell in cells] for arm in arms}


@pytest.fixture(scope="module")
def truth():
    return by_reach(truth_of(reach_plan()))


def test_what_an_arm_can_see_at_each_reach(truth):
    """Two blocks, windows of 4, no margin: the table of analysis by hand-counted placements."""
    assert truth["none"] == [0.5] * 5
    assert truth["w_msa"] == pytest.approx([0.98, 0.875, 0.5, 0.5, 0.5], abs=0.001)
    assert truth["conv"] == [1, 1, 1, 0.5, 0.5]
    for arm in ("w_msa, sw_msa", "global", "w_msa+mdta"):
        assert truth[arm] == [1] * 5


def test_nothing_passes_what_flipped_bits_leave():
    flipped = truth_of(reach_plan(flip=0.2))
    assert list(flipped.best.values()) == pytest.approx([0.8766] * 5, abs=1e-4)
    assert by_reach(flipped)["global"] == list(flipped.best.values())
    assert by_reach(flipped)["w_msa"][1] == pytest.approx(0.875)


def test_nothing_is_known_of_other_tasks(fake):
    plan = make_plan(fake.settings(factors={"data.split_seed": [0, 1]}))
    assert truth_of(plan) == UNKNOWN


def test_nothing_is_known_of_other_metrics():
    plan = reach_plan()
    objective = ObjectiveSettings(monitor="val/loss", mode="min")
    settings = dataclasses.replace(plan.settings, objective=objective)
    assert truth_of(dataclasses.replace(plan, settings=settings)) == UNKNOWN

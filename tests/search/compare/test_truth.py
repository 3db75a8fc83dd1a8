import dataclasses
from pathlib import Path

import pytest

from search.compare.plan import make_plan
from search.compare.settings import ComparisonSettings
from search.compare.truth import Truth, truth_of
from search.settings_file import read_config_as

REACH = Path(__file__).parents[3] / "configs" / "compare" / "reach.yaml"
FACTOR = "data.options.reach"


def reach_plan(**options):
    settings = read_config_as(str(REACH), ComparisonSettings)
    data = settings.data.to_dict()
    changed = {**data["options"], **options}
    data = dataclasses.replace(settings.data, options=changed)
    return make_plan(dataclasses.replace(settings, data=data))


@pytest.fixture(scope="module")
def truth():
    return truth_of(reach_plan(), FACTOR)


def test_what_an_arm_can_see_at_each_reach(truth):
    """Two blocks, windows of 4, no margin: the table of analysis by hand-counted placements."""
    assert truth.ceilings["none"] == [0.5] * 5
    assert truth.ceilings["w_msa"] == pytest.approx([0.98, 0.875, 0.5, 0.5, 0.5], abs=0.001)
    assert truth.ceilings["conv"] == [1, 1, 1, 0.5, 0.5]
    for arm in ("w_msa, sw_msa", "global", "w_msa+mdta"):
        assert truth.ceilings[arm] == [1] * 5


def test_nothing_passes_what_flipped_bits_leave():
    flipped = truth_of(reach_plan(flip=0.2), FACTOR)
    assert flipped.best == pytest.approx([0.8766] * 5, abs=1e-4)
    assert flipped.ceilings["global"] == flipped.best
    assert flipped.ceilings["w_msa"][1] == pytest.approx(0.875)


def test_nothing_is_known_of_other_tasks(fake):
    plan = make_plan(fake.settings(factors={"data.split_seed": [0, 1]}))
    assert truth_of(plan, "data.split_seed") == Truth()

"""Settings that make no sense together are named before any work starts."""

import dataclasses

import pytest

from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError
from search.contradictions import check_together
from search.settings import (
    BudgetSettings,
    RungSettings,
    SamplerSettings,
    StudyObjective,
    StudySettings,
)

IMAGES = RungSettings(over="images", first=100)
CASES = {
    "data.class_path": {"rungs": IMAGES, "data": DataSettings(None, class_path="my.Data")},
    "data.epoch_images 50 fixes": {"rungs": IMAGES, "data": DataSettings(epoch_images=50)},
    "there are no trials": {"sampler": SamplerSettings(random_search=True), "trials": 0},
    "sampler.name random is chance": {"sampler": SamplerSettings("random", random_search=True)},
    "match gives all of them 100M; take another": {
        "budget": BudgetSettings(macs="100M", mode="match"),
        "objective": StudyObjective(against=("parameters", "macs")),
    },
    "rungs.first 20 is not before the end of a training of 20": {"rungs": RungSettings(first=20)},
}


@pytest.mark.parametrize("words", CASES)
def test_a_contradiction_is_one_message(words):
    with pytest.raises(InputError, match=words):
        check_together(StudySettings(**CASES[words]), 20)


def test_what_goes_together_passes():
    for given in (
        {},
        {"rungs": IMAGES},
        {"rungs": RungSettings(first=0)},
        {"rungs": RungSettings(first=50), "trials": 0},
        {"sampler": SamplerSettings(random_search=True)},
        {
            "budget": BudgetSettings(macs="100M", mode="match"),
            "objective": StudyObjective(against=("parameters",)),
        },
    ):
        check_together(dataclasses.replace(StudySettings(), **given), 20)

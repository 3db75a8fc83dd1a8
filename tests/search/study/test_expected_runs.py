"""How many runs a study comes to, before it begins."""

import pytest

from search.settings.study import (
    BaselineSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudySettings,
)
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.expected_runs import can_stop, expected_runs

VARIANT = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2}
STAGE = {"width": 8, "depth": {"choose": [1, 2]}, "num_heads": 2}
WORDS = {"choose": [["w_msa"], ["conv+mdta"], ["xca"], ["w_msa+conv"]]}  # eight networks
BASELINES = (BaselineSettings(("conv",)), BaselineSettings(("mdta",)))
NO_RUNGS = RungSettings(first=0)
CHANCE = SamplerSettings(random_search=True)


def counted(train_images=0, **settings):
    variant = VARIANT | {"stages": [STAGE | {"blocks": WORDS}]}
    recipe = {"epochs": 8}
    study = StudySettings(variant=variant, recipe=recipe, baselines=BASELINES, **settings)
    return expected_runs(study, Candidates(study, Space(variant, recipe)), train_images)


@pytest.mark.parametrize(
    ("trials", "top", "seeds", "expected"),
    [
        (5, 2, 3, 2 + 5 + 1 + 4 * 3 + 4),
        (1, 9, 1, 2 + 1 + 1 + 3 + 4),
        (0, 3, 2, 2 + 0 + 1 + 4 + 4),
        (12, 2, 2, 2 + 8 + 1 + 8 + 4),  # the space holds eight
    ],
)
def test_runs_are_counted(trials, top, seeds, expected):
    finalists = FinalistSettings(top, seeds, random=4)
    counts = counted(trials=trials, finalists=finalists, rungs=NO_RUNGS)
    assert (counts.total, counts.words) == (expected, str(expected))


def test_a_random_search_and_its_finalists_count():
    plain = counted(trials=6, rungs=NO_RUNGS)
    counts = counted(trials=6, rungs=NO_RUNGS, sampler=CHANCE)
    assert (counts.random_search, counts.top) == (6, 2 * plain.top)
    assert counts.words == f"about {counts.total}"


def test_rungs_make_a_random_search_of_equal_cost_smaller():
    """Of four trials: 1 epoch each, 1 more of half, 2 more of a quarter, 4 more of an eighth."""
    rungs = RungSettings(first=1, factor=2, audit=0)
    assert counted(trials=4, rungs=rungs, sampler=CHANCE).random_search == 2  # 10 of 8 epochs
    rungs = RungSettings(first=1, factor=2, audit=3)
    assert counted(trials=4, rungs=rungs, sampler=CHANCE).random_search == 2 + 3


def test_rungs_over_images_are_trainings_of_their_own():
    """Of four trials: 100 images each, 200 of half, 400 of a quarter, all 800 of an eighth."""
    rungs = RungSettings(first=100, factor=2, audit=0, over="images")
    assert counted(800, trials=4, rungs=rungs, sampler=CHANCE).random_search == 2


@pytest.mark.parametrize(
    ("rungs", "trials", "stops"),
    [
        (RungSettings(first=1), 4, True),
        (RungSettings(first=8), 4, False),  # the end of a training of 8 epochs
        (RungSettings(first=8, over="images"), 4, True),
        (RungSettings(first=1), 0, False),
        (NO_RUNGS, 4, False),
    ],
)
def test_only_stopped_trials_are_audited(rungs, trials, stops):
    assert can_stop(StudySettings(rungs=rungs, trials=trials), epochs=8) == stops
    assert (counted(800, rungs=rungs, trials=trials).audits > 0) == stops

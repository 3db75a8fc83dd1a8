"""Settings that make no sense together are named before any work starts."""

import dataclasses

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from search.settings.contradictions import check_together, without_effect
from search.settings.study import (
    BaselineSettings,
    BudgetSettings,
    RungSettings,
    SamplerSettings,
    StudyObjective,
    StudySettings,
)
from search.space.space import Space
from search.study.sampling.samplers import choose_sampler

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
}


@pytest.mark.parametrize("words", CASES)
def test_a_contradiction_is_one_message(words):
    with pytest.raises(InputError, match=words):
        check_together(StudySettings(**CASES[words]))


def test_what_goes_together_passes():
    for given in (
        {},
        {"rungs": IMAGES},
        {"rungs": RungSettings(first=0)},
        {"rungs": RungSettings(first=50)},
        {"sampler": SamplerSettings(random_search=True)},
        {
            "budget": BudgetSettings(macs="100M", mode="match"),
            "objective": StudyObjective(against=("parameters",)),
        },
    ):
        check_together(dataclasses.replace(StudySettings(), **given))


@pytest.mark.parametrize(
    ("words", "sampler", "given"),
    [
        ("rungs.first 20 is not before the end of a training of 20", "tpe", {"first": 20}),
        ("sampler.startup_trials 16 draws all of 16 trials", "gp", {"startup_trials": 16}),
        ("sampler.population 20 draws all of 16 trials", "nsga2", {"population": 20}),
        ("budget.tolerance 0.1 is for budget.mode match", "tpe", {"tolerance": 0.1}),
    ],
)
def test_what_changes_nothing_is_said(words, sampler, given):
    settings = StudySettings()
    for part in ("rungs", "sampler", "budget"):
        known = {k: v for k, v in given.items() if hasattr(getattr(settings, part), k)}
        known |= {"name": sampler} if part == "sampler" else {}
        changed = dataclasses.replace(getattr(settings, part), **known)
        settings = dataclasses.replace(settings, **{part: changed})
    (said,) = without_effect(settings, 20, sampler)
    assert words in said
    assert not list(without_effect(dataclasses.replace(settings, trials=0), 20, sampler))


def test_a_start_that_is_drawn_at_random_is_said_once():
    """Where the sampler is chosen by itself, its reason says so."""
    settings = StudySettings(trials=4)
    network = {
        "image_size": 8,
        "in_channels": 1,
        "mlp_ratio": {"from": 2, "to": 4},
        "stages": [{"width": 8, "depth": 1, "num_heads": 1, "blocks": ["conv"]}],
    }
    _, why = choose_sampler(settings, Space(network, {}))
    assert (
        why == "it learns after the first 6 trials only, and these are 4 (sampler.startup_trials)"
    )
    assert not [note for note in without_effect(settings, 20, "tpe") if "startup" in note]


def test_nothing_is_said_of_settings_at_work():
    assert not list(without_effect(StudySettings(), 20, "tpe"))
    assert not list(without_effect(StudySettings(), 20, "random"))


def test_two_baselines_may_not_have_one_label():
    twice = (BaselineSettings(("conv",), "mine"), BaselineSettings(("w_msa",), "mine"))
    with pytest.raises(InputError, match="two baselines have the label 'mine', so their rows"):
        check_together(StudySettings(baselines=twice))
    check_together(StudySettings(baselines=(BaselineSettings(("conv",)), BaselineSettings())))

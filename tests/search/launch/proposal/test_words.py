"""What a proposal says is what its settings say."""

import pytest

from search.launch.hours.pace import Pace
from search.launch.proposal.choice import Choice
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import network_sizes
from search.launch.proposal.presets import PRESETS
from search.launch.proposal.words import Measured, plan_text, reasons
from search.settings.comparison import ArmSettings, ComparisonSettings, MatchSettings
from search.settings.study import (
    BaselineSettings,
    BudgetSettings,
    FinalistSettings,
    SamplerSettings,
    StudySettings,
)

COUNTS = ImageCounts(5, 650, 150, 200, 200, (), 0, 200, 200)
SIZES = ImageSizes("folder", {}, (64, 64), False, 3)
VARIANT = {
    "image_size": 32,
    "patch_size": {"choose": [2, 4]},
    "window_size": 4,
    "stages": [{"width": {"choose": [24, 32]}}],
}
RECIPE = {"epochs": 20, "batch_size": 32, "learning_rate": {"choose": [0.002, 0.001, 0.004]}}


def said(settings, given=None):
    networks = network_sizes(SIZES, 5, 64, 48)
    measured = Measured(SIZES, COUNTS, networks, Pace(0.05, 1e-4, 3e-10, 1.0, 8.0, 1))
    choice = Choice(networks[0], 400, 8, 3, given or {})
    return dict(reasons(settings, measured, choice, PRESETS["quick"], 540, 0.2))


def test_lines_are_of_the_settings():
    settings = StudySettings(
        variant=VARIANT, recipe=RECIPE, budget=BudgetSettings(macs="4M"), trials=8
    )
    text = said(settings)
    assert text["network"] == (
        "32 x 32 pixels, patch 2 or 4, window 4, first width 24 or 32; at most 4.0M MACs: the "
        "largest for which there is time"
    )
    assert text["training"] == (
        "20 epochs of all 650 images, 32 a step: 420 steps; learning rate 0.002, 0.001 or 0.004"
    )
    assert text["plan"].endswith("; about 9 min of 12 min on 1 worker, fewer if these are slower")
    assert "time" not in said(settings, {"variant": VARIANT})["network"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            StudySettings(trials=8, finalists=FinalistSettings(2, 3)),
            "8 trials trained once, then the best 2 trials retrained over 3 seeds each",
        ),
        (
            StudySettings(
                trials=1,
                baselines=(BaselineSettings(("conv",)),),
                finalists=FinalistSettings(1, (3, 5)),
                sampler=SamplerSettings(random_search=True),
            ),
            "1 trial and 1 baseline trained once, then the baseline and the best trial and as "
            "many of the random search retrained over 5 seeds each",
        ),
        (
            ComparisonSettings(arms=(ArmSettings(), ArmSettings(add="edges")), seeds=4),
            "2 arms (base, +edges) over 4 paired seeds",
        ),
        (
            ComparisonSettings(match=MatchSettings(), factors={"window_size": [4, 8]}),
            "plain Swin, +conv, +mdta and their controls over 5 paired seeds, for each window_size "
            "(2 levels)",
        ),
    ],
)
def test_the_plan_names_what_is_trained(settings, text):
    assert plan_text(settings) == text

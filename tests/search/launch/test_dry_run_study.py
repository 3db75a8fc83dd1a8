"""What a rehearsal says of a study; no pilot is trained here."""

import io
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from hybrid_swin.system.console import Console
from search.launch import dry_run_study as dry_run
from search.launch.hours import pilots as hours
from search.launch.hours.pace import Pace
from search.settings.study import (
    BaselineSettings,
    BudgetSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudySettings,
)

STAGE = {"width": 16, "depth": 2, "num_heads": 2}
VARIANT = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2, "window_size": 2}
WORDS = {"choose": ["w_msa", "mdta", "conv", "w_msa+conv"]}
RATES = {"choose": [0.003, 0.01]}
CHANCE = SamplerSettings(random_search=True)
FINALISTS = FinalistSettings(top=2, seeds=3, random=1)


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Rehearse a study; gives the pilots and what was said of it."""
    pilots = []

    def pace(self, specs, *_):
        pilots.extend(specs)
        return Pace(0.1, 1e-3, 1e-10, 1.0, 5.0, 2)

    idle = SimpleNamespace(slots=2, wait_until_ready=lambda timeout=0: True)
    monkeypatch.setattr(hours, "start_workers", lambda *_: nullcontext(idle))
    monkeypatch.setattr(hours.PilotWorkers, "pace", pace)

    def rehearse(baselines=(), recipe=None, **settings):
        stages = [{**STAGE, "blocks": [WORDS]}]
        asked = StudySettings(
            name="mine",
            folder=str(tmp_path),
            variant={**VARIANT, "mlp_ratio": 2.0, "stages": stages},
            recipe=recipe or {"epochs": 10, "learning_rate": RATES},
            baselines=baselines,
            **settings,
        )
        text = io.StringIO()
        dry_run.dry_run(asked, Console(file=text, width=1000))
        return pilots, text.getvalue()

    return rehearse


def test_pilots_are_networks_that_can_be_matched(told):
    """The first of this space, `w_msa`, has no widths that meet the cost."""
    pilots, _ = told(budget=BudgetSettings(macs="30K", mode="match", tolerance=0.05))
    words = {spec.label for spec in pilots}
    assert "mdta" in words and "w_msa" not in words


def test_the_pilot_of_nothing_but_a_baseline_is_that(told):
    """No trial keeps the budget, and none is asked for."""
    baseline = BaselineSettings(label="small", set={"stages.0.depth": 1})
    pilots, _ = told(trials=0, budget=BudgetSettings(macs="40K"), baselines=(baseline,))
    assert [spec.label for spec in pilots] == ["small"]


def test_pilots_of_nothing_at_all_are_of_the_first_network(told):
    pilots, _ = told(trials=0, budget=BudgetSettings(macs="40K"))
    assert len(pilots) == 1


def test_all_trainings_are_named_and_summed(told):
    """A space of 8 holds no 12 trials, and without rungs none is stopped."""
    _, text = told(trials=12, rungs=RungSettings(first=0), sampler=CHANCE, finalists=FINALISTS)
    row = (
        "8 trials trained once, then the best 2 trials and as many of the random search retrained "
        "over 3 seeds each; also 1 reference without a network, a random search of that cost "
        "(about 8 trials), 1 random candidate trained like a finalist: about 30 in all"
    )
    assert row in text
    assert "stopped trials" not in text


def test_without_trials_nothing_is_said_of_the_best(told):
    baselines = (BaselineSettings(("conv",)),)
    _, text = told(trials=0, baselines=baselines, finalists=FINALISTS)
    assert (
        "1 baseline trained once, then the baseline retrained over 3 seeds each; also 1 reference "
        "without a network, 1 random candidate trained like a finalist: 6 in all"
    ) in text
    assert "macs" not in text and "K MACs" in text
    assert "stopped trials" not in text


def test_recipes_that_are_hardly_meant_are_told(told):
    """The digits have 1,168 train images."""
    recipe = {"epochs": 2, "batch_size": {"choose": [64, 2000]}, "learning_rate": RATES}
    _, text = told(recipe=recipe)
    assert "recipe.batch_size 2000 is more than the 1168 images of an epoch" in text
    assert "recipe.warmup_epochs 2 does not end before recipe.epochs 2" in text
    _, text = told()
    assert "is more than" not in text and "does not end before" not in text


def test_a_plugin_that_no_block_uses_is_said(told, write_plugin):
    _, text = told(plugins=[str(write_plugin("pool"))])
    assert "plug-in pool.py: no block uses its word `pool`; add it to blocks" in text
    assert "`blocks: {choose: [[w_msa], [pool]]}`" in text

"""The estimate by MACs, with a step that takes as long as the test says."""

import pytest

from hybrid_swin.profiling.timing import Timing
from search.launch.hours import estimate
from search.launch.hours.wall_time import ComparisonWork
from search.settings.comparison import ArmSettings
from search.settings.experiment import WorkerSettings
from tests.search.comparison.comparison_factory import settings


def test_macs_of_all_trainings_at_the_pace_of_a_step(tmp_path, monkeypatch):
    """Two arms of equal MACs at 10 ms per trained image; one that is only read costs a third."""
    asked, batch = [], 64

    def compare_times(variants, work, setup, rounds):
        asked.append((work, setup.threads, setup.batch, len(variants)))
        return [Timing(10.0 * setup.batch, 0.0, 1.0, 0.0, rounds)]

    monkeypatch.setattr(estimate, "compare_times", compare_times)
    given = settings(
        folder=str(tmp_path),
        workers=WorkerSettings(count=2),
        recipe={"epochs": 2, "batch_size": batch, "warmup_epochs": 0},
        arms=(ArmSettings(), ArmSettings(blocks=("sw_msa",))),
        learning_rates=(),
        seeds=3,
    )
    epoch = (1168 + 270 / 3) * 0.010  # seconds; so many images of the digits
    one = 2 * epoch + 359 / 3 * 0.010 + 1.5  # seconds; the test images, and what ends a training
    expected = ComparisonWork(once=0.0, per_seed=2 * one, longest=one).seconds(3, 2)
    assert estimate.estimated_seconds(given) == pytest.approx(expected, rel=0.01)
    assert asked == [("training", 1, batch, 1)]
    assert not list(tmp_path.iterdir())

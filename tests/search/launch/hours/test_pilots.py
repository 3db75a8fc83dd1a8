"""Pilots: short, of the lowest and the highest cost, and refused if they break."""

from types import SimpleNamespace

import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from search.launch.hours import pilot_watch, pilots
from search.launch.hours.pilots import PilotWorkers, SplitSizes, short_pilots
from search.records.runs import RunResult, RunSpec

SIZES = SplitSizes(1000, 100, 100)


def spec(epochs, macs=1):
    return RunSpec(
        study="s",
        key="finalists/a/0",
        kind="finalist",
        stage="final",
        label="a",
        variant=None,
        recipe=Recipe(epochs=epochs, batch_size=64).to_dict(),
        variant_id="v",
        candidate_id="a",
        seed=0,
        cost={"macs": macs},
    )


@pytest.mark.parametrize(("epochs", "expected"), [(40, 5), (2, 2)])
def test_a_pilot_is_short_and_reads_no_test(epochs, expected):
    for pilot in short_pilots([spec(epochs)], DataSettings(), SIZES, 1.0):
        assert pilot.recipe == {**spec(epochs).recipe, "epochs": expected}
        assert pilot.stage == "search"


def test_the_lowest_cost_is_timed_on_a_batch_and_on_more_and_so_is_the_highest():
    found = short_pilots([spec(9, macs) for macs in (7, 90, 5)], DataSettings(), SIZES, 1.0)
    assert [(p.cost["macs"], p.data["epoch_images"]) for p in found] == [
        (5, 64),
        (5, 1000),
        (90, 1000),
    ]
    large = short_pilots([spec(9, 10**10)], DataSettings(), SIZES, 1.0)
    assert [p.data["epoch_images"] for p in large] == [
        64,
        128,
        128,
    ]  # 144 s would be 9 of these images


def test_a_pilot_that_breaks_is_told(fake, tmp_path, monkeypatch):
    class Broken:
        def __init__(self, *given):
            self.busy = False

        def submit(self, one):
            self.spec, self.busy = one, True

        def results(self):
            self.busy = False
            failed = RunResult(
                key=self.spec.key, attempt=1, state="failed", score=None, error="no memory"
            )
            return [(self.spec, failed)]

    monkeypatch.setattr(pilots, "Dispatcher", Broken)
    workers = PilotWorkers(
        fake.settings(folder=str(tmp_path)), SimpleNamespace(slots=1), 0.0, Console()
    )
    with pytest.raises(InputError, match="the pilot training failed: no memory"):
        workers.pace([spec(3)], DataSettings(), SIZES, {})


def test_progress_is_said_elsewhere_than_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(pilot_watch, "_PAUSE", 0.0)
    with pilot_watch.PilotWatch(Console(), 3, 15, 2) as watch:
        watch.epoch(spec(5), "worker-0", {})
        watch.finished(spec(5), None, "worker-0")
    assert capsys.readouterr().out.splitlines() == [
        "timing 3 short pilot trainings on 2 workers ...",
        "pilots: 0 of 3 done, epoch 1 of 15",
        "pilots: 1 of 3 done, epoch 1 of 15",
    ]

"""What a second worker brings: trials a minute of the same study with 1 and with 2 workers.

Commands::

    python -m benchmarks.workers            # 2 rounds of 40 trials: about 25 minutes on 2 cores
    python -m benchmarks.workers --rounds 1 --trials 20

One thread a worker. Machines are noisy, so a round is A B B A (1, 2, 2, 1 workers). The study is a
random search in the tabular benchmark's space, 6 epochs per training, the same trials in all four.
Start-up is not counted, nor the end, when a worker has nothing left to do: the clock runs from the
end of the first 4 trials to the end of the last but one, while all workers are busy.

Writes ``benchmarks/results/workers.json`` and ``.md``.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.tabular.table import SPACE
from benchmarks.writing import write_report
from search.execution.dispatcher import Dispatcher
from search.execution.view import Silent  # after threads are set
from search.execution.workers import start_workers
from search.launch.study import check, prepare
from search.records.runs import RunResult, RunSpec
from search.records.study_folder import bind_settings, locked
from search.settings.reading import read_config_as
from search.settings.study import FinalistSettings, RungSettings, SamplerSettings, StudySettings
from search.study.coordinator import Coordinator
from search.study.random_candidates import RandomCandidates
from search.study.sampling.study import OptunaStudy

RESULTS = Path(__file__).parent / "results"
ROUND = (1, 2, 2, 1)  # workers
WARM_UP = 4  # trials
AIM = 1.8


class Watch(Silent):
    """Notes when trials end, and with what score."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.scores: dict[str, float | None] = {}

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended."""
        if spec.kind == "trial":
            self.ends.append(time.perf_counter())
            self.scores[spec.key] = result.score


def settings_of(folder: Path, workers: int, trials: int, epochs: int) -> StudySettings:
    """The study; only the number of workers differs."""
    plain = read_config_as(str(SPACE), StudySettings)
    count = dataclasses.replace(plain.workers, count=workers, threads=1, accelerator="cpu")
    return dataclasses.replace(
        plain,
        name=f"workers-{workers}",
        folder=str(folder),
        recipe=plain.recipe | {"epochs": epochs},
        trials=trials,
        workers=count,
        sampler=SamplerSettings("random", lookahead=4),
        rungs=RungSettings(first=0, audit=0),
        finalists=FinalistSettings(top=0, seeds=1, random=0),
    )


def run(settings: StudySettings) -> Watch:
    """Run a study as `search.launch.study.launch_study` does."""
    watch = Watch()
    space, candidates = check(settings)
    with locked(settings.path), start_workers(settings, settings.sampler.lookahead) as executor:
        prepared = prepare(settings, space, candidates)
        bind_settings(settings, {}, prepared.hashes, {})
        study = OptunaStudy(settings, space, settings.path)
        try:
            Coordinator(
                settings,
                settings.path,
                candidates,
                RandomCandidates(settings, space, candidates),
                study,
                Dispatcher(settings.path, executor, settings.workers, prepared.job_settings, watch),
                train_images=0,
                reference={},
                view=watch,
            ).run()
        finally:
            study.close()
    return watch


def rate(ends: Sequence[float]) -> float:
    """Trials a minute while all workers were busy."""
    ends = sorted(ends)
    return 60 * (len(ends) - 1 - WARM_UP) / (ends[-2] - ends[WARM_UP - 1])


def measure(rounds: int, trials: int, epochs: int) -> dict[str, Any]:
    """Rates by round, and what 2 workers make of 1."""
    rates: list[list[float]] = []
    first: dict[str, float | None] = {}
    for _ in range(rounds):
        rates.append([])
        for workers in ROUND:
            with tempfile.TemporaryDirectory() as name:
                watch = run(settings_of(Path(name), workers, trials, epochs))
            first = first or watch.scores
            if watch.scores != first:
                raise AssertionError("the studies differ: they were to be the same trials")
            rates[-1].append(rate(watch.ends))
    gains = [(one[1] + one[2]) / (one[0] + one[3]) for one in rates]
    return {"rates": rates, "gains": gains, "gain": statistics.median(gains)}


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        "# A second worker",
        "",
        f"`{report['command']}`; {report['hardware']}; torch {report['versions']['torch']}. Trials "
        "a minute without start-up, in the order in which they were run.",
        "",
        "| round | 1 worker | 2 workers | 2 workers | 1 worker | 2 over 1 |",
        "|---|---|---|---|---|---|",
    ]
    for index, (rates, gain) in enumerate(zip(report["rates"], report["gains"], strict=True), 1):
        cells = [str(index), *(f"{one:.1f}" for one in rates), f"{gain:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"Median: {report['gain']:.2f} times as many (aim: {AIM:g})."]
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Take turns, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=RESULTS / "workers")
    options = parser.parse_args(arguments)
    rounds, trials, epochs = options.rounds, options.trials, options.epochs
    report = {
        "command": f"python -m benchmarks.workers --rounds {rounds} --trials {trials} "
        f"--epochs {epochs}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a worker",
        "versions": {"torch": version("torch")},
        "rounds": rounds,
        "trials": trials,
        "epochs": epochs,
        **measure(rounds, trials, epochs),
    }
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()

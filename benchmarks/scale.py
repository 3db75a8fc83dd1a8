"""A study of 10,000 trials: what the coordinator takes for each, its memory, and its resumption.

Commands::

    python -m benchmarks.scale            # about 10 minutes on 2 cores, 0.2 GB of small files
    python -m benchmarks.scale --trials 500

The real coordinator, dispatcher, journal storage and folder; TPE with rungs in the tabular
benchmark's space, its learning rate and MLP ratio continuous. Only the workers are missing: an
executor that keeps the contract writes ``result.json``, whose scores are a formula, at once.

*Service time* of a trial: from the moment that its result is announced to the moment that the job
which that result makes possible (the trial ``lookahead`` further) is handed to a worker: taking the
result in, telling Optuna, asking it, writing ``run.json``. One trial ends at a time, when all that
may be asked is handed out, so that nothing queues. The executor waits for what comes as a real one
does, up to its timeout, so the coordinator's own pauses are part of it; what it spends is shown
beside (clocks around its parts; asking and telling are in a thread of their own).

*Resumption*: a fresh process is asked for one trial more, and timed until that trial's job is
handed out: opening, reconciling 10,000 folders and the journal, drawing. Imports are timed apart.

Writes ``benchmarks/results/scale.json`` and ``.md``.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # threads are set before anything heavy is imported

from benchmarks.instant import BLOCK, LOOKAHEAD, Handed, Instant, resident
from benchmarks.scale_report import tables
from benchmarks.tabular.table import SPACE
from benchmarks.writing import write_report
from search.execution.dispatcher import Dispatcher
from search.execution.job import Runner
from search.execution.view import Silent, View
from search.launch.study import check
from search.leaderboard.board import Leaderboard
from search.records.study_folder import bind_settings, locked
from search.settings.reading import read_config_as
from search.settings.study import FinalistSettings, RungSettings, SamplerSettings, StudySettings
from search.study.coordinator import Coordinator
from search.study.random_candidates import RandomCandidates
from search.study.sampling.study import OptunaStudy

RESULTS = Path(__file__).parent / "results"


class Clocks:
    """Adds up seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Time every call of one object's method."""
        call = getattr(owner, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent = time.perf_counter() - begin
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        setattr(owner, method, timed)


def settings_of(folder: Path, trials: int) -> StudySettings:
    """The tabular benchmark's space, made larger."""
    plain = read_config_as(str(SPACE), StudySettings)
    return dataclasses.replace(
        plain,
        name="scale",
        folder=str(folder),
        data=dataclasses.replace(plain.data, class_path="none.Data"),  # so without a reference
        variant=plain.variant | {"mlp_ratio": {"from": 1.0, "to": 4.0}},
        recipe=plain.recipe | {"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}},
        trials=trials,
        sampler=SamplerSettings("tpe", lookahead=LOOKAHEAD),
        rungs=RungSettings(first=2, factor=3, audit=0),
        finalists=FinalistSettings(top=0, seeds=1, random=0),
    )


def run(settings: StudySettings, executor: Runner, view: View | None = None) -> dict[str, float]:
    """Run the study; seconds by part. Nobody watches it without ``view``."""
    clocks, view = Clocks(), view or Silent()
    space, candidates = check(settings)
    with locked(settings.path):
        bind_settings(settings, {}, {}, {})
        study = OptunaStudy(settings, space, settings.path)
        dispatcher = Dispatcher(settings.path, executor, settings.workers, {}, view)
        clocks.watch(space, "suggest", "proposing (TPE)")
        clocks.watch(candidates, "judge", "judging draws")
        clocks.watch(candidates, "trial", "making runs of draws")
        clocks.watch(study, "_store", "storing draws (journal)")
        clocks.watch(study, "tell", "telling (journal)")
        clocks.watch(study, "ask", "asking, in all")
        clocks.watch(dispatcher, "submit", "handing out (run.json)")
        clocks.watch(dispatcher, "_promote", "taking results in (result.json)")
        coordinator = Coordinator(
            settings,
            settings.path,
            candidates,
            RandomCandidates(settings, space, candidates),
            study,
            dispatcher,
            train_images=0,
            reference={},
            view=view,
        )
        try:
            coordinator.run()
        finally:
            study.close()
    return clocks.seconds


def resume(folder: Path, trials: int) -> dict[str, float]:
    """In a fresh process: the time to the first job of a study that has one trial more."""
    begin = time.perf_counter()
    executor = Instant(trials + 1, stop_at=f"trials/{trials:04d}")
    try:
        run(settings_of(folder, trials + 1), executor)
    except Handed:
        return {"seconds": time.perf_counter() - begin, "memory": resident()}
    raise RuntimeError("the study did not go on")


def service_times(executor: Instant, trials: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds from a trial's result to the job that it makes possible."""
    keys = [f"trials/{index:04d}" for index in range(trials)]
    pairs = zip(keys, keys[LOOKAHEAD:], strict=False)
    return np.array([executor.handed[later] - executor.announced[key] for key, later in pairs])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, resume, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--resume", type=Path, help="time going on with the study in this folder")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale")
    options = parser.parse_args(arguments)
    if options.resume:
        print(json.dumps(resume(options.resume, options.trials)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, executor = Path(name), Instant(options.trials)
        before, begin = resident(), time.perf_counter()
        settings = settings_of(folder, options.trials)
        parts = run(settings, executor)
        total = time.perf_counter() - begin
        begin = time.perf_counter()
        Leaderboard.from_folder(settings.path).write(settings.path)
        leaderboard = time.perf_counter() - begin
        words = [sys.executable, "-m", "benchmarks.scale", "--resume", name]
        words += ["--trials", str(options.trials)]
        begin = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        resumed = json.loads(done.stdout)
        resumed["imports"] = time.perf_counter() - begin - resumed["seconds"]
    service = service_times(executor, options.trials)
    blocks = [service[i : i + BLOCK] for i in range(0, len(service), BLOCK)]
    report = {
        "command": f"python -m benchmarks.scale --trials {options.trials}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "versions": {name: version(name) for name in ("optuna", "numpy")},
        "trials": options.trials,
        "lookahead": LOOKAHEAD,
        "service": {"median": float(np.median(service)), "p95": float(np.quantile(service, 0.95))},
        "by_block": [[float(np.median(b)), float(np.quantile(b, 0.95))] for b in blocks],
        "block": BLOCK,
        "memory": {"before": before, "by_block": executor.memory},
        "total": total,
        "parts": {part: seconds / options.trials for part, seconds in parts.items()},
        "leaderboard": leaderboard,
        "resume": resumed,
    }
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()

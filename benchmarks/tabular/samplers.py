"""What samplers and rungs bring: regret against trials and training seconds, on the table.

Command: ``python -m benchmarks.tabular.samplers --jobs 2`` (100 trials, 250 where some are
stopped; 100 search seeds, and 9 of the Gaussian process, whose asking takes longest; about an hour
on 2 idle cores). Search seed s is on table seed s modulo the table's, so that all methods meet the
same trainings. Every trial is charged the seconds that its epochs took. Ours looks ahead as far as
``space.yaml`` says; plain Optuna asks for one trial after the other.

Writes ``benchmarks/results/samplers.json``, ``.md`` and ``.svg``.
"""

import argparse
import multiprocessing
import os
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # threads are set before anything heavy is imported

from benchmarks.tabular.methods import BASELINE, METHODS, Course, Method, play
from benchmarks.tabular.regret import Regret, band, by_cost, by_trials, regret, share_of_cost
from benchmarks.tabular.samplers_report import picture, tables
from benchmarks.tabular.table import CURVES, SPACE, Table
from benchmarks.writing import write_report
from search.settings.reading import read_config_as
from search.settings.study import StudySettings

RESULTS = Path(__file__).parents[1] / "results"
SEEDS_OF_GP = 9
MORE_WITH_RUNGS = 2.5
POINTS = 50  # of a curve against cost
KINDS = ("seen", "gained")
MIDDLES: tuple[Literal["mean", "median"], ...] = ("mean", "median")
Task = tuple[Method, int, int, Path]


@lru_cache(maxsize=1)
def ready(file: Path) -> tuple[StudySettings, Table]:
    """The space's settings and the table, once a process."""
    return read_config_as(str(SPACE), StudySettings), Table.read(file)


def trials_of(method: Method, trials: int) -> int:
    """Where rungs stop trials, more of them, which together cost about as much."""
    return trials if method.stopping == "none" else round(MORE_WITH_RUNGS * trials)


def search(task: Task) -> Course:
    """One search."""
    method, seed, trials, file = task
    settings, table = ready(file)
    return play(method, settings, table, seed, table.seeds[seed % len(table.seeds)], trials)


def summarise(regrets: dict[str, list[Regret]], asking: dict[str, float], trials: int) -> Any:
    """Curves with bands, and each method's share of the baseline's cost."""
    costs = np.linspace(0, np.mean([one.spent[-1] for one in regrets[BASELINE.name]]), POINTS)
    methods = {}
    for name, mine in regrets.items():
        same = regrets[BASELINE.name][: len(mine)]
        spent = np.array([one.spent[-1] for one in mine])
        usual = np.mean([one.spent[-1] for one in same])
        found: dict[str, Any] = {
            "searches": len(mine),
            "asking_ms": 1000 * asking[name],
            "seconds_spent": float(spent.mean()),
            "share_spent": float(spent.mean() / usual),
            "most_spent": float(spent.max() / usual),
        }
        for what in KINDS:
            share, low, high = share_of_cost(mine, same, what)
            lines = {
                "by_trials": by_trials(mine, what, trials),
                "by_cost": by_cost(mine, what, costs),
            }
            found[what] = {
                "share_of_cost": [share, low, high],
                **{
                    f"{axis}_{middle}": [np.round(p, 6).tolist() for p in band(line, middle)]
                    for axis, line in lines.items()
                    for middle in MIDDLES
                },
            }
        methods[name] = found
    return {"costs": np.round(costs, 3).tolist(), "methods": methods}


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, summarise, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="of the search")
    parser.add_argument("--gp-seeds", type=int, default=SEEDS_OF_GP)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="+", help="methods by name, besides random")
    parser.add_argument("--table", type=Path, default=CURVES)
    parser.add_argument("--out", type=Path, default=RESULTS / "samplers")
    options = parser.parse_args(arguments)
    settings, table = ready(options.table)
    methods = [m for m in METHODS if not options.only or m.name in (BASELINE.name, *options.only)]
    methods.sort(key=lambda method: method.sampler != "gp")  # the slowest first
    tasks = [
        (method, seed, trials_of(method, options.trials), options.table)
        for method in methods
        for seed in range(options.gp_seeds if method.sampler == "gp" else options.seeds)
    ]
    if options.jobs == 1:
        courses = [search(task) for task in tasks]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, context) as pool:
            courses = list(pool.map(search, tasks))
    metric = settings.objective.monitor
    regrets: dict[str, list[Regret]] = {m.name: [] for m in METHODS if m in methods}
    asking: dict[str, list[float]] = {name: [] for name in regrets}
    for (method, *_), course in zip(tasks, courses, strict=True):
        regrets[method.name].append(regret(course, table, metric))
        asking[method.name].append(course.asking)
    report = {
        "command": f"python -m benchmarks.tabular.samplers --seeds {options.seeds} "
        f"--gp-seeds {options.gp_seeds} --trials {options.trials} --jobs {options.jobs}",
        "metric": metric,
        "trials": options.trials,
        "trials_with_rungs": round(MORE_WITH_RUNGS * options.trials),
        "candidates": len(table.candidates),
        "table_seeds": len(table.seeds),
        "lookahead": settings.sampler.lookahead,
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a search",
        "versions": {name: version(name) for name in ("optuna", "numpy")},
        **summarise(regrets, {k: float(np.median(v)) for k, v in asking.items()}, options.trials),
    }
    write_report(options.out, report, tables(report, f"{options.out.name}.svg"))
    picture(report, options.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()

"""What rungs throw away, and how much of that a study's own audit sees, on the table.

Command: ``python -m benchmarks.tabular.audits`` (100 studies of 60 trials a method; about 10
minutes). A study knows only the trials that came to their end and the few stopped ones that it
trained to their end after all. The table knows how every stopped trial would have ended, so here
the sentences of the leaderboard are held against the truth.

Writes ``benchmarks/results/audits.json`` and ``.md``.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.tabular.methods import RUNGS
from benchmarks.tabular.replay import replay_study
from benchmarks.tabular.table import CURVES, SPACE, Table
from benchmarks.writing import write_report
from search.leaderboard.rung_audit import audit
from search.settings.reading import read_config_as
from search.settings.study import FinalistSettings, SamplerName, SamplerSettings, StudySettings

RESULTS = Path(__file__).parents[1] / "results"
METHODS: tuple[tuple[SamplerName, str], ...] = (
    ("random", "asha"),
    ("random", "hyperband"),
    ("tpe", "asha"),
    ("tpe", "hyperband"),
)
AUDITS = 2


@dataclass(frozen=True)
class Found:
    """One study: what its audits say, and what is true; scores are shares.

    Args:
        stopped: trials.
        lost: whether the trial that would have ended best was stopped, also after the audits.
        points: by how much it would have been better than the best known one.
        mean_points: the same by the means of the table's other seeds, best against best.
        kept: whether the first rung is said to keep the best; None where nothing is said.
        better: audits that beat all that was not stopped.
        correlation: at the first rung, as told.
        true_correlation: over all trials.
        held: whether the told interval holds it; None where there is none.
        saved: share of the training.
    """

    stopped: int
    lost: bool
    points: float
    mean_points: float
    kept: bool | None
    better: int
    correlation: float | None
    true_correlation: float
    held: bool | None
    saved: float


def look(
    settings: StudySettings, table: Table, seed: int, sampler: SamplerName, rungs: str, trials: int
) -> Found:
    """Replay one study, and hold its audit against the table."""
    rung_settings = dataclasses.replace(RUNGS[rungs], audit=AUDITS)
    settings = dataclasses.replace(
        settings,
        seed=seed,
        trials=trials,
        sampler=SamplerSettings(sampler, lookahead=settings.sampler.lookahead),
        rungs=rung_settings,
        finalists=FinalistSettings(top=3, seeds=2, random=0),
    )
    table_seed = table.seeds[seed % len(table.seeds)]
    others = [other for other in table.seeds if other != table_seed]
    played = replay_study(settings, table, table_seed)
    metric = settings.objective.monitor
    told = audit([*played.trials, *played.others], rung_settings, metric, "max")
    if told is None or not told.rungs:
        raise RuntimeError("the study says nothing of its rungs")
    end, mean = (
        dict(zip(table.candidates, table.finals(metric, seeds), strict=True))
        for seeds in ([table_seed], others)
    )
    asked = [spec.candidate_id for spec, _ in played.trials]
    known = [spec.candidate_id for spec, result in played.trials if result.state == "complete"]
    known += [spec.candidate_id for spec, _ in played.others if spec.kind == "audit"]
    first = told.rungs[0]
    early = [table.training(c, table_seed).curves[metric][first.rung - 1] for c in asked]
    true = float(stats.spearmanr(early, [end[c] for c in asked]).statistic)
    said = first.with_end
    interval = said and said.low is not None and said.high is not None and (said.low, said.high)
    points = max(end[c] for c in asked) - max(end[c] for c in known)
    return Found(
        stopped=told.stopped,
        lost=bool(points > 0),
        points=float(points),
        mean_points=float(max(mean[c] for c in asked) - max(mean[c] for c in known)),
        kept=first.keeps_winner,
        better=told.better,
        correlation=said.value if said else None,
        true_correlation=true,
        held=interval[0] <= true <= interval[1] if interval else None,
        saved=told.saved,
    )


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        "# Rungs and their audits",
        "",
        f"`{report['command']}`: {report['studies']} studies a method, {report['trials']} trials "
        f"each, of which rungs stop some; {AUDITS} of those, drawn at random, are trained to their "
        f"end. The table has {report['candidates']} candidates with {report['table_seeds']} seeds. "
        "In brackets: Monte-Carlo standard errors.",
        "",
        "*Lost*: of all trials asked, the one that would have ended best (on the search's own "
        "seed) was stopped and not audited; points: of accuracy, by which it would have been "
        "better than the best known one, over all studies. *By other seeds*: how much better, by "
        "the mean over the table's other seeds, the best of all trials is than the best known one. "
        "*Says keeps*: studies whose page says that the first rung keeps the best of those that "
        "came to their end. *Seen*: studies in which an audited trial beat all that was not "
        "stopped.",
        "",
        "| | stopped | lost | points | by other seeds | says keeps | and has lost | seen | saved |",
        "|---" * 9 + "|",
    ]
    for name, found in report["methods"].items():
        kept = [one for one in found if one["kept"]]
        cells = [
            name,
            f"{fmean(one['stopped'] for one in found):.0f}",
            _share([one["lost"] for one in found]),
            _points([one["points"] for one in found]),
            _points([one["mean_points"] for one in found]),
            _share([bool(one["kept"]) for one in found]),
            _share([one["lost"] for one in kept]),
            _share([one["better"] > 0 for one in found]),
            f"{100 * fmean(one['saved'] for one in found):.0f}%",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "*And has lost*: of the studies whose page says so. Rank correlation of scores at the "
        "first rung with the final ones: as a study estimates it from trials that came to their "
        "end, and true over all trials:",
        "",
        "| | estimated | true | the interval holds the true one |",
        "|---|---|---|---|",
    ]
    for name, found in report["methods"].items():
        estimates = [one["correlation"] for one in found if one["correlation"] is not None]
        cells = [
            name,
            f"{fmean(estimates):.2f}" if estimates else "unknown",
            f"{fmean(one['true_correlation'] for one in found):.2f}",
            _share([one["held"] for one in found if one["held"] is not None]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _share(values: Sequence[bool]) -> str:
    if not values:
        return "none"
    share = fmean(values)
    return f"{100 * share:.0f}% ({100 * (share * (1 - share) / len(values)) ** 0.5:.0f})"


def _points(values: Sequence[float]) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{100 * fmean(values):.2f} ({100 * error:.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=100, help="of each method")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--table", type=Path, default=CURVES)
    parser.add_argument("--out", type=Path, default=RESULTS / "audits")
    options = parser.parse_args(arguments)
    settings, table = read_config_as(str(SPACE), StudySettings), Table.read(options.table)
    methods = {
        f"{sampler} + {rungs}": [
            asdict(look(settings, table, seed, sampler, rungs, options.trials))
            for seed in range(options.studies)
        ]
        for sampler, rungs in METHODS
    }
    report = {
        "command": f"python -m benchmarks.tabular.audits --studies {options.studies} "
        f"--trials {options.trials}",
        "studies": options.studies,
        "trials": options.trials,
        "candidates": len(table.candidates),
        "table_seeds": len(table.seeds),
        "methods": methods,
    }
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()

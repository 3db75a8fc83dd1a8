"""Whether early scores could be trusted: what the rungs of a study would have thrown away.

A rung stops a trial by a score after few epochs or on few images. That saves most of a search's
cost where early and late scores rank candidates alike, and throws the winner away where they do
not. Here both are looked at afterwards: how early scores rank the runs that came to their end, and
what became of stopped trials that were trained to their end after all.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, Self

from scipy import stats

from hybrid_swin.system.files import natural_order
from search.records.runs import FinishedRun
from search.settings.study import RungSettings
from search.statistics.probabilities import share_upper_bound
from search.study.rungs import Rungs

_LEAST = 5  # runs from which a rank correlation has an interval


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's, with a 95% interval: tanh(artanh r -+ 1.96 sqrt((1 + r²/2) / (n - 3))).

    Source: Sample size requirements for estimating Pearson, Kendall and Spearman correlations,
    2000, https://doi.org/10.1007/BF02294183
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> Self | None:
        """None if there are fewer than three pairs, or all of one kind are equal."""
        if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
            return None
        r, n = float(stats.spearmanr(first, second).statistic), len(first)
        if n < _LEAST or abs(r) > 1 - 1e-12:
            return cls(r, None, None, n)
        spread = 1.959964 * math.sqrt((1 + r * r / 2) / (n - 3))
        return cls(r, math.tanh(math.atanh(r) - spread), math.tanh(math.atanh(r) + spread), n)


@dataclass(frozen=True)
class RungReport:
    """One rung.

    Args:
        rung: epochs or images.
        reached: runs of the search that have a score there.
        stopped: trials that ended there.
        with_end: rank correlation of scores there with those at the end, over all that came to it.
        with_retrained: the same with the means of fresh seeds, over what was retrained.
        winner_place: place of the winner's score there among all, 1 for the best.
        keeps_winner: whether the winner is among the best 1/factor of all scores there. It came to
            its end, so this is not evidence on what was stopped; audits are.
        audits: of the runs of ``with_end``, stopped trials that were trained to their end.
    """

    rung: int
    reached: int
    stopped: int
    with_end: RankCorrelation | None
    with_retrained: RankCorrelation | None
    winner_place: int | None
    keeps_winner: bool | None
    audits: int = 0


@dataclass(frozen=True)
class RungAudit:
    """What is known of a study's rungs.

    Args:
        over: ``epochs`` or ``images``.
        rungs: one report a rung.
        winner: the run whose candidate is the best retrained one, of those the search chose.
        stopped: trials that a rung stopped.
        audited: of these trained to their end.
        better: of these with a better score than any trial that was not stopped; 0 where all were.
        kept: trials that came to their end by themselves.
        better_high: the largest share among all stopped trials that this allows with 95%.
        saved: share of the passes over the images that stopping saved, audits counted as spent.
    """

    over: str
    rungs: tuple[RungReport, ...]
    winner: str
    stopped: int
    audited: int
    better: int
    kept: int
    better_high: float | None
    saved: float


def audit(
    runs: Sequence[FinishedRun], settings: RungSettings, monitor: str, mode: Literal["max", "min"]
) -> RungAudit | None:
    """What a study's ended runs tell of its rungs; None if it has none, or no trial ended."""
    if not settings.first:
        return None
    runs = sorted(runs, key=lambda run: natural_order(run[0].key))
    # what was imported is outside the rungs: its scores there count where it came to its end
    trials = [run for run in runs if run[0].kind == "trial" and not run[0].imported_from]
    if not trials:
        return None
    sign = 1 if mode == "max" else -1
    # Those of images that no trial came to are left out below.
    most = max(r.epochs_planned for _, r in trials) if settings.over == "epochs" else sys.maxsize
    rungs = Rungs(settings, monitor, mode, 0, most)
    searched = [run for run in runs if run[0].kind in ("trial", "baseline", "audit")]
    whole = [run for run in searched if run[1].state == "complete" and run[1].score is not None]
    # the same candidate with the same seed is one training, as a baseline and a trial may be
    whole = list({(run[0].candidate_id, run[0].seed): run for run in reversed(whole)}.values())
    whole.reverse()
    retrained = _retrained(runs)
    winner = _winner(runs, retrained, sign)
    reports = []
    for rung in rungs.all:
        reports.append(
            _report(rung, rungs, trials, whole, retrained, winner, settings.factor, sign)
        )
        if not reports[-1].reached:
            reports.pop()
            break
    stopped = [run for run in trials if run[1].state == "stopped"]
    audits = [run for run in whole if run[0].kind == "audit"]
    ends = [sign * _score(run) for run in whole if run[0].kind == "trial"]
    better = sum(sign * _score(run) > max(ends) for run in audits) if ends else 0
    known = ends and 0 < len(audits) <= len(stopped)
    ran = [run for run in trials if run[1].state in ("complete", "stopped")]
    passes = sum(result.passes for _, result in (*ran, *audits))
    full = sum(_without_rungs(run) for run in ran)
    return RungAudit(
        settings.over,
        tuple(reports),
        winner[0].key if winner else "",
        len(stopped),
        len(audits),
        better,
        len(ends),
        share_upper_bound(better, len(audits), len(stopped)) if known else None,
        1 - passes / full if full else 0.0,
    )


def _without_rungs(run: FinishedRun) -> float:
    """Epochs that a trial takes without rungs, as far as known: of a stopped one all."""
    spec, result = run
    return float(result.epochs if result.state == "complete" else (spec.recipe or {})["epochs"])


def _report(
    rung: int,
    rungs: Rungs,
    trials: Sequence[FinishedRun],
    whole: Sequence[FinishedRun],
    retrained: Mapping[str, float],
    winner: FinishedRun | None,
    factor: int,
    sign: int,
) -> RungReport:
    there = {spec.key: rungs.scores(r).get(rung) for spec, r in (*trials, *whole)}
    early = [(run, score) for run in whole if (score := there[run[0].key]) is not None]
    again = [(s, retrained[k[0].key]) for k, s in early if k[0].key in retrained]
    scores = [sign * score for spec, _ in trials if (score := there[spec.key]) is not None]
    place = None
    if winner is not None and (own := there.get(winner[0].key)) is not None:
        place = 1 + sum(score > sign * own for score in scores)
    kept = max(1, len(scores) // factor)
    return RungReport(
        rung,
        len(scores),
        sum(r.state == "stopped" and max(rungs.scores(r), default=0) == rung for _, r in trials),
        RankCorrelation.of([s for _, s in early], [_score(run) for run, _ in early]),
        RankCorrelation.of([s for s, _ in again], [mean for _, mean in again]),
        place,
        None if place is None or len(scores) < factor else place <= kept,
        sum(spec.kind == "audit" for (spec, _), _ in early),
    )


def _retrained(runs: Sequence[FinishedRun]) -> dict[str, float]:
    """Mean of fresh seeds by the run that was retrained."""
    scores: dict[str, list[float]] = {}
    for spec, result in runs:
        if spec.kind == "finalist" and result.state == "complete" and result.score is not None:
            scores.setdefault(spec.origin, []).append(result.score)
    return {origin: fmean(values) for origin, values in scores.items()}


def _winner(
    runs: Sequence[FinishedRun], retrained: Mapping[str, float], sign: int
) -> FinishedRun | None:
    """The best retrained run of the search; without any, the best trial that came to its end."""
    runs = [run for run in runs if run[0].kind in ("trial", "audit")]
    runs = [run for run in runs if run[1].state == "complete" and run[1].score is not None]
    chosen = [run for run in runs if run[0].key in retrained]
    if chosen:
        return max(chosen, key=lambda run: sign * retrained[run[0].key])
    return max(runs, key=lambda run: sign * _score(run), default=None)


def _score(run: FinishedRun) -> float:
    score = run[1].score
    if score is None:
        raise ValueError(f"{run[0].key} has no score")
    return score


def sentences(fidelity: RungAudit | None) -> list[str]:
    """What may be said of a study's rungs."""
    if fidelity is None or not fidelity.rungs:
        return []
    lines = []
    for report in fidelity.rungs:
        if report.with_end is None:
            continue
        where = f"epoch {report.rung}" if fidelity.over == "epochs" else f"{report.rung} images"
        audits = f" ({report.audits} of them audits: stopped trials trained to their end)"
        text = f"Scores at {where} rank {report.with_end.n} runs that came to their end"
        text += f"{audits * bool(report.audits)} with a correlation of "
        text += f"{report.with_end.value:.2f} to the final scores"
        if report.with_end.low is not None and report.with_end.high is not None:
            text += f" [{report.with_end.low:.2f}, {report.with_end.high:.2f}]"
        if report.keeps_winner is not None:
            verb = "keeps" if report.keeps_winner else "would have stopped"
            text += f"; judged by all {report.reached} scores there, it {verb} the best of them"
        lines.append(f"{text}.")
    if fidelity.audited:
        which = "all" if fidelity.audited == fidelity.stopped else f"{fidelity.audited} at random"
        text = f"Of {fidelity.stopped} stopped trials {which} were trained to their end after all: "
        if fidelity.kept:
            text += f"{fidelity.better} beat every trial that was not stopped"
        else:
            text += "every trial was stopped, so there is none to compare them with"
        if fidelity.better_high is not None and fidelity.audited < fidelity.stopped:
            text += f" (95%: at most {100 * fidelity.better_high:.0f}% of stopped trials would)"
        lines.append(f"{text}.")
    elif fidelity.stopped:
        lines.append(
            "No stopped trial was trained to its end (rungs.audit), so whether a better one was "
            "among them is not known."
        )
    if fidelity.stopped:
        share, count = 100 * abs(fidelity.saved), fidelity.audited
        audits = f"the {count} audits" if count > 1 else "the audit"
        less, took = f", less what {audits} took" * bool(count), audits
        if not count:
            took = "the trainings anew at every rung"
        lines.append(
            f"Stopping saved {share:.0f}% of the search's training{less}."
            if fidelity.saved > 0
            else f"Stopping saved nothing: {took} took {share:.0f}% more than it spared."
        )
    return lines

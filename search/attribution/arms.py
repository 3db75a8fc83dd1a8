"""Trials of a comparison: the arms under one matching that its own conclusions may speak of.

Arms matched by MACs and by parameters are other networks with the same blocks: pooled, an effect
would be that of neither. An arm that was still improving, or of which a seed is missing, is kept
out here as it is there. Where all are known to have been tested on the same images, and which of
these they got right, effects are of test; else of validation, and why is said.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError
from search.attribution.trial import Trial, Trials, trial_of
from search.compare.arm_building import TrainedArm, result_of
from search.compare.arm_result import ArmResult, matched_by
from search.compare.launch import read_plan
from search.compare.looking import about_looks, level_at, seeds_looked_at
from search.compare.plan import Plan
from search.records.looks import read_looks
from search.records.predictions import Correctness
from search.records.runs import iter_runs
from search.row_evidence import EndedRun

TEST = "test/accuracy"  # a mean over images
_FEWEST = 2  # arms, and test images


def read_arms(folder: Path, match: str | None = None) -> Trials:
    """The runs over seeds of a comparison's arms.

    Args:
        folder: the comparison's.
        match: the one of its matchings to tell of; its first where left out.

    Raises:
        InputError: no comparison there, a matching that it does not have, or fewer than two arms
            of which every seed completed and training had ended.
    """
    plan = read_plan(folder)
    by = _matching(plan, match)
    known = {spec.key: (spec, result) for spec, result in iter_runs(folder)}
    trained: dict[str, tuple[TrainedArm, ArmResult]] = {}  # by candidate: cells share baselines
    for entry in plan.entries:
        if entry.matching == by:
            arm = TrainedArm.read(folder, plan, entry, known)
            trained.setdefault(_candidate(arm), (arm, result_of(arm, plan)))
    results = [result for _, result in trained.values()]
    left_out = _left_out(results)
    usable = [arm for arm, result in trained.values() if result.usable]
    if len(usable) < _FEWEST:
        raise InputError(
            f"{len(usable)} of {len(trained)} arms {matched_by(by)} can be told of, and effects "
            f"need {_FEWEST} or more. {' '.join(left_out)} Let the comparison come to its end, or "
            "give it more recipe.epochs"
        )
    planned = plan.planned or plan.settings.looks
    looked = seeds_looked_at(read_looks(folder), plan.seeds)
    looks = about_looks(planned, looked, pending=1)  # this command goes on to no further seeds
    tested, why_not = _tested(usable, plan.settings.objective.monitor)
    return Trials(
        study=plan.settings.name,
        monitor=TEST if tested else plan.settings.objective.monitor,
        mode=plan.settings.objective.mode,
        trials=tuple(_trial(arm, run, bool(tested)) for arm in usable for run in arm.runs),
        asked=len(trained) * plan.seeds,
        notes=(_about_matching(plan, by), *left_out, *why_not, *looks),
        tested=tested,
        level=level_at(planned, looked),
    )


def _trial(arm: TrainedArm, run: EndedRun, on_test: bool) -> Trial:
    """A run as a trial of its arm, at whatever learning rate was chosen for its seed."""
    trial = replace(trial_of(*run), candidate=_candidate(arm))
    score = arm.evidence.scores[trial.replicate] if on_test else trial.score
    return replace(trial, score=score)


def _candidate(arm: TrainedArm) -> str:
    return "/".join(arm.entry.candidates)


def _tested(
    arms: Sequence[TrainedArm], monitor: str
) -> tuple[dict[str, Correctness], tuple[str, ...]]:
    """Which test images each arm got right; where that is not known of all of them, why."""
    if monitor.replace("val/", "test/", 1) != TEST:
        return {}, ()  # no mean over images, so none is right or wrong
    if not all(arm.evidence.scores for arm in arms):
        return {}, ("Not every arm was tested, so effects are those on validation.",)
    found = {_candidate(arm): arm.evidence.correct for arm in arms}
    known = {candidate: correct for candidate, correct in found.items() if correct is not None}
    lost = list(dict.fromkeys(reason for arm in arms for reason in arm.evidence.lost))
    whole = len(known) == len(found) and all(
        known[_candidate(arm)].seed_indices == tuple(sorted(s.seed_index for s, _ in arm.runs))
        for arm in arms
    )
    if not whole:
        why = lost[0] if lost else "a seed of an arm has no test score"
        return {}, (
            f"{why}: so effects are those on validation, whose intervals leave out new images.",
        )
    images = {(r.test_hash, known[_candidate(a)].ids, known[_candidate(a)].groups)
              for a in arms for _, r in a.runs}  # fmt: skip
    if len(images) > 1:
        return {}, (
            "The arms were tested on different images, so effects are those on validation, whose "
            "intervals leave out new images.",
        )
    _, ids, groups = next(iter(images))
    if len(set(groups or ids)) < _FEWEST:
        return {}, ("One test image, or group of them, has no spread: effects are of validation.",)
    return known, ()


def _matching(plan: Plan, match: str | None) -> str:
    allowed = plan.settings.match.by
    if match is None:
        return allowed[0]
    if match not in allowed:
        raise InputError(
            f"--match {match!r}: the arms of comparison {plan.settings.name!r} are matched by "
            f"{', '.join(allowed)}; give one of these, or leave --match out for {allowed[0]}"
        )
    return match


def _about_matching(plan: Plan, by: str) -> str:
    others = [other for other in plan.settings.match.by if other != by]
    more = f"; for the others: --match {' or '.join(others)}" if others else ""
    return (
        f"This tells of the baseline and the arms {matched_by(by)}{more}. Effects are against the "
        "mean of what was tried; what is shown against the baseline, the comparison says."
    )


def _left_out(results: Sequence[ArmResult]) -> list[str]:
    """Which arms no effect is taken from, and why."""
    young = [_place(r) for r in results if r.undertrained]
    unknown = [_place(r) for r in results if r.whole and r.undertrained is None]
    lost = [f"{_place(r)} ({r.seeds} of {r.seeds_asked})" for r in results if not r.whole]
    said = []
    if young:
        said.append(f"Left out, since still improving when training ended: {', '.join(young)}.")
    if unknown:
        said.append(
            "Left out, since too few epochs do not tell whether training had ended: "
            f"{', '.join(unknown)}."
        )
    if lost:
        said.append(
            "Left out, since not every seed completed, and a mean of survivors flatters: "
            f"{', '.join(lost)}."
        )
    return said


def _place(result: ArmResult) -> str:
    return f"{result.arm} at {result.cell}" if result.cell else result.arm

"""Trials of a comparison: the arms under one matching that its own conclusions may speak of.

Arms matched by MACs and by parameters are other networks with the same blocks: pooled, an effect
would be that of neither. An arm that was still improving, or of which a seed is missing, is kept
out here as it is there. Where all are known to have been tested on the same images, and which of
these they got right, effects are of test; else of validation, for new images where all validated
on the same ones and kept their answers, and why is said.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError
from search.comparison.attribution.trial import TEST, Trial, Trials, trial_of
from search.comparison.design.plan import ComparisonPlan
from search.comparison.design.plan_file import read_plan
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.conclusions import GIVEN_RATES
from search.comparison.results.trained_arm import TrainedArm, images_of, result_of
from search.leaderboard.end.shared_cautions import not_judged
from search.records.looks import read_looks
from search.records.predictions import Correctness
from search.records.runs import FinishedRun, iter_runs
from search.study.looks import about_looks, level_at, seeds_looked_at

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
    lost: list[str] = []
    looked = seeds_looked_at(read_looks(folder, lost), plan.seeds)
    looks = about_looks(planned, looked, pending=1)  # this command goes on to no further seeds
    monitor = plan.settings.objective.monitor
    tested, why_not = _tested(usable, monitor)
    right = tested or _validated(usable)
    if why_not and not right:
        why_not += ("Their intervals leave out new images.",)
    return Trials(
        study=plan.settings.name,
        monitor=TEST if tested else monitor,
        mode=plan.settings.objective.mode,
        trials=tuple(_trial(arm, run, bool(tested)) for arm in usable for run in arm.runs),
        total=len(trained) * plan.seeds,
        notes=(
            _about_matching(plan, by),
            *left_out,
            *_presumed(results, plan),
            *why_not,
            *looks,
            *lost,
        ),
        right=right,
        level=level_at(planned, looked),
        images=min(images_of(arm, plan)[0] for arm in usable),
    )


def _trial(arm: TrainedArm, run: FinishedRun, on_test: bool) -> Trial:
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
    answers = {_candidate(arm): arm.evidence.correct for arm in arms}
    known = {candidate: correct for candidate, correct in answers.items() if correct is not None}
    lost = list(dict.fromkeys(reason for arm in arms for reason in arm.evidence.lost))
    whole = len(known) == len(answers) and all(
        known[_candidate(arm)].seed_indices == tuple(sorted(s.seed_index for s, _ in arm.runs))
        for arm in arms
    )
    if not whole:
        why = lost[0] if lost else "a seed of an arm has no test score"
        return {}, (f"{why}: so effects are those on validation.",)
    images = {(r.test_hash, known[_candidate(a)].ids, known[_candidate(a)].groups)
              for a in arms for _, r in a.runs}  # fmt: skip
    if len(images) > 1:
        return {}, ("The arms were tested on different images: effects are those on validation.",)
    _, ids, groups = next(iter(images))
    if len(set(groups or ids)) < _FEWEST:
        return {}, ("One test image, or group of them, has no spread: effects are of validation.",)
    return known, ()


def _validated(arms: Sequence[TrainedArm]) -> dict[str, Correctness]:
    """Which validation images each arm got right; empty where that is not known of all."""
    answers = {_candidate(arm): arm.evidence.validated for arm in arms}
    known = {candidate: correct for candidate, correct in answers.items() if correct is not None}
    of = {(correct.seed_indices, correct.ids, correct.groups) for correct in known.values()}
    enough = all(len(set(c.groups)) >= _FEWEST for c in known.values() if c.groups)
    return known if len(known) == len(answers) and len(of) == 1 and enough else {}


def _presumed(results: Sequence[ArmResult], plan: ComparisonPlan) -> list[str]:
    """What every effect is given: learning rates that one choice made, arms that guess."""
    sentences = []
    if plan.chooses and plan.settings.choose_rate == "once":
        sentences.append(
            f"{GIVEN_RATES}: one choice of them served all seeds, and no interval knows how else "
            "it could have come out."
        )
    guessing = [_place(r) for r in results if r.usable and r.at_chance]
    if guessing:
        sentences.append(
            "Not shown to be better than a guess on test, so that their blocks were not seen at "
            f"work: {', '.join(guessing)}."
        )
    return sentences


def _matching(plan: ComparisonPlan, match: str | None) -> str:
    allowed = plan.settings.match.by
    if match is None:
        return allowed[0]
    if match not in allowed:
        raise InputError(
            f"--match {match!r}: the arms of comparison {plan.settings.name!r} are matched by "
            f"{', '.join(allowed)}; give one of these, or leave --match out for {allowed[0]}"
        )
    return match


def _about_matching(plan: ComparisonPlan, by: str) -> str:
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
    short = "Too few epochs to tell whether training had ended, so left out"
    whys = [f"{short}: {', '.join(unknown)}."] if unknown else []
    return list(not_judged(", ".join(young), whys, ", ".join(lost)))


def _place(result: ArmResult) -> str:
    return f"{result.arm} at {result.cell}" if result.cell else result.arm

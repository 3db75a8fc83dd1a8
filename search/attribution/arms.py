"""Trials of a comparison: the arms under one matching that its own conclusions may speak of.

Arms matched by MACs and by parameters are other networks with the same blocks: pooled, an effect
would be that of neither. An arm that was still improving, or of which a seed is missing, is kept
out here as it is there.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError
from search.attribution.trial import Trials, trial_of
from search.compare.arm_building import TrainedArm, result_of
from search.compare.arm_result import ArmResult, matched_by
from search.compare.launch import read_plan
from search.compare.plan import Plan
from search.records.runs import iter_runs

_FEWEST = 2  # arms


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
            trained.setdefault("/".join(entry.candidates), (arm, result_of(arm, plan)))
    results = [result for _, result in trained.values()]
    left_out = _left_out(results)
    usable = [arm for arm, result in trained.values() if result.usable]
    if len(usable) < _FEWEST:
        raise InputError(
            f"{len(usable)} of {len(trained)} arms {matched_by(by)} can be told of, and effects "
            f"need {_FEWEST} or more. {' '.join(left_out)} Let the comparison come to its end, or "
            "give it more recipe.epochs"
        )
    objective = plan.settings.objective
    return Trials(
        study=plan.settings.name,
        monitor=objective.monitor,
        mode=objective.mode,
        trials=tuple(
            replace(trial_of(*run), candidate="/".join(arm.entry.candidates))  # at whatever rate
            for arm in usable
            for run in arm.runs
        ),
        asked=len(trained) * plan.seeds,
        notes=(_about_matching(plan, by), *left_out),
    )


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

"""Trials that effects may be taken from: drawn at random, or arms of a comparison; none stopped.

A sampler that learns draws more often where scores were good, and a rung stops what starts badly:
then which blocks stand together in the trials depends on their scores, and differences between them
mix what a block does with why it was drawn.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError, few
from search.comparison.attribution.trial import Trials, is_scored, trial_of
from search.leaderboard.rows.evidence import Images
from search.leaderboard.rows.intervals import items_of
from search.records.predictions import Correctness
from search.records.runs import RunResult, RunSpec, iter_runs
from search.records.settings import read_study
from search.records.validation import ACCURACY, VALIDATION_FILE, read_validated
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings

Run = tuple[RunSpec, RunResult | None]


def read_trials(folder: Path, match: str | None = None) -> Trials:
    """The trials of a random study, or the runs over seeds of a comparison.

    Args:
        folder: the study's or comparison's.
        match: of a comparison, the matching to tell of; its first where left out.

    Raises:
        InputError: no study there, or its trials are biased: says why, and what to do instead; or a
            matching that is not there.
    """
    settings = read_study(folder)
    if isinstance(settings, ComparisonSettings):
        from search.comparison.attribution.comparison_trials import read_arms

        return read_arms(folder, match)
    if match is not None:
        raise InputError(
            f"--match {match!r}: only the arms of a comparison are matched, and {str(folder)!r} "
            "is a study; leave --match out"
        )
    refuse_biased(settings, folder)
    trials = (run for run in iter_runs(folder) if run[0].kind == "trial")
    # a candidate that was trained twice with one seed is one training
    chosen = list({(spec.candidate_id, spec.seed): (spec, r) for spec, r in trials}.values())
    scored = [(spec, r) for spec, r in chosen if is_scored(r)]
    monitor = settings.objective.monitor
    reasons: list[str] = []
    right = _right(folder, scored, monitor, reasons)
    lost = () if right else (_lost(scored, monitor, reasons),)
    return Trials(
        study=settings.name,
        monitor=monitor,
        mode=settings.objective.mode,
        trials=tuple(trial_of(*run) for run in scored),
        total=len(chosen),
        notes=(*_notes(chosen, settings), *filter(None, lost)),
        right=right,
        images=items_of(monitor, Images.of((s, r) for s, r in scored if r).validation_items) or 0,
    )


def _right(
    folder: Path, scored: Sequence[Run], monitor: str, lost: list[str]
) -> dict[str, Correctness]:
    """Which validation images each trial got right; empty where that is not known of all.

    ``lost`` collects why answers cannot be used that trials have kept.
    """
    places = {place: folder / spec.key for place, (spec, _) in enumerate(scored)}
    scores = {place: r.score for place, (_, r) in enumerate(scored) if r and r.score is not None}
    kept = any(result.answers for _, result in scored if result)
    correctness = read_validated(places, scores, monitor, lost, kept)
    if correctness is None:
        return {}
    return {
        spec.candidate_id: replace(correctness, seed_indices=(0,), matrix=row[None])
        for (spec, _), row in zip(scored, correctness.matrix, strict=True)
    }


def _lost(scored: Sequence[Run], monitor: str, reasons: Sequence[str]) -> str:
    """Why effects speak of these images only, where scores are means over images."""
    if monitor != ACCURACY or not scored:
        return ""
    if reasons:
        return (
            f"{few(reasons, 2)}: effects speak of these images only; the command that began the "
            "study makes the file again (a missing one of an earlier version it does not)."
        )
    return (
        f"Which validation images were right is not known of every trial ({VALIDATION_FILE} in "
        "each run's folder; studies of earlier versions have none)."
    )


def refuse_biased(settings: StudySettings, folder: Path) -> None:
    """Raise InputError where a sampler or rungs made which trials there are depend on scores."""
    sampler, first = settings.sampler.name, settings.rungs.first
    why = []
    if sampler != "random":
        why.append(
            f"sampler {sampler!r} draws more where scores were good, so blocks and their "
            "companions are no longer independent"
        )
    if first:
        why.append(
            f"rungs stopped poor trials (rungs.first {first}), so only what started well has a "
            "final score"
        )
    if why:
        raise InputError(
            f"the trials in {str(folder)!r} cannot tell what a block does: {'; '.join(why)}. Run a "
            "study for it, with --sampler.name random --rungs.first 0 and another --name, or a "
            "comparison of two arms with the factor `stages`"
        )


def _notes(runs: Sequence[Run], settings: StudySettings) -> tuple[str, ...]:
    notes = []
    missing: dict[str, int] = {}
    for _, result in runs:
        if not is_scored(result):
            state = "not ended" if result is None else result.state
            missing[state] = missing.get(state, 0) + 1
    if missing:
        counts = ", ".join(f"{count} {state}" for state, count in missing.items())
        notes.append(
            f"{sum(missing.values())} of {len(runs)} trainings are missing ({counts}): where a "
            "block makes trainings fail, its effect looks better than it is."
        )
    budget = settings.budget
    given = budget.parameters is not None or budget.macs is not None
    if given and budget.mode == "match":
        notes.append(
            "Every network was made to cost the same, so a block's effect is at equal cost: where "
            "it is dear, the rest of its network is smaller."
        )
    elif given:
        notes.append(
            "A budget refused what costs too much, so costly blocks stand beside smaller networks; "
            "the size is adjusted for only as far as it was varied."
        )
    return tuple(notes)

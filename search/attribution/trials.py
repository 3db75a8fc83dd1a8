"""Trials that effects may be taken from: drawn at random, or arms of a comparison; none stopped.

A sampler that learns draws more often where scores were good, and a rung stops what starts badly:
then which blocks stand together in the trials depends on their scores, and differences between them
mix what a block does with why it was drawn.
"""

from collections.abc import Sequence
from pathlib import Path

from hybrid_swin.errors import InputError
from search.attribution.trial import Trials, is_scored, trial_of
from search.compare.settings import ComparisonSettings
from search.records.runs import RunResult, RunSpec, iter_runs
from search.records.settings import read_study
from search.settings import StudySettings


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
        from search.attribution.arms import read_arms

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
    return Trials(
        study=settings.name,
        monitor=settings.objective.monitor,
        mode=settings.objective.mode,
        trials=tuple(trial_of(*run) for run in chosen if is_scored(run[1])),
        asked=len(chosen),
        notes=_notes(chosen, settings),
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


def _notes(
    runs: Sequence[tuple[RunSpec, RunResult | None]], settings: StudySettings
) -> tuple[str, ...]:
    notes = []
    missing: dict[str, int] = {}
    for _, result in runs:
        if not is_scored(result):
            state = "not ended" if result is None else result.state
            missing[state] = missing.get(state, 0) + 1
    if missing:
        said = ", ".join(f"{count} {state}" for state, count in missing.items())
        notes.append(
            f"{sum(missing.values())} of {len(runs)} trainings are missing ({said}): where a block "
            "makes trainings fail, its effect looks better than it is."
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

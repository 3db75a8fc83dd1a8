"""Trials that effects may be taken from: drawn at random, or a whole factorial, and none stopped.

A sampler that learns draws more often where scores were good, and a rung stops what starts badly:
then which blocks stand together in the trials depends on their scores, and differences between them
mix what a block does with why it was drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from search.run_folder import RunResult, RunSpec, is_comparison, iter_runs, read_settings

EndedRun = tuple[RunSpec, RunResult | None]


@dataclass(frozen=True)
class Trial:
    """One training that ended with a score.

    Args:
        blocks: block words of each stage.
        score: the objective on validation.
        candidate: identity of network and recipe.
        replicate: its seed's index; 0 where every candidate has one training.
        others: what else was varied, by path.
        cost: parameters, macs, ...
    """

    blocks: tuple[str, ...]
    score: float
    candidate: str
    replicate: int = 0
    others: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trials:
    """The trials of one study.

    Args:
        study: its name.
        monitor: the objective.
        mode: whether more (max) or less of it is better.
        trials: those that have a score.
        asked: how many trainings were asked.
        notes: what a reader must know of them.
    """

    study: str
    monitor: str
    mode: str
    trials: tuple[Trial, ...]
    asked: int
    notes: tuple[str, ...] = ()


def read_trials(folder: Path) -> Trials:
    """The trials of a random study, or the runs over seeds of a comparison.

    Raises:
        InputError: no study there, or its trials are biased: says why, and what to do instead.
    """
    settings = read_settings(folder)
    runs = list(iter_runs(folder))
    if is_comparison(settings):
        chosen = [run for run in runs if run[0].stage == "final" and run[0].kind == "finalist"]
    else:
        refuse_biased(settings, folder)
        chosen = [run for run in runs if run[0].kind == "trial"]
    objective = settings.get("objective") or {}
    return Trials(
        study=str(settings.get("name", folder.name)),
        monitor=str(objective.get("monitor", "val/accuracy")),
        mode=str(objective.get("mode", "max")),
        trials=tuple(_trial(spec, result) for spec, result in chosen if _scored(result)),
        asked=len(chosen),
        notes=_notes(chosen, settings),
    )


def refuse_biased(settings: Mapping[str, Any], folder: Path) -> None:
    """Raise InputError where a sampler or rungs made which trials there are depend on scores."""
    sampler = (settings.get("sampler") or {}).get("name", "tpe")
    first = (settings.get("rungs") or {}).get("first", 5)
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
            "comparison with the factor `stages`"
        )


def _scored(result: RunResult | None) -> bool:
    return result is not None and result.state == "complete" and result.score is not None


def _trial(spec: RunSpec, result: RunResult | None) -> Trial:
    assert result is not None and result.score is not None  # noqa: S101  # _scored
    stages = (spec.variant or {}).get("stages", [])
    return Trial(
        blocks=tuple(" ".join(stage["blocks"]) for stage in stages),
        score=result.score,
        candidate=spec.candidate_id,
        replicate=spec.seed_index,
        others=_others(spec),
        cost=spec.cost,
    )


def _others(spec: RunSpec) -> dict[str, Any]:
    """What was varied beside the blocks: drawn parameters; of a comparison, its factors.

    Widths, MLP ratios and learning rates of a comparison are not: matching and choosing made them.
    """
    if spec.params:
        return {path: v for path, v in spec.params.items() if not path.endswith(".blocks")}
    variant, recipe, data = spec.variant or {}, spec.recipe or {}, spec.data or {}
    others = {name: variant.get(name) for name in ("image_size", "patch_size", "window_size")}
    others |= {f"recipe.{n}": value for n, value in recipe.items() if n != "learning_rate"}
    others |= {f"data.options.{n}": value for n, value in (data.get("options") or {}).items()}
    return others


def _notes(runs: Sequence[EndedRun], settings: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    missing: dict[str, int] = {}
    for _, result in runs:
        if not _scored(result):
            state = "not ended" if result is None else result.state
            missing[state] = missing.get(state, 0) + 1
    if missing:
        said = ", ".join(f"{count} {state}" for state, count in missing.items())
        notes.append(
            f"{sum(missing.values())} of {len(runs)} trainings are missing ({said}): where a block "
            "makes trainings fail, its effect looks better than it is."
        )
    if any((settings.get("budget") or {}).values()):
        notes.append(
            "A budget refused what costs too much, so costly blocks stand beside smaller networks; "
            "the size is adjusted for only as far as it was varied."
        )
    return tuple(notes)

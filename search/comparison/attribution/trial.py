"""What effects are fitted to: trainings that ended with a score."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from search.records.predictions import Correctness
from search.records.runs import RunResult, RunSpec

# What matching makes, what data bring along, and blocks, whose effects are asked for.
_NOT_VARIED = {"mlp_ratio", "width", "num_heads", "in_channels", "num_classes", "stages", "blocks"}

LEVEL = 0.05
TEST = "test/accuracy"  # a mean over images


@dataclass(frozen=True)
class Trial:
    """One training that ended with a score.

    Args:
        blocks: block words of each stage.
        score: the study's ``monitor``: the objective on validation, or accuracy on test.
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
        monitor: what scores are of.
        mode: whether more (max) or less of it is better.
        trials: those that effects may be taken from.
        total: how many trainings there are, with a score or without.
        notes: what a reader must know of them.
        right: by candidate which images were right, the same images for all: of the split that
            ``monitor`` names; empty where that is not known of every trial.
        level: of tests: 5%, or what looks at growing seeds have left of it.
        images: that a score is a share of (groups, where images have them); 0: it is not a share.
    """

    study: str
    monitor: str
    mode: str
    trials: tuple[Trial, ...]
    total: int
    notes: tuple[str, ...] = ()
    right: Mapping[str, Correctness] = field(default_factory=dict, compare=False)
    level: float = LEVEL
    images: int = 0


def is_scored(result: RunResult | None) -> bool:
    """Whether a training came to its end and has a score."""
    return result is not None and result.state == "complete" and result.score is not None


def trial_of(spec: RunSpec, result: RunResult | None) -> Trial:
    """The trial that a scored run is."""
    assert result is not None and result.score is not None  # noqa: S101  # is_scored
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
    others = {name: variant.get(name) for name in _names(Variant)}
    for index, stage in enumerate(variant.get("stages", [])):
        others |= {f"stages.{index}.{name}": stage.get(name) for name in _names(Stage)}
    others |= {f"recipe.{n}": value for n, value in recipe.items() if n != "learning_rate"}
    others["data.source"] = data.get("source")
    others |= {f"data.options.{n}": value for n, value in (data.get("options") or {}).items()}
    return others


def _names(kind: type[Variant] | type[Stage]) -> list[str]:
    """Fields that a factor may vary."""
    return [f.name for f in fields(kind) if f.name not in _NOT_VARIED]

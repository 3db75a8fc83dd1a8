"""From settings and parameters to runs: baselines, trials, references, finalists."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant
from search import budget
from search.experiment import ExperimentSettings
from search.identity import candidate_id, derive_seed
from search.reference_size import count_parameters
from search.run_folder import RunResult, RunSpec, natural_order
from search.settings import BaselineSettings, StudySettings
from search.space import Space
from search.study import Draw, Refusal

REFERENCE = "logistic_regression"


class Candidates:
    """What a study may train, as run specifications.

    Raises:
        InputError: settings of which nothing can be trained: no network at the first values, a
            baseline that cannot be or exceeds the budget, a metric or rung that does not exist.
    """

    def __init__(self, settings: StudySettings, space: Space) -> None:
        self._settings = settings
        self._space = space
        self._limits = budget.limits(settings.budget)
        self._seed = derive_seed(settings.seed, "search")
        variant, _ = space.resolve(space.default())
        self.image_size, self.in_channels = variant.image_size, variant.in_channels
        self._num_classes = variant.num_classes
        self._stages = len(variant.stages)
        self.baselines = self._baselines()
        self._known = {spec.candidate_id: spec.key for spec in self.baselines}

    def judge(self, params: Mapping[str, Any]) -> Refusal | None:
        """Why these parameters are not to be trained, or None. The first to be taken is known."""
        try:
            variant, recipe = self._space.resolve(params)
            cost = count_cost(variant)
        except InputError as error:
            return Refusal(str(error), {"possible": 1.0})
        if (variant.image_size, variant.in_channels) != (self.image_size, self.in_channels):
            return Refusal("another image size than the study's data", {"possible": 1.0})
        if over := budget.over(cost, self._limits):
            return Refusal(over, budget.excess(cost, self._limits))
        known = self._known.get(candidate_id(variant, recipe))
        return Refusal(f"the same candidate as {known}") if known else None

    def trial(self, draw: Draw, cutoffs: Mapping[int, float]) -> RunSpec:
        """The run of an accepted draw."""
        variant, recipe = self._space.resolve(draw.params)
        spec = self._spec(f"trials/{draw.index:04d}", variant, recipe)
        self._known[spec.candidate_id] = spec.key
        return dataclasses.replace(
            spec, params=dict(draw.params), cutoffs={str(e): c for e, c in cutoffs.items()}
        )

    def reference(self) -> RunSpec:
        """A logistic regression on the pixels: what no network at all achieves."""
        return RunSpec(
            study=self._settings.name,
            key=f"references/{REFERENCE}",
            kind="reference",
            stage="final",
            label="logistic regression on pixels",
            variant=None,
            recipe=None,
            variant_id="",
            candidate_id=REFERENCE,
            seed=0,
            cost={
                "parameters": count_parameters(self.image_size, self.in_channels, self._num_classes)
            },
        )

    def finalist(self, origin: RunSpec, index: int) -> RunSpec:
        """An earlier run's candidate, to be retrained from scratch over fresh seed ``index``."""
        return dataclasses.replace(
            origin,
            key=f"finalists/{origin.candidate_id}/{index}",
            kind="finalist",
            stage="final",
            origin=origin.key,
            seed=derive_seed(self._settings.seed, "final", index),
            seed_index=index,
            cutoffs={},
        )

    def _baselines(self) -> list[RunSpec]:
        specs: list[RunSpec] = []
        for index, baseline in enumerate(self._settings.baselines):
            where = f"baselines.{index}"
            try:
                variant, recipe = self._space.resolve(
                    self._space.default(), _changes(baseline, self._stages)
                )
                spec = self._spec(f"baselines/{index:02d}", variant, recipe, baseline.label)
            except InputError as error:
                raise InputError(f"{where}: {error}") from None
            if over := budget.over(Cost(**spec.cost), self._limits):
                raise InputError(
                    f"{where} ({spec.label}) exceeds the budget with {over}; raise "
                    "the budget, or make it smaller with baselines.set"
                )
            twin = next((s for s in specs if s.candidate_id == spec.candidate_id), None)
            if twin:
                raise InputError(
                    f"{where} ({spec.label}) is the same network and recipe as "
                    f"{twin.key} ({twin.label}); leave one of them out"
                )
            specs.append(dataclasses.replace(spec, kind="baseline", is_baseline=True))
        return specs

    def _spec(self, key: str, variant: Variant, recipe: Recipe, label: str = "") -> RunSpec:
        return RunSpec(
            study=self._settings.name,
            key=key,
            kind="trial",
            stage="search",
            label=label or variant.blocks_name,
            variant=variant.to_dict(),
            recipe=recipe.to_dict(),
            variant_id=variant.id,
            candidate_id=candidate_id(variant, recipe),
            seed=self._seed,
            cost=count_cost(variant).to_dict(),
        )


def choose_finalists(
    ended: Sequence[tuple[RunSpec, RunResult]], top: int, mode: str
) -> list[RunSpec]:
    """The best trials by validation that ran to their end; the earlier one where scores tie."""
    sign = -1 if mode == "max" else 1
    complete = [
        (spec, result)
        for spec, result in ended
        if result.state == "complete" and result.score is not None
    ]
    ranked = sorted(
        complete, key=lambda pair: (sign * (pair[1].score or 0.0), natural_order(pair[0].key))
    )
    return [spec for spec, _ in ranked[:top]]


def check_objective(settings: ExperimentSettings, num_classes: int) -> None:
    """Raise InputError where the monitored metric is not one that will be logged."""
    known = [
        "val/loss",
        "val/accuracy",
        "val/f1",
        "val/balanced_accuracy",
        "val/auroc",
        "val/calibration_error",
    ]
    if num_classes >= 10:
        known.append("val/top5")
    monitor, mode = settings.objective.monitor, settings.objective.mode
    if settings.data.class_path is None and monitor not in known:
        raise unknown("metric", monitor, known)
    lower_is_better = monitor in ("val/loss", "val/calibration_error")
    if lower_is_better != (mode == "min") and monitor in known:
        raise InputError(
            f"objective.mode {mode!r} would search for the worst {monitor}; "
            f"give {'min' if lower_is_better else 'max'}"
        )


def _changes(baseline: BaselineSettings, stages: int) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if baseline.blocks:
        changes |= {f"stages.{i}.blocks": list(baseline.blocks) for i in range(stages)}
    return changes | dict(baseline.set)

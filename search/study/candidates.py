"""From settings and parameters to runs: baselines, trials, references, finalists."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_fit
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import DamagedFileError, MissingFileError
from hybrid_swin.training.metric_facts import LOGGED, facts_of
from search.execution.reference_size import count_parameters
from search.records.first_weights import ANEW, FirstWeights
from search.records.identity import candidate_id, derive_seed
from search.records.runs import RUN_FILE, RunSpec, read_record
from search.settings.contradictions import check_together
from search.settings.experiment import ExperimentSettings
from search.settings.study import BaselineSettings, StudySettings
from search.space import budget
from search.space.space import Space
from search.study import objectives
from search.study.sampling.draws import Draw, Refusal

REFERENCE = "logistic_regression"


class Candidates:
    """What a study may train, as run specifications.

    Raises InputError for settings of which nothing can be trained: no network at the first values,
    a baseline that cannot be or exceeds the budget, a metric or rung that does not exist.

    Args:
        settings: the study.
        space: of its networks and recipes.
        first: the weights that all of them start from.
        follow: gives a network the rules of windows of these weights' library.
    """

    def __init__(
        self,
        settings: StudySettings,
        space: Space,
        first: FirstWeights = ANEW,
        follow: Callable[[Variant], Variant] | None = None,
    ) -> None:
        self._settings = settings
        self._space = space
        self.first, self._follow = first, follow
        self._limits = budget.limits(settings.budget)
        self._matching = budget.matching(settings.budget, [p.path for p in space.parameters])
        self._seed = derive_seed(settings.seed, "search")
        variant, recipe = space.resolve(space.default())
        check_fit(variant, recipe)
        self.image_size, self.in_channels = variant.image_size, variant.in_channels
        self.epochs = int(space.largest("recipe.epochs") or recipe.epochs)
        self.combinations = space.size
        self._num_classes = variant.num_classes
        self._stages = len(variant.stages)
        self.baselines = self._baselines()
        self.begun: set[str] = set()  # keys of trials that were read from their folders
        self._judged: tuple[dict[str, Any], RunSpec | None] = {}, None  # the last; taken by trial()
        self._known = {spec.candidate_id: spec.key for spec in self.baselines}

    def judge(self, params: Mapping[str, Any]) -> Refusal | None:
        """Why these parameters are not to be trained, or None. The first to be taken is known."""
        outcome = self.look_at(params)
        if isinstance(outcome, Refusal):
            return outcome
        self._judged = dict(params), outcome
        known = self._known.get(outcome.candidate_id)
        return Refusal(f"the same candidate as {known}") if known else None

    def look_at(self, params: Mapping[str, Any]) -> RunSpec | Refusal:
        """The run of these parameters, or why they make no network within the budget."""
        try:
            variant, recipe = self._space.resolve(params)
            spec = self._spec("", variant, recipe)
        except InputError as error:
            return Refusal(str(error), {"possible": 1.0})
        if (variant.image_size, variant.in_channels) != (self.image_size, self.in_channels):
            return Refusal("another image size than the study's data", {"possible": 1.0})
        cost = Cost(**spec.cost)
        if over := budget.over(cost, self._limits):
            return Refusal(over, budget.excess(cost, self._limits))
        return spec

    def trial(
        self,
        draw: Draw,
        cutoffs: Mapping[int, float],
        image_rungs: Sequence[int] = (),
        imported_from: str = "",
    ) -> RunSpec:
        """The run of an accepted draw; as its folder has it, where it was begun before."""
        key = f"trials/{draw.index:04d}"
        fields: dict[str, Any] = {
            "seed": self._seed,
            "params": dict(draw.params),
            "cutoffs": {str(rung): cutoff for rung, cutoff in cutoffs.items()},
            "image_rungs": tuple(image_rungs),
            "imported_from": imported_from,
        }
        spec = self._begun(key, fields)
        if spec is None:
            params, spec = self._judged
            if spec is None or params != draw.params:
                spec = self._spec("", *self._space.resolve(draw.params))
            spec = dataclasses.replace(spec, key=key, **fields)
        self._known[spec.candidate_id] = key
        return spec

    def light(self, trial: RunSpec) -> RunSpec:
        """A trial without its network and recipe, which its parameters tell: of 10,000, 20 MB."""
        return dataclasses.replace(trial, variant=None, recipe=None)

    def whole(self, spec: RunSpec) -> RunSpec:
        """A light trial with its network and recipe; another run as it is."""
        if spec.variant is not None:
            return spec
        variant, recipe = self._space.resolve(spec.params)
        variant, _ = self._matched(variant)
        return dataclasses.replace(spec, variant=variant.to_dict(), recipe=recipe.to_dict())

    def audit(self, stopped: RunSpec) -> RunSpec:
        """A stopped trial, to be trained to its end."""
        number = stopped.key.rpartition("/")[2]
        return dataclasses.replace(
            stopped, key=f"audits/{number}", kind="audit", origin=stopped.key, cutoffs={}
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
            image_rungs=(),
            data=self._data_of(index),
        )

    def random_final(self, key: str, drawn: RunSpec, index: int) -> RunSpec:
        """A candidate drawn at random, trained as a finalist with fresh seed ``index``."""
        return dataclasses.replace(self.finalist(drawn, index), key=key, kind="random", origin=key)

    def _begun(self, key: str, fields: Mapping[str, Any]) -> RunSpec | None:
        """The run in a folder, if it has these fields: much quicker to read than to make."""
        path = self._settings.path / key / RUN_FILE
        try:
            spec = read_record(path, RunSpec.from_dict)
        except (MissingFileError, DamagedFileError):
            return None  # whoever takes the folder sets a damaged file aside
        if any(getattr(spec, name) != value for name, value in fields.items()):
            return None
        self.begun.add(key)
        return spec

    def _data_of(self, index: int) -> dict[str, Any] | None:
        """The study's data with validation drawn anew for a fresh seed; test stays as it is."""
        data = self._settings.data
        if data.class_path is not None:
            return None
        seed = derive_seed(self._settings.seed, "validation", index)
        return dataclasses.replace(data, validation_seed=seed).to_dict()

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
        check_fit(variant, recipe)
        variant, matched = self._matched(variant)
        first = self.first
        return RunSpec(
            study=self._settings.name,
            key=key,
            kind="trial",
            stage="search",
            label=label or variant.blocks_name,
            variant=variant.to_dict(),
            recipe=recipe.to_dict(),
            variant_id=variant.id,
            candidate_id=candidate_id(variant, recipe, *filter(None, [first.hash])),
            seed=self._seed,
            cost=count_cost(variant).to_dict(),
            matched=matched,
            init=first.file,
            weights_prefix=first.prefix,
            init_strict=not first.file,
        )

    def _matched(self, variant: Variant) -> tuple[Variant, dict[str, Any]]:
        """The network as it is trained, and what was adjusted to meet a cost."""
        variant, matched = self._matching.apply(variant)
        return variant if self._follow is None else self._follow(variant), matched


def checked_candidates(
    settings: StudySettings,
    first: FirstWeights = ANEW,
    follow: Callable[[Variant], Variant] | None = None,
) -> tuple[Space, Candidates]:
    """The space and what may be trained of it; all of a study that needs no images is checked.

    Raises InputError for a plug-in, space, baseline or objective that cannot be, or settings that
    contradict each other. ``first`` and ``follow`` are as in `Candidates`.
    """
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    space = Space(settings.variant, settings.recipe)
    variant, _ = space.resolve(space.default())
    settings.data.validate()
    check_objective(settings, variant.num_classes)
    objectives.check(settings.objective)
    candidates = Candidates(settings, space, first, follow)
    check_together(settings)
    return space, candidates


def check_objective(settings: ExperimentSettings, num_classes: int) -> None:
    """Raise InputError where the monitored metric is not one that will be logged."""
    known = [f"val/{name}" for name in LOGGED if name != "top5" or num_classes >= 10]
    monitor, mode = settings.objective.monitor, settings.objective.mode
    if settings.data.class_path is None and monitor not in known:
        raise unknown("metric", monitor, known)
    facts = facts_of(monitor)
    if facts is not None and facts.higher_is_better == (mode == "min"):
        raise InputError(
            f"objective.mode {mode!r} would search for the worst {monitor}; "
            f"give {'max' if facts.higher_is_better else 'min'}"
        )


def _changes(baseline: BaselineSettings, stages: int) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if baseline.blocks:
        changes |= {f"stages.{i}.blocks": list(baseline.blocks) for i in range(stages)}
    return changes | dict(baseline.set)

"""Settings that make no sense together, or change nothing, said before any work starts."""

from collections.abc import Iterator

from hybrid_swin.errors import InputError
from search.settings.preset_levels import preset_notes
from search.settings.study import BudgetSettings, StudySettings
from search.settings.unused_plugins import unused_plugins


def check_together(settings: StudySettings) -> None:
    """Raise InputError for the first two settings of a study that contradict each other."""
    for check in (
        *(_label_twice, _rungs_over_images, _chance_twice, _matched_objective),
        _matched_widths,
    ):
        check(settings)


def without_effect(settings: StudySettings, epochs: int, sampler: str) -> Iterator[str]:
    """What a user may take for at work and is not, a sentence each.

    ``epochs`` are those of the longest training, ``sampler`` is the chosen one.
    """
    yield from unused_plugins(settings)
    yield from preset_notes(settings.recipe, settings.changes)
    trials, rungs, budget = settings.trials, settings.rungs, settings.budget
    if not trials:
        return
    if rungs.over == "epochs" and rungs.first >= epochs:
        yield (
            f"no trial is stopped early: rungs.first {rungs.first} is not before the end of "
            f"a training of {epochs} epochs"
        )
    for at_work, name, first in (
        (sampler in ("tpe", "gp"), "startup_trials", settings.sampler.startup_trials),
        (sampler == "nsga2", "population", settings.sampler.population),
    ):
        if at_work and first >= trials and settings.sampler.name != "auto":  # which says so itself
            yield (
                f"{sampler} learns nothing: sampler.{name} {first} draws all of {trials} trials "
                "at random"
            )
    if budget.mode == "limit" and budget.tolerance != BudgetSettings.tolerance:
        yield f"budget.tolerance {budget.tolerance} is for budget.mode match only"


def _label_twice(settings: StudySettings) -> None:
    labels = [baseline.label for baseline in settings.baselines if baseline.label]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"two baselines have the label {label!r}, so their rows could not be told apart; "
                "give each a label of its own"
            )


def _rungs_over_images(settings: StudySettings) -> None:
    rungs, data = settings.rungs, settings.data
    if rungs.over != "images" or not rungs.first or not settings.trials:
        return
    if data.class_path is not None:
        raise InputError(
            "rungs.over images takes part of a source's train split; a module with data.class_path "
            "keeps its images to itself. Give rungs.over epochs"
        )
    if data.epoch_images:
        raise InputError(
            f"rungs.over images trains on part of the train split, and data.epoch_images "
            f"{data.epoch_images} fixes how many images an epoch has; give one of them"
        )


def _chance_twice(settings: StudySettings) -> None:
    sampler = settings.sampler
    if sampler.random_search and (sampler.name == "random" or not settings.trials):
        why = "there are no trials" if not settings.trials else "sampler.name random is chance too"
        raise InputError(
            f"sampler.random_search says what learning from trials brings, and {why}; leave it out"
        )


def _matched_widths(settings: StudySettings) -> None:
    if settings.init is not None and settings.budget.mode == "match":
        raise InputError(
            "budget.mode match solves widths, which do not fit the weights of init; give "
            "budget.mode limit"
        )


def _matched_objective(settings: StudySettings) -> None:
    budget, against = settings.budget, settings.objective.against
    if budget.mode != "match":
        return
    for name in ("parameters", "macs"):
        if getattr(budget, name) is not None and name in against:
            raise InputError(
                f"objective.against {name} looks for networks with few {name}, and budget.mode "
                f"match gives all of them {getattr(budget, name)}; take another cost, or "
                "budget.mode limit"
            )

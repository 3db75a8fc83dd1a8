"""Whether a finished run of a source is the run that a study would make, or what differs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.schema import SchemaError
from search.launch.imports.choice import Choice, Fitting
from search.launch.imports.offers import Offer, Source
from search.launch.session import Prepared
from search.records.imported import Imported, ImportedCandidate, read_training
from search.records.runs import RunResult, RunSpec
from search.records.versions import versions
from search.settings.study import StudySettings

_NUMERIC = ("torch", "lightning", "torchmetrics", "numpy", "pillow")  # scores depend on them
_OF_AN_EPOCH = ("epoch_images", "train_images")  # of the data, beside what hashes tell
_MEASURED = ("latency", "memory")  # of this machine, beside this study's other work


_NO_RUNS = "a file of candidates has no runs that could be taken over"

_Training = tuple[dict[str, Any], dict[str, Any], str]  # run, result and answers


def settle(choice: Choice, settings: StudySettings, prepared: Prepared) -> Imported:
    """What a study begins with: runs that are its own are taken over, and come first.

    A run counts as the study's own if candidate, seed, images, split, recipe, precision, objective
    and code are the same. Retrained networks are never taken over: they have read the test split of
    another study's seeds.
    """
    candidates = [_candidate(one, choice.source, settings, prepared) for one in choice.fitting]
    in_order = sorted(candidates, key=lambda candidate: not candidate.taken_over)  # stable
    source = choice.source
    return Imported(
        source.name,
        source.path,
        source.monitor,
        source.mode,
        source.tried,
        tuple(in_order),
        choice.left_out,
    )


def _candidate(
    one: Fitting, source: Source, settings: StudySettings, prepared: Prepared
) -> ImportedCandidate:
    offer = one.offer
    candidate = ImportedCandidate(offer.label, one.params, offer.origin, offer.score, offer.seeds)
    try:
        training = _training_of(offer)
        if training is None:
            runs = any(source.objective)
            why = "its source has no finished run of the search" if runs else _NO_RUNS
            return replace(candidate, why_trained=why)
        run, result, answers = training
        why = _why_not(one, run, result, source, settings, prepared)
    except (InputError, SchemaError) as error:
        return replace(candidate, why_trained=str(error))
    if why:
        return replace(candidate, why_trained=why)
    return replace(candidate, run=run, result=result, answers=answers)


def _training_of(offer: Offer) -> _Training | None:
    """The finished run of an offer."""
    stored = offer.stored
    if stored is not None and stored.run is not None and stored.result is not None:
        return stored.run, stored.result, stored.answers
    return None if offer.run_folder is None else read_training(offer.run_folder)


def _why_not(
    one: Fitting,
    run: Mapping[str, Any],
    ended_as: Mapping[str, Any],
    source: Source,
    settings: StudySettings,
    prepared: Prepared,
) -> str:
    """What differs between a run and this study's; empty if nothing does."""
    spec, result = RunSpec.from_dict(run), RunResult.from_dict(ended_as)
    if one.changed:
        return one.changed
    job, here = prepared.job_settings, prepared.hashes
    measured = [name for name in _MEASURED if name in settings.objective.against]
    if measured:
        return f"{measured[0]} is an objective, and was measured elsewhere"
    if not here.get("data_hash"):
        return "which images a data module of your own gives is not known"
    recorded = run.get("settled")
    data = recorded.get("data") if isinstance(recorded, Mapping) else None
    data = spec.data or (data if isinstance(data, Mapping) else {})
    known = job["data"]
    precision = str((one.spec.recipe or {}).get("precision"))
    pairs: dict[str, tuple[Any, Any]] = {
        "candidate": (spec.candidate_id, one.spec.candidate_id),
        "seed": (spec.seed, one.spec.seed),
        "objective": (source.objective[0], settings.objective.monitor),
        "objective.mode": (source.objective[1], settings.objective.mode),
        "state": (result.state, "complete"),
        "images (data_hash)": (result.data_hash, here.get("data_hash")),
        "split (split_hash)": (result.split_hash, here.get("split_hash")),
        **{f"data.{n}": (data.get(n, 0), known.get(n, 0)) for n in _OF_AN_EPOCH},
        **{f"data.{n}": (data.get(n), known.get(n)) for n in ("mean", "std")},
        "weights": (spec.init, one.spec.init),
        "precision": (result.precision, job["precision"] if precision == "auto" else precision),
        "code (code_hash)": (result.code_hash, job["code_hash"]),
        **_of_packages(source),
    }
    for name, (there, now) in pairs.items():
        if there != now:
            return f"{name} is {there!r} there and {now!r} here"
    return "" if result.score is not None else "it has no score"


def _of_packages(source: Source) -> dict[str, tuple[Any, Any]]:
    now = versions()
    there = source.versions or {}
    return {name: (there[name], now[name]) for name in _NUMERIC if name in there and name in now}

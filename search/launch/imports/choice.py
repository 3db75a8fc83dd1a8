"""Which candidates of a source a study tries: those that fit its space and budget, best first."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from search.launch.imports.offers import Offer, Source
from search.records.imported import LeftOut
from search.records.runs import RunSpec
from search.settings.study import StudySettings
from search.space.choices import RECIPE
from search.space.placement import (
    OF_THE_DATA,
    NotInSpaceError,
    place_network,
    place_values,
    same_value,
)
from search.space.space import Space
from search.statistics.formatting import counted
from search.study.candidates import Candidates
from search.study.sampling.draws import Refusal

MOST_OF_A_STUDY = 10  # candidates of another study, if not said otherwise
_SHARE = 2  # of the trials, one in so many, likewise
_SOLVED = (".width", "mlp_ratio")  # where costs are matched
_KEPT = 200  # that are left out, in the file


@dataclass(frozen=True)
class Fitting:
    """A candidate that the study tries, as a run of it whose key is not known yet.

    ``changed`` says what of its recipe is another one there; empty if nothing is.
    """

    offer: Offer
    params: dict[str, Any]
    spec: RunSpec
    changed: str


@dataclass(frozen=True)
class Choice:
    """What a study takes of a source.

    Args:
        source: where from.
        fitting: candidates in the order in which they are tried.
        left_out: others that do not fit, with the reason.
        beyond: how many more fit than are taken.
    """

    source: Source
    fitting: tuple[Fitting, ...]
    left_out: tuple[LeftOut, ...]
    beyond: int = 0


def choose(
    source: Source,
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    top: int | None = None,
    limited: bool = False,
) -> Choice:
    """The candidates that a study begins with.

    Of another study at most ten, and at most half of the trials, so that the search has room; of a
    list that somebody wrote all. ``top`` is another number. If hours have ``limited`` the trials,
    the first of what is meant are taken. Raises InputError if none fits, or more are meant than
    there are trials.
    """
    most = _most(source, settings, top, limited)
    known = {spec.candidate_id: spec.key for spec in candidates.baselines}
    fitting: list[Fitting] = []
    left_out = [LeftOut("?", source.name, damage) for damage in source.damaged]
    beyond = 0
    for offer in source.offers:
        try:
            one = _fit(offer, settings, space, candidates)
        except InputError as error:
            left_out.append(LeftOut(offer.label, offer.origin, _reason(error)))
            continue
        if twin := known.get(one.spec.candidate_id):
            left_out.append(LeftOut(offer.label, offer.origin, f"it is the same as {twin}"))
            continue
        known[one.spec.candidate_id] = offer.origin
        if len(fitting) < most:
            fitting.append(one)
        else:
            beyond += 1
    if not fitting:
        why, _ = Counter(one.why for one in left_out).most_common(1)[0]
        example = next(one for one in left_out if one.why == why)
        raise InputError(
            f"--import-trials: none of the {counted(len(source.offers), 'candidate')} in "
            f"{quote(source.name)} fits this study; for example {example.origin}: {why}"
        )
    if source.chosen and top is None and beyond and not limited:
        raise InputError(
            f"--import-trials: {len(fitting) + beyond} candidates of {quote(source.name)} fit and "
            f"trials is {settings.trials}; give --trials {len(fitting) + beyond}, or "
            f"--import-trials-top {settings.trials} for the first of them"
        )
    return Choice(source, tuple(fitting), tuple(left_out[:_KEPT]), beyond)


def _reason(error: InputError) -> str:
    """Why a candidate does not fit; of a block that is not known here, what to do."""
    text = str(error)
    if "unknown branch" in text or "unknown fusion" in text:
        return f"{text.partition(' (')[0]}; if it is of a plug-in, give --plugin FILE"
    return text


def _most(source: Source, settings: StudySettings, top: int | None, limited: bool) -> int:
    if not settings.trials:
        raise InputError("--import-trials gives the first trials, and trials is 0")
    if top is not None:
        if limited:
            top = min(top, settings.trials)
        if not 1 <= top <= settings.trials:
            raise InputError(
                f"--import-trials-top must be from 1 to the {settings.trials} trials; got {top}"
            )
        return top
    if source.chosen:
        return settings.trials
    return max(1, min(MOST_OF_A_STUDY, settings.trials // _SHARE))


def _fit(offer: Offer, settings: StudySettings, space: Space, candidates: Candidates) -> Fitting:
    """A candidate as this study would train it. Raises InputError if it cannot be one of it."""
    variant, recipe = _network(offer, space)
    try:
        if variant is None:
            params = place_values(space, offer.values or {})
        else:
            params = place_network(space, variant, recipe)
    except NotInSpaceError:
        if variant is None or not offer.values:
            raise
        params = place_values(space, offer.values)
    spec = candidates.look_at(params)
    if isinstance(spec, Refusal):
        raise InputError(spec.reason)
    if variant is not None and spec.variant_id != variant.id:
        _check_network(spec, variant, settings.budget.mode == "match")
    changed = _check_values(space, params, offer.values) if variant is None else ""
    if recipe is not None:
        changes = _differences(recipe.to_dict(), spec.recipe or {}, "recipe.")
        changed = next(changes, "")
    return Fitting(offer, params, replace(spec, params=params), changed)


def _check_values(space: Space, params: Mapping[str, Any], given: Mapping[str, Any] | None) -> str:
    """What of the recipe is another one where values are given that this space fixes.

    Raises InputError if these say another network.
    """
    changed = ""
    for path, there in (given or {}).items():
        if path in params:
            continue
        try:
            here = space.value_at(path, params)
        except InputError:
            here = None
        if not same_value(there, here):
            difference = f"{path} is {quote(there)} there and {quote(here)} in this study"
            if not path.startswith(f"{RECIPE}."):
                raise InputError(difference)
            changed = changed or difference
    return changed


def _network(offer: Offer, space: Space) -> tuple[Variant | None, Recipe | None]:
    """Network and recipe of an offer for this study's images; None if they are not said."""
    ours, first = space.resolve(space.default())
    if offer.changes is not None:
        changes = dict(offer.changes)
        blocks = changes.pop("blocks", None)
        if blocks:
            every = {f"stages.{i}.blocks": list(blocks) for i in range(len(ours.stages))}
            changes = every | changes
        variant, recipe = space.resolve(space.default(), changes)
        return variant, recipe
    if offer.variant is None:
        return None, None
    of_the_data = {name: getattr(ours, name) for name in OF_THE_DATA}
    variant = Variant.from_dict({**offer.variant, **of_the_data})
    if offer.recipe is None:
        return variant, None
    return variant, Recipe.from_dict({**first.to_dict(), **offer.recipe})


def _check_network(spec: RunSpec, variant: Variant, solved: bool) -> None:
    """Raise InputError if the study would train another network, and name what differs."""
    for difference in _differences(variant.to_dict(), spec.variant or {}, ""):
        if not (solved and difference.split()[0].endswith(_SOLVED)):
            raise InputError(difference)


def _differences(there: Any, here: Any, path: str) -> Iterator[str]:
    """Where plain values differ: ``stages.0.width is 96 there and 48 in this study``."""
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        there, here = dict(enumerate(there)), dict(enumerate(here))
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in dict.fromkeys((*there, *here)):
            yield from _differences(there.get(name), here.get(name), f"{path}{name}.")
    elif there != here:
        yield f"{path.rstrip('.')} is {quote(there)} there and {quote(here)} in this study"

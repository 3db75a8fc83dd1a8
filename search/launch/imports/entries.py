"""Candidates as a file lists them: words, networks, rows of a leaderboard."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, Literal

from hybrid_swin.errors import InputError, quote, unknown
from hybrid_swin.spec.variant import Variant
from search.launch.imports.offers import Offer
from search.settings.study import BaselineSettings, StudySettings

Mode = Literal["min", "max"]

_AS_A_BASELINE = tuple(field.name for field in fields(BaselineSettings))
_NETWORK = tuple(field.name for field in fields(Variant))
_ROW = ("variant", "recipe", "params", "label")
_ROWS = ("final", "search")  # of a leaderboard, what a single candidate has
_PARAMS = "params."  # of a column
_MOST = 10_000  # candidates of a list: each is made into a network before the study begins
_FORMS = (
    "write a block word, a list of words, {blocks: [...], set: {...}} as of a baseline, or a "
    "network with stages:"
)


def offers_in(content: Any, where: str) -> list[Offer]:
    """The candidates that a list, a network or a leaderboard's JSON holds; ``where`` names it.

    Raises InputError for anything else.
    """
    if isinstance(content, Mapping):
        if isinstance(content.get("rows"), list):
            mode: Mode = "min" if content.get("mode") == "min" else "max"
            return _by_search(_ranked(content["rows"], where), mode)
        if _is_study(content) or ("schema_version" in content and "variant" not in content):
            what = "the settings of a study" if _is_study(content) else "something else"
            raise InputError(
                f"{where} holds {what}, not candidates; give the folder of the study, its "
                f"leaderboard.json, or a list: {_FORMS}"
            )
        content = [content]
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        raise InputError(f"{where} must hold a list of candidates; got {quote(content)}; {_FORMS}")
    if len(content) > _MOST:
        raise InputError(
            f"{where} lists {len(content):,} candidates; give at most {_MOST:,}, the best first"
        )
    return [_entry(entry, index, where) for index, entry in enumerate(content, 1)]


def offers_in_table(text: str, where: str, mode: Mode) -> list[Offer]:
    """The candidates in a leaderboard's CSV. Raises InputError if it is not one.

    It does not say whether more or less of its score is better, but its ranks do; ``mode`` counts
    where they do not either, since all rows are equal.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{where} is not a table: {error}") from None
    columns = [name for name in reader.fieldnames or () if name]
    if not any(name.startswith(_PARAMS) for name in columns):
        raise InputError(
            f"{where} has no column such as {_PARAMS}stages.0.width: give the leaderboard.csv of a "
            "study"
        )
    plain = [
        {
            "rank": row.get("rank") or None,
            "label": row.get("label"),
            "fidelity": row.get("fidelity"),
            "candidate_id": row.get("candidate_id"),
            "search_score": _number(row.get("search_score")),
            "validation_mean": _number(row.get("validation_mean")),
            "seeds": _number(row.get("seeds")),
            "origin": row.get("origin"),
            "params": {
                name.removeprefix(_PARAMS): row[name]
                for name in columns
                if name.startswith(_PARAMS) and row.get(name) not in (None, "")
            },
        }
        for row in rows
    ]
    return _by_search(_ranked(plain, where), _mode_of(plain) or mode)


def _mode_of(rows: Sequence[Mapping[str, Any]]) -> Mode | None:
    """Which scores stand first in a leaderboard, among rows with the same kind of score."""
    groups: dict[Any, list[tuple[float, float]]] = {}
    for row in rows:
        rank, score = _number(row["rank"]), row["validation_mean"]
        if rank is not None and score is not None:
            groups.setdefault((row["fidelity"], row["seeds"]), []).append((rank, score))
    falls = 0
    for group in groups.values():
        scores = [score for _, score in sorted(group)]
        falls += sum((a > b) - (a < b) for a, b in pairwise(scores))
    return None if falls == 0 else "max" if falls > 0 else "min"


def _by_search(offers: Iterable[Offer], mode: Mode) -> list[Offer]:
    """The best of the search first, and last what has no score."""
    sign = 1 if mode == "min" else -1

    def place(offer: Offer) -> float:
        known = offer.score is not None and math.isfinite(offer.score)
        return sign * (offer.score or 0.0) if known else math.inf

    return sorted(offers, key=place)  # stable


def _ranked(rows: Sequence[Any], where: str) -> Iterator[Offer]:
    """Each candidate of a leaderboard's rows once, in their order, which is by validation.

    A retrained one has the score of the search: fresh seeds may be the same in another study, and
    must not have chosen what they judge.
    """
    seen: set[Any] = set()
    for row in rows:
        if not isinstance(row, Mapping):
            raise InputError(f"{where}: {quote(row)} is not a row of a leaderboard")
        named = row.get("candidate_id") or repr(row.get("params"))
        if row.get("fidelity", "search") in _ROWS and row.get("rank") and named not in seen:
            seen.add(named)
            yield _of_row(row, f"{where} #{row['rank']}")


def _of_row(row: Mapping[str, Any], origin: str) -> Offer:
    score, seeds = row.get("search_score"), 1
    if score is None:
        score, seeds = row.get("validation_mean"), row.get("seeds") or 0
    return Offer(
        label=str(row.get("label") or "?"),
        origin=origin,
        score=float(score) if isinstance(score, int | float) else None,
        seeds=int(seeds) if isinstance(seeds, int | float) else 0,
        variant=_mapping(row.get("variant"), f"{origin}: variant"),
        recipe=_mapping(row.get("recipe"), f"{origin}: recipe"),
        values=_mapping(row.get("params"), f"{origin}: params"),
    )


def _entry(entry: Any, index: int, where: str) -> Offer:
    origin = f"{where} #{index}"
    if isinstance(entry, str):
        return Offer(entry, origin, changes={"blocks": [entry]})
    if isinstance(entry, list | tuple):
        words = [str(word) for word in entry]
        return Offer(" ".join(words), origin, changes={"blocks": words})
    if not isinstance(entry, Mapping):
        raise InputError(f"{origin}: {quote(entry)} is not a candidate; {_FORMS}")
    if "variant" in entry or "params" in entry:
        return _of_row(entry, origin)
    if "stages" in entry:
        own = {str(name): value for name, value in entry.items() if name in _NETWORK}
        _check(entry, (*_NETWORK, "recipe", "label"), origin)
        recipe = _mapping(entry.get("recipe"), f"{origin}: recipe")
        return Offer(_label(entry, own), origin, variant=own, recipe=recipe)
    _check(entry, tuple(dict.fromkeys((*_AS_A_BASELINE, "stages", *_ROW))), origin)
    blocks = entry.get("blocks") or ()
    blocks = [blocks] if isinstance(blocks, str) else [str(word) for word in blocks]
    changes = dict(_mapping(entry.get("set"), f"{origin}: set") or {})
    if blocks:
        changes = {"blocks": blocks, **changes}
    if not changes:
        raise InputError(f"{origin} says nothing of a network; {_FORMS}")
    return Offer(str(entry.get("label") or " ".join(blocks) or "?"), origin, changes=changes)


def _label(entry: Mapping[str, Any], network: Mapping[str, Any]) -> str:
    if entry.get("label"):
        return str(entry["label"])
    try:
        return Variant.from_dict(network).blocks_name
    except InputError:  # said where it is chosen
        return "?"


def _check(entry: Mapping[Any, Any], allowed: Sequence[str], origin: str) -> None:
    for name in entry:
        if name not in allowed:
            raise InputError(f"{origin}: {unknown('field of a candidate', name, allowed)}")


def _mapping(value: Any, where: str) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"{where} must be a mapping by names; got {quote(value)}")
    return value


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _is_study(content: Mapping[str, Any]) -> bool:
    own = {field.name for field in fields(StudySettings)}
    return "variant" in content and len(own & content.keys()) > len({"variant", "recipe"})

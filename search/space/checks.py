"""Choices of which one could never be trained, or two are the same: refused before work starts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from hybrid_swin.errors import InputError
from search.space.choices import Choice, Range

Params = Mapping[str, Any]
_RANDOM_SETTINGS = 300  # of the others, beside the first ones and those that differ in one value


def check_values(
    parameters: Sequence[Choice | Range], first: Params, identify: Callable[[Params], str]
) -> None:
    """Refuse values that a search would train never, or twice.

    Values that are the same candidate for some settings of the others only are merely idle there.

    Args:
        parameters: all of a space.
        first: a setting of all of them that makes a network.
        identify: the candidate's identity; InputError where there is none.

    Raises:
        InputError: a value, such as a misspelt word, that makes no network with any others, or two
            that make the same candidate with all that were tried.
    """
    for parameter in parameters:
        if isinstance(parameter, Choice):
            _check(parameter, settings_of(parameters, first), identify)


def _check(
    choice: Choice, settings: Iterator[dict[str, Any]], identify: Callable[[Params], str]
) -> None:
    """Go through settings of the others until every value has made a candidate of its own."""
    by_label: dict[Any, list[str | None]] = {label: [] for label in choice.labels}
    errors: dict[Any, InputError] = {}
    for setting in settings:
        for label, candidates in by_label.items():
            try:
                candidates.append(identify({**setting, choice.path: label}))
            except InputError as error:
                errors.setdefault(label, error)
                candidates.append(None)
        made = Counter(map(tuple, by_label.values()))
        by_label = {label: c for label, c in by_label.items() if not any(c) or made[tuple(c)] > 1}
        if not by_label:
            return
    for label, candidates in by_label.items():
        if not any(candidates):
            raise InputError(
                f"{choice.path}: {label!r} makes no network with any other values: {errors[label]}"
            )
    label, candidates = next(iter(by_label.items()))
    twins = [repr(other) for other, same in by_label.items() if same == candidates]
    raise InputError(
        f"{choice.path}: {' and '.join(twins)} are the same candidate whatever the other values "
        "are; leave one of them out"
    )


def settings_of(parameters: Sequence[Choice | Range], first: Params) -> Iterator[dict[str, Any]]:
    """Some settings: the first values, then those that differ in one, then some at random."""
    yield dict(first)
    for parameter in parameters:
        for label in parameter.some(8):
            yield {**first, parameter.path: label}
    random = Random(0)  # noqa: S311  # no secret
    for _ in range(_RANDOM_SETTINGS):
        yield {p.path: p.draw(random) for p in parameters}

"""Inspections by name, with options: ``spectrum,occlusion(patches=8;patch=16)`` (no torch)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry

_ASKED = re.compile(r"\s*([A-Za-z0-9_-]+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Asked:
    """An inspection and the options given to it."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def parse_inspections(text: str) -> tuple[Asked, ...]:
    """Read a list of inspections.

    Raises InputError for no list, an unknown inspection or option, or one named twice.
    """
    found: list[Asked] = []
    position = 0
    while position < len(text.rstrip().rstrip(",")):
        match = _ASKED.match(text, position)
        if not match:
            raise InputError(
                f"{text[position:]!r} names no inspection; separate them by commas and write "
                "options in brackets, as in spectrum,occlusion(patches=8;patch=16)"
            )
        found.append(_checked(match[1], match[2]))
        position = match.end()
    names = [asked.name for asked in found]
    if not names:
        raise InputError(
            f"no inspection is named; choose from {', '.join(registry.names('inspection'))}"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"inspection {twice[0]!r} is named twice; name it once")
    return tuple(found)


def as_trained(asked: Sequence[Asked], data: DataSettings) -> tuple[Asked, ...]:
    """An inspection named as a data source makes its images itself: with the data's options.

    What was asked for explicitly stays, and so does what the inspection does not take.
    """
    if data.class_path is not None:
        return tuple(asked)
    found = []
    for one in asked:
        if one.name == data.source:
            known = registry.describe("inspection", one.name).options
            shared = {key: value for key, value in data.options.items() if key in known}
            one = Asked(one.name, shared | one.options)
        found.append(one)
    return tuple(found)


def _checked(name: str, inside: str | None) -> Asked:
    part = registry.describe("inspection", name)
    return Asked(name, part.read_options(inside or None, f"inspection {name}"))

"""Inspections by name, with options: ``spectrum,occlusion(patches=8;patch=16)`` (no torch)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry

_REQUEST = re.compile(r"\s*([A-Za-z0-9_-]+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Request:
    """An inspection and the options given to it."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def parse_inspections(text: str) -> tuple[Request, ...]:
    """Read a list of inspections.

    Raises InputError for no list, an unknown inspection or option, or one named twice.
    """
    requests: list[Request] = []
    position = 0
    while position < len(text.rstrip().rstrip(",")):
        match = _REQUEST.match(text, position)
        if not match:
            raise InputError(
                f"{text[position:]!r} names no inspection; separate them by commas and write "
                "options in brackets, as in spectrum,occlusion(patches=8;patch=16)"
            )
        requests.append(_checked(match[1], match[2]))
        position = match.end()
    names = [request.name for request in requests]
    if not names:
        raise InputError(
            f"no inspection is named; choose from {', '.join(registry.names('inspection'))}"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"inspection {twice[0]!r} is named twice; name it once")
    return tuple(requests)


def as_trained(requests: Sequence[Request], data: DataSettings) -> tuple[Request, ...]:
    """An inspection named as a data source makes its images itself: with the data's options.

    Options of the request stay, and so does what the inspection does not take.
    """
    if data.class_path is not None:
        return tuple(requests)
    full_requests = []
    for one in requests:
        if one.name == data.source:
            known = registry.describe("inspection", one.name).options
            shared = {key: value for key, value in data.options.items() if key in known}
            one = Request(one.name, shared | one.options)
        full_requests.append(one)
    return tuple(full_requests)


def _checked(name: str, inside: str | None) -> Request:
    part = registry.describe("inspection", name)
    return Request(name, part.read_options(inside or None, f"inspection {name}"))

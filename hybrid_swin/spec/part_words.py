"""The grammar of one part with its options, ``randaugment(n=2;m=9)``: in block words and recipes.

::

    part   = name ["(" option {";" option} ")"]
    option = key "=" value                           (true, false, a number or a bare name)
"""

import re
from dataclasses import dataclass

from hybrid_swin.spec import registry
from hybrid_swin.spec.options import OptionValue, spell
from hybrid_swin.spec.registry import PartKind

PART = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(?:\(([^()]*)\))?\s*")
VALUE = re.compile(r"[A-Za-z0-9_.+\-]+")


@dataclass(frozen=True, order=True)
class Part:
    """A part with the options that were given to it, sorted by key."""

    name: str
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __str__(self) -> str:
        inside = ";".join(f"{k}={spell(v)}" for k, v in self.options)
        return f"{self.name}({inside})" if inside else self.name

    @property
    def kwargs(self) -> dict[str, OptionValue]:
        """The options as keyword arguments."""
        return dict(self.options)


def without_defaults(kind: PartKind, part: Part) -> Part:
    """The part with no option that is at its default."""
    options = registry.describe(kind, part.name).options
    return Part(part.name, tuple((k, v) for k, v in part.options if v != options[k].default))

"""The parts that a recipe names by word: its optimizer, its schedule, its augmentations (no torch).

A part is one file: ``training/optimizers/``, ``training/schedules/``, ``training/augmentations/``,
or a plug-in. Its options and what it says of itself are read from its source.
"""

from collections.abc import Iterable
from importlib import metadata

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec import registry
from hybrid_swin.spec.part_words import PART, VALUE, Part
from hybrid_swin.spec.registry import PartKind

# Fields of a recipe that a part may say it does not use, in its class attribute ``unused``.
MAY_BE_UNUSED = "weight_decay", "warmup_epochs", "warmup_learning_rate", "min_learning_rate"

Named = tuple[PartKind, Part]


def read_part_word(kind: PartKind, text: object, where: str) -> Part:
    """One part by its word. Raises InputError that says where, and what is allowed."""
    match = PART.fullmatch(text) if isinstance(text, str) and text.isascii() else None
    if match is None:
        known = ", ".join(registry.names(kind))
        raise InputError(
            f"{where} must be a name, with options in brackets as in name(option=1;option=2); "
            f"got {quote(text)} ({kind}s: {known})"
        )
    part = registry.describe(kind, match[1])
    options = part.read_options(match[2], f"{where} {text!r}", VALUE)
    return Part(match[1], tuple(sorted(options.items())))


def read_part_words(kind: PartKind, value: object, where: str) -> tuple[Part, ...]:
    """Several parts in their order, by a list of words. Raises InputError likewise."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{where} must be a list of names, such as [a, b]; got {quote(value)}")
    return tuple(read_part_word(kind, text, where) for text in value)


def unused_by(parts: Iterable[Named]) -> set[str]:
    """The recipe's fields that these parts say they do not use.

    Raises InputError for a part that names another field.
    """
    unused: set[str] = set()
    for kind, part in parts:
        names = registry.describe(kind, part.name).constants.get("unused", ())
        for name in names:
            if name not in MAY_BE_UNUSED:
                raise InputError(
                    f"{kind} {part.name}: unused names {name!r}; it may name "
                    f"{', '.join(MAY_BE_UNUSED)}"
                )
        unused |= {*names}
    return unused


def check_torch(parts: Iterable[Named]) -> None:
    """Raise InputError for a part that needs a newer torch than is installed."""
    for kind, part in parts:
        needed = registry.describe(kind, part.name).constants.get("needs_torch", "")
        if needed and _numbers(installed := metadata.version("torch")) < _numbers(needed):
            raise InputError(
                f"{kind} {part.name} needs torch {needed} or newer, and torch {installed} is "
                f"installed; update torch, or choose another {kind}"
            )


def plugin_hashes(parts: Iterable[Named]) -> dict[str, str]:
    """Source hashes of the plug-ins among these parts, which make a recipe another one."""
    hashes = {f"{kind} {p.name}": registry.plugin_hash(kind, p.name) for kind, p in parts}
    return {part: digest for part, digest in sorted(hashes.items()) if digest}


def _numbers(version: str) -> tuple[int, ...]:
    """2.9 of 2.9.1+cpu."""
    return tuple(int(number) for number in version.split("+")[0].split(".")[:2])

"""What came of loading weights, for programs and for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

How = Literal["taken", "identity start", "changed", "fresh"]
_MEANINGS: dict[How, str] = {
    "taken": "as in the source",
    "identity start": "that start as the source's mixer alone",
    "changed": "that compute something else than in the source",
    "fresh": "with a fresh mixer",
}


@dataclass(frozen=True)
class Resized:
    """A parameter that was fitted to another shape."""

    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.before} -> {self.after}"


@dataclass(frozen=True)
class BlockStart:
    """How one block starts.

    Args:
        name: such as ``layers.2.blocks.0``.
        word: the model's block word.
        how: ``taken``: the source's weights for the same mixer; ``identity start``: several
            branches that compute what the source's one computed; ``changed``: weights were taken,
            but the block computes something else; ``fresh``: the mixer is left as it was.
        why: the reason for ``changed`` and ``fresh``.
    """

    name: str
    word: str
    how: How
    why: str = ""


@dataclass(frozen=True)
class WeightReport:
    """What came of loading weights. ``taken``, ``resized`` and ``fresh`` share out the model.

    Args:
        source: the file.
        layout: ``timm`` (also our own), ``microsoft`` (also timm before 0.9), ``torchvision``,
            ``huggingface`` or ``openmmlab``.
        taken: the model's parameters that have the source's values.
        resized: those that have them, fitted to another window or number of image channels.
        fresh: those that were left at their initialisation, or that an identity start has set.
        unused: the source's names of what was not taken.
        blocks: how each block starts.
        notes: what else the user should know.
    """

    source: str
    layout: str
    taken: tuple[str, ...]
    resized: tuple[Resized, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    blocks: tuple[BlockStart, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.source} ({self.layout} layout)", f"  taken: {len(self.taken)}"]
        for title, items in (
            ("resized", list(map(str, self.resized))),
            ("fresh", list(self.fresh)),
            ("unused", list(self.unused)),
        ):
            lines.append(f"  {title}: {len(items)}" + (f" ({few(items)})" if items else ""))
        for how, meaning in _MEANINGS.items():
            for why in dict.fromkeys(b.why for b in self.blocks if b.how == how):
                found = [f"{b.name} {b.word}" for b in self.blocks if (b.how, b.why) == (how, why)]
                which = f" ({few(found)})" if how != "taken" else ""
                lines.append(f"  blocks {meaning}: {len(found)}{which}{why and f': {why}'}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def few(items: Sequence[str] | Iterable[str], most: int = 3) -> str:
    """The first items, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more

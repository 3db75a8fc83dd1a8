"""What came of loading weights, for programs and for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hybrid_swin.errors import few
from hybrid_swin.spec.window_rules import spell_size

How = Literal["taken", "identity start", "changed", "unsure", "fresh"]
_MEANINGS: dict[How, str] = {
    "taken": "as in the source",
    "identity start": "that start as the source's mixer alone",
    "changed": "that compute something else than in the source",
    "unsure": "not known to be as in the source",
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
        how: ``taken``: the source's weights for the same mixer, which computes the same;
            ``identity start``: several branches that compute what the source's one computed;
            ``changed``: weights were taken, but the block computes something else; ``unsure``:
            weights were taken, and it is not known whether the block computes the same; ``fresh``:
            the mixer is left as it was.
        why: the reason for ``changed``, ``unsure`` and ``fresh``.
        difference: the difference of the block's output from the source's, over the size of that,
            on a random map; None if it was not measured.
    """

    name: str
    word: str
    how: How
    why: str = ""
    difference: float | None = None


@dataclass(frozen=True)
class WeightReport:
    """What came of loading weights. ``taken``, ``resized`` and ``fresh`` share out the model.

    "As in the source" is meant for images of the model's nominal size, in evaluation, and judged by
    the rules of the source's library, which differ from library to library.

    Args:
        source: the file.
        layout: ``timm`` (also our own), ``microsoft`` (also timm before 0.9), ``torchvision``,
            ``huggingface`` or ``openmmlab``.
        taken: the model's parameters that have the source's values.
        resized: those that have them, fitted to another window or number of image channels.
        fresh: those that were left at their initialisation, or that an identity start has set.
        unused: the source's names of what was not taken, and has no part in giving the source's
            last map or belongs to a mixer that the model does not have: heads, decoders.
        blocks: how each block starts.
        notes: what else the user should know.
        left_out: the source's names of what had a part in giving its last map, such as position
            embeddings, and has no place in the model.
        outside: what differs from the source outside of blocks, in words.
        image_size: nominal (height, width) in pixels for which blocks were compared.
        rules: whose rules the source was judged by; empty for a network of ours.
        basis: what is known of them from: a config beside the weights, or the library's defaults.
        place: where in the source the network lay, such as ``model_ema``; empty at its top.
        other_sizes: at which other sizes of images logits differ from the source's; empty if they
            do at every size, or if nothing is known.
        fresh_share: share of the model's parameters, by their number, that are fresh.
    """

    source: str
    layout: str
    taken: tuple[str, ...]
    resized: tuple[Resized, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    blocks: tuple[BlockStart, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    image_size: tuple[int, int] = (0, 0)
    rules: tuple[str, ...] = ()
    basis: str = ""
    place: str = ""
    other_sizes: str = ""
    fresh_share: float = 0.0

    @property
    def from_source(self) -> frozenset[str]:
        """The model's parameters that have the source's values, resized or as they were."""
        return frozenset((*self.taken, *(one.name for one in self.resized)))

    @property
    def is_as_in_source(self) -> bool:
        """Whether the model gives the last map that the source gave, at its nominal image size."""
        same = all(block.how in ("taken", "identity start") for block in self.blocks)
        return same and not (self.outside or self.resized or self.left_out)

    def warnings(self) -> list[str]:
        """What of the source is not as it was there, and what was chosen; a line for each."""
        lines = [line.strip() for line in str(self).splitlines()[1:]]
        kinds = [f"blocks {_MEANINGS[how]}" for how in ("changed", "unsure")]
        kinds += ["differs outside of blocks", "note:", "resized: "]
        return [line for line in lines if line.startswith(tuple(kinds)) and line != "resized: 0"]

    def __str__(self) -> str:
        lines = [f"{self.source} ({self.layout} layout)", f"  taken: {len(self.taken)}"]
        for title, items in (
            ("resized", list(map(str, self.resized))),
            ("fresh", list(self.fresh)),
            ("unused", list(self.unused)),
            ("left out", list(self.left_out)),
        ):
            if items or title != "left out":
                lines.append(f"  {title}: {len(items)}" + (f" ({few(items)})" if items else ""))
        if self.rules:
            lines.append(f"  compared by the rules of: {' or '.join(self.rules)} ({self.basis})")
        size = f" at {spell_size(self.image_size)}" if any(self.image_size) else ""
        for how, meaning in _MEANINGS.items():
            at = size if how == "taken" else ""
            for why in dict.fromkeys(b.why for b in self.blocks if b.how == how):
                blocks = [b for b in self.blocks if (b.how, b.why) == (how, why)]
                names = [f"{b.name} {b.word}" for b in blocks]
                which = f" ({few(names)})" if how != "taken" else ""
                what = f"{why and f': {why}'}{_measured(blocks)}"
                lines.append(f"  blocks {meaning}{at}: {len(names)}{which}{what}")
        lines += [f"  differs outside of blocks: {what}" for what in self.outside]
        lines += [f"  other sizes: {self.other_sizes}"] if self.other_sizes else []
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _measured(blocks: Sequence[BlockStart]) -> str:
    """By how much blocks differ, as far as it was measured."""
    gaps = [b.difference for b in blocks if b.difference is not None]
    return f"; its output differs by {max(gaps):.2g} of its size on a random map" if gaps else ""

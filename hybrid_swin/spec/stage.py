"""A stage: blocks of one width on one grid, as data."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import BlockWord, parse
from hybrid_swin.spec.values import (
    check_choice,
    check_fields,
    plain_window,
    read_whole,
    read_window,
)
from hybrid_swin.spec.window_rules import Window, spell_size

_MOST_BLOCKS = 10**4  # beyond any network

Norm = Literal["pre", "post", "branch"]


@dataclass(frozen=True)
class Stage:
    """Blocks of one width on one grid.

    Args:
        width: channels C.
        depth: number of blocks.
        num_heads: attention heads; divides the width.
        blocks: block words, which cycle over the depth.
        window_size: of this stage's windows, instead of the variant's.
        norm: where a block normalises: ``pre``, before its mixer and its MLP; ``post``, after
            them, as in Swin Transformer V2; ``branch``, before each of the mixer's branches by a
            norm of its own.
    """

    width: int
    depth: int
    num_heads: int
    blocks: tuple[str, ...]
    window_size: Window | None = None
    norm: Norm = "pre"

    def norms_branches(self, word: BlockWord) -> bool:
        """Whether a block of this word has a norm per branch; one branch alone is just `pre`."""
        return self.norm == "branch" and len(word.branches) > 1

    def to_dict(self) -> dict[str, Any]:
        """The fields as they stand in YAML; those at their default are left out."""
        fields: dict[str, Any] = {
            "width": self.width,
            "depth": self.depth,
            "num_heads": self.num_heads,
            "blocks": list(self.blocks),
        }
        if self.window_size is not None:
            fields["window_size"] = plain_window(self.window_size)
        if self.norm != "pre":
            fields["norm"] = self.norm
        return fields

    def words(self) -> tuple[str, ...]:
        """One word per block: ``blocks`` cycled over the depth, as the user wrote them."""
        return tuple(self.blocks[i % len(self.blocks)] for i in range(self.depth))

    @property
    def name(self) -> str:
        """Readable ASCII name: depth x width, and what is special."""
        window = self.window_size
        special = [] if window is None else [f"window={spell_size(window)}"]
        special += [f"norm={self.norm}"] if self.norm != "pre" else []
        return f"{self.depth}x{self.width}" + (f"({';'.join(special)})" if special else "")


def read_stage(value: Any, where: str) -> Stage:
    """A stage of a mapping or a Stage with any values. Raises InputError that names the place."""
    if isinstance(value, Mapping):
        check_fields(value, Stage, f"field of {where}")
        missing = {f.name for f in fields(Stage) if f.default is MISSING} - set(value)
        if missing:
            raise InputError(f"{where}: {', '.join(sorted(missing))} missing")
        value = Stage(**value)
    if not isinstance(value, Stage):
        raise InputError(
            f"{where} must be a mapping with width, depth, num_heads and blocks; got {value!r}"
        )
    blocks: Any = value.blocks
    if isinstance(blocks, str):
        blocks = (blocks,)
    if not isinstance(blocks, list | tuple) or not blocks:
        raise InputError(f"{where}.blocks must be a list with at least one word; got {blocks!r}")
    window = value.window_size
    stage = Stage(
        read_whole(value.width, 1, f"{where}.width"),
        read_whole(value.depth, 1, f"{where}.depth", _MOST_BLOCKS),
        read_whole(value.num_heads, 1, f"{where}.num_heads"),
        tuple(blocks),
        None if window is None else read_window(window, f"{where}.window_size"),
        value.norm,
    )
    check_choice(stage.norm, get_args(Norm), f"{where}.norm")
    if len(stage.blocks) > stage.depth:
        raise InputError(
            f"{where}: {len(stage.blocks)} blocks are named for a depth of "
            f"{stage.depth}; name at most {stage.depth}"
        )
    if stage.width % stage.num_heads:
        divisors = [n for n in range(1, min(stage.width, 64) + 1) if stage.width % n == 0]
        raise InputError(
            f"{where}: width {stage.width} is not divisible by num_heads "
            f"{stage.num_heads}; choose one of {', '.join(map(str, divisors))}"
        )
    for word in stage.blocks:
        try:
            parse(word)
        except InputError as error:
            raise InputError(f"{where}.blocks: {error}") from None
    return stage

"""Window attentions of a model, and what stands in their places in the source of their weights."""

from collections.abc import Iterator
from typing import NamedTuple

from hybrid_swin.interop.weights.filling.mixers import TABLE, MixerPlan, MixerSource
from hybrid_swin.interop.weights.source.rules import Rules
from hybrid_swin.network.block import Block
from hybrid_swin.network.resizing import window_of_table
from hybrid_swin.spec.block_words import WINDOWED, BlockWord, Part, own_window, parse, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid, Window, WindowLayout, sides_of


class TakenBlock(NamedTuple):
    """A block of the model, what it takes, and the mixer that stands there in the source."""

    variant: Variant
    stage: int
    number: int
    block: Block
    mixer: MixerPlan
    theirs: MixerSource

    @property
    def name(self) -> str:
        """Of the block, by timm."""
        return f"layers.{self.stage}.blocks.{self.number}"

    @property
    def word(self) -> BlockWord:
        """The model's."""
        return self.variant.block_words[self.stage][self.number]

    @property
    def grid(self) -> Grid:
        """Tokens of the model's nominal map."""
        return self.variant.grids[self.stage]

    @property
    def window(self) -> Window:
        """The stage's window size."""
        return self.variant.window_sizes[self.stage]


class Attention(NamedTuple):
    """A branch of a block that has the weights of one of the source's.

    Args:
        at: the block.
        branch: which one of its word.
        theirs: the source's word for it, if the source is a network of ours.
    """

    at: TakenBlock
    branch: int
    theirs: Part | None = None

    @property
    def part(self) -> Part:
        """The model's word for it."""
        return self.at.word.branches[self.branch]

    @property
    def kind(self) -> str:
        """The source's attention: ``w_msa`` or ``sw_msa``, if it is a plain Swin."""
        return self.theirs.name if self.theirs else self.at.theirs.name

    @property
    def name(self) -> str:
        """The block's, with the attention's word."""
        return f"{self.at.name} {self.part}"

    @property
    def window(self) -> Window:
        """The window that the model's branch is made for."""
        return own_window(self.part, self.at.window)

    @property
    def rows(self) -> int:
        """Of the source's bias table; 0 where it has none."""
        table = self.at.theirs.weights.get(TABLE)
        return len(table) if table is not None and table.ndim else 0

    def layout(self, image: Grid | None = None) -> WindowLayout:
        """The windows of the model's branch, on the map of an image, or on the nominal one."""
        variant, stage = self.at.variant, self.at.stage
        grid = None if image is None else variant.grids_of(image)[stage]
        return window_layout(self.part, self.at.grid, self.at.window, grid)

    def source_layout(
        self, rules: Rules, image: Grid | None = None, window: Window | None = None
    ) -> WindowLayout | str:
        """The windows of a foreign source's block on the same map; or why there are none.

        A table of biases tells their size: it is that of the model's windows if these are as large
        by the source's rules, else that of windows of its own. V2 has none: there the source says
        it, or they are taken for the model's. ``window`` is `source_window`'s, where many images
        are asked about.
        """
        window, shifted = window or self.source_window(rules), self.kind == "sw_msa"
        return rules.lay(self.at.variant, self.at.stage, window, shifted, image)

    def source_window(self, rules: Rules) -> Window:
        """The nominal window of a foreign source's block."""
        at = self.at
        laid = rules.lay(at.variant, at.stage, self.window, self.kind == "sw_msa")
        window = sides_of(self.window) if isinstance(laid, str) else laid.window
        their_window = at.theirs.window
        own = window_of_table(self.rows, window, their_window) if self.rows else their_window
        return self.window if own is None or own == window else own


def attentions_of(at: TakenBlock, source: Variant | None) -> Iterator[Attention]:
    """The block's window attentions that take one of the source's.

    ``source`` is its variant, if it is a network of ours.
    """
    if not at.mixer.values or not at.theirs.kind:
        return
    if source is not None:
        for branch, theirs in pairs(at):
            if at.word.branches[branch].name in WINDOWED:
                yield Attention(at, branch, theirs)
    elif at.theirs.is_plain:
        yield Attention(at, at.mixer.base or 0)


def pairs(at: TakenBlock) -> list[tuple[int, Part]]:
    """The model's branches by number, with the word of the source's that gave each its weights."""
    theirs = parse(at.theirs.kind or "").branches
    if len(theirs) == len(at.word.branches):
        return list(enumerate(theirs))
    return [(at.mixer.base or 0, theirs[0])]


def is_strided(part: Part, laid: WindowLayout) -> bool:
    """Whether a branch's windows gather tokens from all over the map, as `grid`'s do."""
    axes = zip(laid.window, laid.padded, strict=True)
    return part.name == "grid" and not all(side in (1, whole) for side, whole in axes)

"""How many tokens windows add to maps that they do not divide."""

from math import prod

from hybrid_swin.spec.block_words import WINDOWED, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import spell_size, window_of

_MUCH = 1.1  # times the tokens


def padding_notes(variant: Variant) -> list[str]:
    """Where windows pad maps by more than a tenth, one sentence for the stage of most padding."""
    worst, note = _MUCH, ""
    for words, grid, window in zip(
        variant.block_words, variant.grids, variant.window_sizes, strict=True
    ):
        parts = {part for word in words for part in word.branches if part.name in WINDOWED}
        for part in sorted(parts):
            laid = window_layout(part, grid, window)
            if (times := prod(laid.padded) / prod(grid)) > worst:
                worst = times
                note = (
                    f"windows of {spell_size(window_of(laid.window))} pad maps of "
                    f"{spell_size(grid)} to {spell_size(laid.padded)}, {times:.2g} times the "
                    "tokens in attention; a window_size that divides the map pads nothing"
                )
    return [note] if note else []

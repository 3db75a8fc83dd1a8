"""Windows that branches name themselves, ``w_msa(window_size=4)``, instead of their stage's.

One network may be written in several ways: the stage's window and those of some branches, or
another window of the stage and those of the others. Identities are made of one of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hybrid_swin.spec.block_words import (
    WINDOW,
    WINDOWED,
    BlockWord,
    Part,
    own_window,
    window_layout,
)
from hybrid_swin.spec.options import Sides
from hybrid_swin.spec.window_rules import Grid, Window, sides_of, window_of


def with_own_windows(words: Sequence[BlockWord], window_size: Window) -> tuple[BlockWord, ...]:
    """The words of a stage with the window of every branch in them, if any branch names its own."""
    parts = [part for word in words for part in word.branches]
    if not any(part.name in WINDOWED and WINDOW in part.kwargs for part in parts):
        return tuple(words)

    def spelt(part: Part) -> Part:
        if part.name not in WINDOWED:
            return part
        options = part.kwargs | {WINDOW: Sides(*sides_of(own_window(part, window_size)))}
        return Part(part.name, tuple(sorted(options.items())))

    return tuple(replace(word, branches=tuple(map(spelt, word.branches))) for word in words)


def own_window_on_map(part: Part, grid: Grid, window_size: Window) -> Part:
    """A branch with its own window as it lies on the map; without it if its stage's lies alike."""
    if part.name not in WINDOWED or WINDOW not in part.kwargs:
        return part
    laid = window_layout(part, grid, window_size)
    less = without_window(part)
    if window_layout(less, grid, window_size) == laid:
        return less
    there = Part(part.name, tuple(sorted((*less.options, (WINDOW, Sides(*laid.window))))))
    return there if window_layout(there, grid, window_size) == laid else part


def candidate_windows(parts: Iterable[Part], grid: Grid, window_size: Window) -> set[Window]:
    """Windows that a stage could have so that some of its branches need none of their own."""
    parts = tuple(parts)
    named = {own_window(part, window_size) for part in parts}
    return named | {window_of(window_layout(part, grid, window_size).window) for part in parts}


def bare_parts(parts: Iterable[Part], grid: Grid, window_size: Window) -> list[Part]:
    """Those that lie as they do by a stage's window as well, without their own."""
    pairs = ((part, without_window(part)) for part in parts)
    return [
        less
        for part, less in pairs
        if window_layout(part, grid, window_size) == window_layout(less, grid, window_size)
    ]


def without_window(part: Part) -> Part:
    """A branch that has its stage's windows."""
    return Part(part.name, tuple(option for option in part.options if option[0] != WINDOW))

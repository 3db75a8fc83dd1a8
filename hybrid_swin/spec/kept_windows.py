"""A network for images of another size whose windows stay: which variant that is."""

from collections.abc import Iterator
from dataclasses import replace

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import WINDOWED, Part, window_layout
from hybrid_swin.spec.registry import load, plugin_hash
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid, Window, sides_of, spell_window, window_of


def with_windows_kept(variant: Variant, image_size: Grid | int) -> Variant:
    """The variant for images of another size, in which windows lie as they are.

    A window that has shrunk to a map stays as small on a larger one, which then stands in its
    stage; only where the new map is smaller still it shrinks to that.

    Raises:
        InputError: no image_size, or a stage has branches of which only some have shrunk.
    """
    changed = replace(variant, image_size=image_size)  # type: ignore[arg-type]  # checked there
    stages = tuple(_stage(variant, changed, index) for index in range(len(variant.stages)))
    return replace(changed, stages=stages)


def _stage(before: Variant, after: Variant, index: int) -> Stage:
    stage, window, grid = before.stages[index], before.window_sizes[index], after.grids[index]
    parts = list(_windowed(before, index))
    in_use = [_fitted(part, before.grids[index], window) for part in parts]
    kept = [_fitted(part, grid, mine) for part, mine in zip(parts, in_use, strict=True)]
    for other in dict.fromkeys((window, *in_use)):
        if [_fitted(part, grid, other) for part in parts] == kept:
            return stage if other == window else replace(stage, window_size=other)
    told = ", ".join(f"{part} {spell_window(w)}" for part, w in zip(parts, in_use, strict=True))
    raise InputError(
        f"stages.{index}: its windows differ ({told}) and cannot all stay for images of "
        f"{after.image_size[0]}x{after.image_size[1]}; give window_size or window_ratio as well"
    )


def _windowed(variant: Variant, index: int) -> Iterator[Part]:
    """Branches that have windows, or may, being plug-ins."""
    parts = {part for word in variant.block_words[index] for part in word.branches}
    for part in sorted(parts):
        if part.name in WINDOWED or plugin_hash("branch", part.name):
            yield part


def _fitted(part: Part, grid: Grid, window: Window) -> Window:
    """The window as a branch has it on a nominal map."""
    if part.name in WINDOWED:
        return window_of(window_layout(part, grid, window).window)
    cls = load("branch", part.name)
    return window_of(sides_of(cls.fitted_window(window, grid, **part.kwargs)))

"""What of a block word and its windows counts on the nominal map: what identities are made of.

Options of plug-ins are never dropped, nor windows of stages that have one, since only their code
knows what they do.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import (
    LAYING,
    PRETRAINED,
    WINDOW,
    WINDOWED,
    BlockWord,
    Part,
    window_layout,
)
from hybrid_swin.spec.branch_shapes import gated_branch, share_heads
from hybrid_swin.spec.own_windows import bare_parts, candidate_windows, own_window_on_map
from hybrid_swin.spec.window_rules import (
    Grid,
    Window,
    lay_regions,
    overlap_margin,
    sides_of,
    window_of,
)

# Branches of two halves: the option that leaves out the convolution, beside `attention`.
_CONVOLUTIONS = {
    "agent": "depthwise",
    "linear": "depthwise",
    "routing": "depthwise",
    "stripes": "positions",
}
# Branches with a size that may take in the whole map.
_COVERING = {"agent": "agents", "pooled": "pool", "stripes": "width"}


def word_on_map(word: BlockWord, grid: Grid, window_size: Window, num_heads: int) -> BlockWord:
    """A canonical word without what changes nothing on a map.

    Attentions are named `w_msa` where they are just that, unless it would change the order of
    branches and their fusion looks at it.
    """
    laid = (own_window_on_map(branch, grid, window_size) for branch in word.branches)
    word = replace(word, branches=tuple(laid))
    there = tuple(branch_on_map(branch, grid, window_size) for branch in word.branches)
    fusion = word.fusion
    constants = {} if fusion is None else registry.describe("fusion", fusion.name).constants
    if fusion is None or constants.get("ordered"):
        return BlockWord(there, fusion)
    if fusion.name == "split":
        return _split_on_map(there, fusion, num_heads)
    if constants.get("symmetric"):
        return BlockWord(tuple(sorted(there, key=str)), fusion)
    if fusion.name == "cross" and not _pads(word, grid, window_size):
        fusion = _without(fusion, "padding")
    in_order = list(there) == sorted(there, key=str)
    return BlockWord(there if in_order else word.branches, fusion)


def branch_on_map(part: Part, grid: Grid, window_size: Window) -> Part:
    """A canonical branch without what changes nothing on a map."""
    if part.name in _CONVOLUTIONS and not part.kwargs.get("attention", True):
        return _without_attention(part, grid)
    if part.name in _COVERING:
        return _covering(part, _COVERING[part.name], grid)
    if part.name == "routing":
        return _routing_on_map(part, grid)
    if part.name == "linear" and grid == (1, 1):
        return _without(part, "rotary")
    if part.name == "deform" and part.kwargs.get("offsets") == "fixed":
        for key in ("kernel", "groups", "offset_range"):  # of the offsets
            part = _without(part, key)
    if part.name not in WINDOWED:
        return part
    part = own_window_on_map(part, grid, window_size)
    if part.name == "overlap":
        return _overlap_on_map(part, grid, window_size)
    laid = window_layout(part, grid, window_size)
    for key, value in part.options:
        less = _without(part, key)
        idle = key == PRETRAINED and all(side in (1, value) for side in laid.window)
        idle |= key == "mask_padding" and laid.padded == grid
        if idle or (key in LAYING and window_layout(less, grid, window_size) == laid):
            part = less
    axes = zip(laid.window, laid.padded, strict=True)
    dense = all(side in (1, whole) for side, whole in axes)  # nothing to stride over
    if (part.name == "sw_msa" and not any(laid.shift)) or (part.name == "grid" and dense):
        plain = Part("w_msa", tuple(o for o in part.options if o[0] not in ("shift", "roll")))
        return branch_on_map(plain, grid, window_size)
    return part


def window_on_map(words: Sequence[BlockWord], grid: Grid, window_size: Window) -> Window | None:
    """A stage's window as it lies on its map; None if no block has one.

    Where branches name windows of their own, that of the most, and of several the largest.
    """
    if any(word.plugin_hashes() for word in words):
        return window_size
    parts = _windowed(words)
    if not parts:
        return None
    if not any(WINDOW in part.kwargs for part in parts):
        return _common_window(parts, grid, window_size)
    every = [part for word in words for part in word.branches if part.name in WINDOWED]
    ranked = []
    for window in candidate_windows(parts, grid, window_size):
        bare = bare_parts(every, grid, window)
        common = _common_window(sorted(set(bare)), grid, window)
        height, width = sides_of(common)
        ranked.append((len(bare), height * width, height, common))
    return max(ranked, key=lambda entry: entry[:3])[-1]


def _common_window(parts: Sequence[Part], grid: Grid, window_size: Window) -> Window:
    """A window as it lies on a map for branches without windows of their own."""
    clamped = tuple(min(side, max(grid)) for side in sides_of(window_size))
    laid = sorted({window_layout(part, grid, window_size).window for part in parts})
    for sides in (*laid, clamped):
        window = window_of((sides[0], sides[1]))
        if _lie_alike(parts, grid, window_size, window):
            return window
    return window_size


def lie_alike(words: Iterable[BlockWord], grid: Grid, one: Window, other: Window) -> bool:
    """Whether windows of two nominal sizes are the same windows on a stage's map."""
    if one == other:
        return True
    words = tuple(words)
    is_known = not any(word.plugin_hashes() for word in words)
    return is_known and _lie_alike(_windowed(words), grid, one, other)


def _lie_alike(parts: Iterable[Part], grid: Grid, one: Window, other: Window) -> bool:
    layouts = ((window_layout(part, grid, size) for size in (one, other)) for part in parts)
    return all(here == there for here, there in layouts)


def _windowed(words: Iterable[BlockWord]) -> list[Part]:
    parts = {part for word in words for part in word.branches}
    return sorted(part for part in parts if part.name in WINDOWED)


def _without(part: Part, key: str) -> Part:
    return Part(part.name, tuple(o for o in part.options if o[0] != key))


def _value(part: Part, key: str) -> Any:
    """An option of a built-in branch, given or by default."""
    return part.kwargs.get(key, registry.describe("branch", part.name).options[key].default)


def _covering(part: Part, key: str, grid: Grid) -> Part:
    """A mean, a stripe or a grid of agents that takes the whole map is the same if it is larger."""
    option = registry.describe("branch", part.name).options[key]
    enough = [n for n in map(int, (option.default, *option.choices)) if n >= max(grid)]
    if part.kwargs.get(key, option.default) not in enough:
        return part
    others = _without(part, key).options
    one = () if enough[0] == option.default else ((key, enough[0]),)
    return Part(part.name, tuple(sorted((*others, *one))))


def _without_attention(part: Part, grid: Grid) -> Part:
    """What is left of a branch: named `linear` if that is ``v + depthwise3x3(v)``, or v alone."""
    convolves = part.kwargs.get(_CONVOLUTIONS[part.name], True)
    if convolves and part.name == "routing":  # 5 x 5
        return Part("routing", (("attention", False),))
    if convolves and part.name == "stripes":
        part = _covering(part, "width", grid)
        if _value(part, "width") < max(grid):
            return part
    return Part("linear", (("attention", False), *(() if convolves else (("depthwise", False),))))


def _routing_on_map(part: Part, grid: Grid) -> Part:
    """Numbers that give the same regions are the same, and so are all that choose every region."""
    bare = _without(_without(part, "regions"), "topk")
    usual, regions = _value(bare, "regions"), _value(part, "regions")
    laid, topk = lay_regions(grid, regions), _value(part, "topk")
    if topk >= laid.total:
        regions, topk = 1, _value(bare, "topk")
        if topk >= lay_regions(grid, usual).total:
            return bare
    fewer = (usual, *range(1, min(regions, max(grid)) + 1))
    least = next(n for n in fewer if lay_regions(grid, n) == lay_regions(grid, regions))
    given = {"regions": least, "topk": topk}
    others = [(key, n) for key, n in given.items() if n != _value(bare, key)]
    return Part(part.name, tuple(sorted((*bare.options, *others))))


def _overlap_on_map(part: Part, grid: Grid, window_size: Window) -> Part:
    """Shares of a window that give the same margins are the same; without any it is `w_msa`."""
    share = registry.describe("branch", "overlap").options["overlap"]
    laid = window_layout(part, grid, window_size)

    def margin(overlap: Any) -> Grid:
        return overlap_margin(laid.window, float(overlap))

    if laid.window == grid:  # one window, and nothing beyond it
        part = _without(part, "mask_padding")
    given: Any = part.kwargs.get("overlap", share.default)
    others = _without(part, "overlap").options
    if not any(margin(given)):
        return branch_on_map(Part("w_msa", others), grid, window_size)
    shares = (share.default, 0.25, 0.75, 1.0, given)
    first = next(n for n in shares if margin(n) == margin(given))
    one = () if first == share.default else (("overlap", first),)
    return Part(part.name, tuple(sorted((*others, *one))))


def _split_on_map(branches: Sequence[Part], fusion: Part, num_heads: int) -> BlockWord:
    """The ratio of the heads that it gives, in lowest terms; none if these are `equal`'s."""
    count = len(branches)
    heads = share_heads(num_heads, count, str(fusion.kwargs.get("ratio", "equal")))
    pairs = sorted(zip(branches, heads, strict=True), key=lambda pair: (str(pair[0]), pair[1]))
    heads = [n for _, n in pairs]
    fusion = _without(fusion, "ratio")
    if heads != share_heads(num_heads, count, "equal"):
        least = "-".join(str(n // math.gcd(*heads)) for n in heads)
        fusion = Part(fusion.name, tuple(sorted((*fusion.options, ("ratio", least)))))
    return BlockWord(tuple(branch for branch, _ in pairs), fusion)


def _pads(word: BlockWord, grid: Grid, window_size: Window) -> bool:
    """Whether the attention of a `cross` pads the map, or may, being a plug-in's."""
    part = word.branches[gated_branch(word)]
    if registry.plugin_hash("branch", part.name):
        return True
    masked = part.kwargs.get("mask_padding") or part.name not in WINDOWED
    return not masked and window_layout(part, grid, window_size).padded != grid

"""Whether a block computes what that of another network of ours computes, by what no weight shows.

Words are compared, with the facts of their stages: another option, or another number of heads, is
another network unless it is known to change nothing.
"""

from collections.abc import Iterator, Sequence

from hybrid_swin.interop.weights.comparison.differences import (
    Difference,
    Place,
    counts_by,
    is_strided,
    scale_reason,
)
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import (
    LAYING,
    PRETRAINED,
    WINDOWED,
    BlockWord,
    Part,
    window_layout,
)
from hybrid_swin.spec.nominal_words import branch_on_map, word_on_map
from hybrid_swin.spec.options import OptionValue
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import WindowLayout, spell_size

HEADLESS = frozenset({"conv", "focal", "identity", "large_conv", "pointwise"})
"""Built-in branches that compute the same with any number of heads."""
UNKNOWN = (
    "its file does not say its variant, and no weight shows how branches join, their options and "
    "heads, or where norms stand"
)
"""Of what can only be a network of ours."""


def own_differences(
    ours: Place, word: BlockWord, source: Variant, parts: Sequence[tuple[Part, Part]]
) -> Iterator[Difference]:
    """How a block differs from that of another network of ours whose weights it has.

    ``parts`` are the model's branches, each with the source's whose weights it has.
    """
    for mine, theirs in parts:
        why = _branch_reason(ours, source, mine, theirs)
        if why:
            yield Difference(why)
            return
    here, there = (v.stages[ours.stage].num_heads for v in (ours.variant, source))
    if here != there and not all(_is_headless(word, mine) for mine, _ in parts):
        yield Difference(f"num_heads is {here} where the source has {there}")
    yield from _sizes_reasons(ours, word, source)


def fusion_reason(ours: Place, word: BlockWord, theirs: BlockWord) -> str:
    """Why the fusion of a block differs from that of the source's mixer; empty if it does not.

    Both words have as many branches.
    """
    if word.fusion is None or theirs.fusion is None:
        return ""
    grid, heads = ours.variant.grids[ours.stage], ours.variant.stages[ours.stage].num_heads
    like = BlockWord(word.branches, theirs.fusion)
    here, there = (word_on_map(w, grid, ours.window, heads).fusion for w in (word, like))
    if _acting(here) == _acting(there):
        return ""
    return f"branches join by {word.fusion} where the source has {theirs.fusion}"


def _acting(fusion: Part | None) -> Part | None:
    """A fusion without what its first weights are, which the source's replace."""
    if fusion is None or fusion.name != "scale":
        return fusion
    return Part(fusion.name, tuple(o for o in fusion.options if o[0] != "init"))


def _branch_reason(ours: Place, source: Variant, mine: Part, theirs: Part) -> str:
    """Why two branches differ on the model's nominal map, heads aside; empty if they do not."""
    if {mine.name, theirs.name} <= set(WINDOWED):
        return _windows_reason(ours, source, mine, theirs)
    grid = ours.variant.grids[ours.stage]
    here, there = (branch_on_map(part, grid, ours.window) for part in (mine, theirs))
    return "" if here == there else f"{mine} where the source has {theirs}"


def _windows_reason(ours: Place, source: Variant, mine: Part, theirs: Part) -> str:
    """Why two attentions in windows differ on the model's nominal map."""
    grid, stage = ours.variant.grids[ours.stage], ours.stage
    here = window_layout(mine, grid, ours.window)
    # Made for its own map, to which it may have shrunk.
    there = window_layout(theirs, source.grids[stage], source.window_sizes[stage], grid)
    if {mine.name, theirs.name} == {"w_msa", "sw_msa"} and here.shift != there.shift:
        return f"{mine.name} where a Swin has {theirs.name}"
    if is_strided(mine, here) != is_strided(theirs, there):
        return f"{mine} where the source has {theirs}"
    if here.window != there.window:
        return "other windows than in the source"
    if here != there or _others(mine, grid, here) != _others(theirs, grid, there):
        return f"{mine} where the source has {theirs}, on a map of {spell_size(grid)}"
    by, counted = counts_by(mine, here.window), counts_by(theirs, there.window)
    return scale_reason(by, counted) if by and counted and by != counted else ""


def _others(part: Part, grid: tuple[int, int], laid: WindowLayout) -> dict[str, OptionValue]:
    """The options of an attention that its layout and its scale do not say."""
    found = {name: value for name, value in part.options if name not in (*LAYING, PRETRAINED)}
    if laid.padded == grid:
        found.pop("mask_padding", None)
    return found


def _is_headless(word: BlockWord, part: Part) -> bool:
    """Whether a branch computes the same with any number of heads."""
    own_fusion = word.fusion and registry.plugin_hash("fusion", word.fusion.name)
    return part.name in HEADLESS and not own_fusion


def _sizes_reasons(ours: Place, word: BlockWord, source: Variant) -> Iterator[Difference]:
    """What a plug-in knows of its stage, which only its author knows the use of."""
    plugins = word.plugin_hashes()
    if not plugins:
        return
    grids = [spell_size(v.grids[ours.stage]) for v in (ours.variant, source)]
    sizes = [spell_size(v.window_sizes[ours.stage]) for v in (ours.variant, source)]
    for what, (here, there) in (("maps", grids), ("windows", sizes)):
        if here != there:
            name = next(iter(plugins)).split()[-1]
            why = f"{name} is made for {what} of {here}, of {there} in the source"
            yield Difference(why, False)

"""Why a block that takes weights may compute something else than in the source.

Of another network of ours words are compared, with the facts of their stages: another option, or
another number of heads, is another network unless it is known to change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from hybrid_swin.interop.weights.comparison.differences import (
    Attention,
    Difference,
    Place,
    counts_by,
    foreign_difference,
    is_strided,
    mlp_and_norm_reasons,
    scale_reason,
    unknown_windows,
)
from hybrid_swin.interop.weights.filling.mixers import (
    CONTINUOUS,
    SCALE,
    TABLE,
    MixerPlan,
    MixerSource,
)
from hybrid_swin.interop.weights.report import few
from hybrid_swin.interop.weights.source.positions import position_reasons
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.block import Block
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import (
    LAYING,
    PRETRAINED,
    WINDOWED,
    BlockWord,
    Part,
    parse,
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


class TakenBlock(NamedTuple):
    """A block of the model, what it takes, and what stands there in the source."""

    name: str
    stage: int
    number: int
    block: Block
    word: BlockWord
    mixer: MixerPlan
    theirs: MixerSource


def differences(at: TakenBlock, variant: Variant, source: WeightSource) -> Iterator[Difference]:
    """Why a block computes something else than in the source."""
    part = at.word.branches[at.mixer.base or 0]
    kind = at.theirs.kind or ""
    side = _place(at, variant, source)
    windows = side.layout if part.name in ("w_msa", "sw_msa") else None
    if source.variant is not None:
        yield from own_differences(side, at.word, source.variant, _pairs(at, parse(kind)))
        joined = at.mixer.values and fusion_reason(side, at.word, parse(kind).canonical())
        if joined:
            yield Difference(joined)
    elif source.judgement.is_hybrid:
        yield Difference(UNKNOWN, False)
    elif at.mixer.values and at.theirs.is_bare and kind in ("w_msa", "sw_msa"):
        # A table for another window is not that of a network like the model, ours or not.
        judgement = source.judgement
        if at.mixer.resized:
            judgement = replace(judgement, maybe_ours=False)
        difference = foreign_difference(side, judgement)
        if difference is not None:
            windows = None  # a mask of other windows says nothing more
            yield difference
        if SCALE in at.theirs.weights and side.told is None:
            yield Difference(unknown_windows(side), False)
    elif source.judgement.rules and not source.judgement.maybe_ours:
        yield from map(Difference, mlp_and_norm_reasons(source.judgement.rules[0]))
    if source.judgement.config.unknown:
        fields = few(source.judgement.config.unknown)
        yield Difference(f"what fields of its config may change is not known here: {fields}", False)
    if at.mixer.resized:
        yield Difference("its bias table is interpolated (bicubic)")
    theirs = source.variant
    as_v2 = {SCALE, CONTINUOUS} <= at.theirs.weights.keys()
    after = theirs.stages[at.stage].norm == "post" if theirs else as_v2
    if after != at.block.norm_after:
        places = ("after", "before") if at.block.norm_after else ("before", "after")
        why = f"norms {places[0]} mixer and MLP where the source has them {places[1]}"
        unless = "unless the source is of this very network: "
        sure = source.is_foreign or source.variant is not None
        if not source.judgement.is_hybrid:
            yield Difference(why if sure else unless + why, sure)
    if at.mixer.values:
        yield from map(Difference, position_reasons(source.positions, at.name, windows))


def _place(at: TakenBlock, variant: Variant, source: WeightSource) -> Place:
    part, kind = at.word.branches[at.mixer.base or 0], (at.theirs.kind or "").partition("(")[0]
    scale = source.positions.scales.get(at.name)
    return Place(variant, at.stage, part, kind, _rows(at.theirs), at.theirs.window, scale)


def attentions(at: TakenBlock, variant: Variant, source: WeightSource) -> Iterator[Attention]:
    """The block's window attentions that take one of the source's."""
    kind = at.theirs.kind or ""
    if not at.mixer.values or not kind:
        return
    if source.variant is not None:
        pairs = _pairs(at, parse(kind))
        for k, (mine, theirs) in enumerate(pairs):
            if mine.name in ("w_msa", "sw_msa", "grid"):
                branch = k if len(pairs) == len(at.word.branches) else at.mixer.base or 0
                place = Place(variant, at.stage, mine, theirs.name, _rows(at.theirs))
                yield Attention(at.number, branch, place, theirs)
    elif at.theirs.is_bare and kind in ("w_msa", "sw_msa"):
        base = at.mixer.base or 0
        yield Attention(at.number, base, _place(at, variant, source))


def _rows(mixer: MixerSource) -> int:
    table = mixer.weights.get(TABLE)
    return len(table) if table is not None and table.ndim else 0


def _pairs(at: TakenBlock, theirs: BlockWord) -> list[tuple[Part, Part]]:
    """The model's branches with the source's that gave them their weights."""
    if len(theirs.branches) == len(at.word.branches):
        return list(zip(at.word.branches, theirs.branches, strict=True))
    return [(at.word.branches[at.mixer.base or 0], theirs.branches[0])]

"""Why a block that takes weights may compute something else than in the source.

Of another network of ours words are compared, with the facts of their stages: another option, or
another number of heads, is another network unless it is known to change nothing.
"""

from collections.abc import Iterator

from hybrid_swin.errors import few
from hybrid_swin.interop.weights.comparison.attentions import (
    Attention,
    TakenBlock,
    is_strided,
    pairs,
)
from hybrid_swin.interop.weights.comparison.differences import (
    Difference,
    counts_by,
    foreign_difference,
    mlp_and_norm_reasons,
    scale_reason,
    unknown_windows,
)
from hybrid_swin.interop.weights.filling.mixers import CONTINUOUS, SCALE, TABLE
from hybrid_swin.interop.weights.source.positions import position_reasons
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import (
    GATE,
    LAYING,
    PRETRAINED,
    WINDOW,
    WINDOWED,
    BlockWord,
    Part,
    gate_of,
    parse,
    window_layout,
)
from hybrid_swin.spec.nominal_words import branch_on_map, word_on_map
from hybrid_swin.spec.options import OptionValue
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import WindowLayout, spell_size

HEADLESS = frozenset({"conv", "focal", "identity", "inception_dw", "large_conv", "pointwise"})
"""Built-in branches that compute the same with any number of heads."""
UNKNOWN = (
    "its file does not say its variant, and no weight shows how branches join, their options and "
    "heads, or where norms stand"
)
"""Of what can only be a network of ours."""


def differences(at: TakenBlock, source: WeightSource) -> Iterator[Difference]:
    """Why a block computes something else than in the source."""
    attention = Attention(at, at.mixer.base or 0)
    judgement, theirs = source.judgement, source.variant
    windows = attention.layout() if attention.part.name in ("w_msa", "sw_msa") else None
    if theirs is not None:
        yield from _own_differences(at, theirs)
        joined = at.mixer.values and _fusion_reason(at, parse(at.theirs.kind or "").canonical())
        if joined:
            yield Difference(joined)
    elif judgement.is_hybrid:
        yield Difference(UNKNOWN, False)
    elif at.mixer.values and at.theirs.is_plain:
        difference = foreign_difference(attention, source)
        if difference is not None:
            windows = None  # a mask of other windows says nothing more
            yield difference
        if SCALE in at.theirs.weights and at.theirs.window is None:
            yield Difference(unknown_windows(attention), False)
    elif judgement.rules and not judgement.maybe_ours:
        yield from map(Difference, mlp_and_norm_reasons(judgement.rules[0]))
    if judgement.config.unknown:
        fields = few(judgement.config.unknown)
        yield Difference(f"what fields of its config may change is not known here: {fields}", False)
    if at.mixer.resized:
        yield Difference(_resized_reason(at))
    as_v2 = {SCALE, CONTINUOUS} <= at.theirs.weights.keys()
    after = theirs.stages[at.stage].norm == "post" if theirs else as_v2
    if after != at.block.norm_after and not judgement.is_hybrid:
        places = ("after", "before") if at.block.norm_after else ("before", "after")
        why = f"norms {places[0]} mixer and MLP where the source has them {places[1]}"
        sure = source.is_foreign or theirs is not None
        yield Difference(why if sure else f"unless the source is of this very network: {why}", sure)
    if at.mixer.values:
        yield from map(Difference, position_reasons(source.positions, at.name, windows))


def _resized_reason(at: TakenBlock) -> str:
    names = sorted({resized.name.rpartition(".")[2] for resized in at.mixer.resized})
    if names == [TABLE]:
        return "its bias table is interpolated (bicubic)"
    return f"its {few(names)} is fitted to another map, as set_input_size does"


def _own_differences(at: TakenBlock, source: Variant) -> Iterator[Difference]:
    """How a block differs from that of another network of ours, the fusion aside."""
    parts = [(at.word.branches[branch], theirs) for branch, theirs in pairs(at)]
    for mine, theirs in parts:
        why = _branch_reason(at, source, mine, theirs)
        if why:
            yield Difference(why)
            return
    here, there = (v.stages[at.stage].num_heads for v in (at.variant, source))
    if here != there and not all(_is_headless(at.word, mine) for mine, _ in parts):
        yield Difference(f"num_heads is {here} where the source has {there}")
    yield from _sizes_reasons(at, source)


def _fusion_reason(at: TakenBlock, theirs: BlockWord) -> str:
    """Why the fusion of a block differs from that of the source's mixer; empty if it does not.

    Both words have as many branches.
    """
    word, heads = at.word, at.variant.stages[at.stage].num_heads
    if word.fusion is None or theirs.fusion is None:
        return ""
    like = BlockWord(word.branches, theirs.fusion)
    here, there = (word_on_map(w, at.grid, at.window, heads).fusion for w in (word, like))
    starts_without = gate_of(theirs.fusion) == "none"
    if _acting(here, starts_without) == _acting(there):
        return ""
    return f"branches join by {word.fusion} where the source has {theirs.fusion}"


def _acting(fusion: Part | None, gate_is_new: bool = False) -> Part | None:
    """A fusion without what its first weights are, which the source's replace.

    Nor with a gate that starts as the identity.
    """
    if fusion is None:
        return fusion
    idle = {"init"} if fusion.name == "scale" else set()
    idle |= {GATE} if gate_is_new and gate_of(fusion) != "none" else set()
    return Part(fusion.name, tuple(o for o in fusion.options if o[0] not in idle))


def _branch_reason(at: TakenBlock, source: Variant, mine: Part, theirs: Part) -> str:
    """Why two branches differ on the model's nominal map, heads aside; empty if they do not."""
    if {mine.name, theirs.name} <= set(WINDOWED):
        return _windows_reason(at, source, mine, theirs)
    here, there = (branch_on_map(part, at.grid, at.window) for part in (mine, theirs))
    return "" if here == there else f"{mine} where the source has {theirs}"


def _windows_reason(at: TakenBlock, source: Variant, mine: Part, theirs: Part) -> str:
    """Why two attentions in windows differ on the model's nominal map."""
    here = window_layout(mine, at.grid, at.window)
    # Made for its own map, to which it may have shrunk.
    nominal, window = source.grids[at.stage], source.window_sizes[at.stage]
    there = window_layout(theirs, nominal, window, at.grid)
    if {mine.name, theirs.name} == {"w_msa", "sw_msa"} and here.shift != there.shift:
        return f"{mine.name} where a Swin has {theirs.name}"
    if is_strided(mine, here) != is_strided(theirs, there):
        return f"{mine} where the source has {theirs}"
    if here.window != there.window:
        return "other windows than in the source"
    if here != there or _others(mine, at.grid, here) != _others(theirs, at.grid, there):
        return f"{mine} where the source has {theirs}, on a map of {spell_size(at.grid)}"
    by, counted = counts_by(mine, here.window), counts_by(theirs, there.window)
    return scale_reason(by, counted) if by and counted and by != counted else ""


def _others(part: Part, grid: tuple[int, int], laid: WindowLayout) -> dict[str, OptionValue]:
    """The options of an attention that its layout and its scale do not say."""
    elsewhere = {*LAYING, PRETRAINED, WINDOW}
    options = {name: value for name, value in part.options if name not in elsewhere}
    if laid.padded == grid:
        options.pop("mask_padding", None)
    return options


def _is_headless(word: BlockWord, part: Part) -> bool:
    """Whether a branch computes the same with any number of heads."""
    own_fusion = word.fusion and registry.plugin_hash("fusion", word.fusion.name)
    return part.name in HEADLESS and not own_fusion


def _sizes_reasons(at: TakenBlock, source: Variant) -> Iterator[Difference]:
    """What a plug-in knows of its stage, which only its author knows the use of."""
    plugins = at.word.plugin_hashes()
    if not plugins:
        return
    name, both = next(iter(plugins)).split()[-1], (at.variant, source)
    for what, (here, there) in (
        ("maps", (spell_size(v.grids[at.stage]) for v in both)),
        ("windows", (spell_size(v.window_sizes[at.stage]) for v in both)),
    ):
        if here != there:
            why = f"{name} is made for {what} of {here}, of {there} in the source"
            yield Difference(why, False)

"""Why a block that takes weights may compute something else than in the source."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from hybrid_swin.interop.weights.comparison.differences import (
    Attention,
    Difference,
    Place,
    foreign_difference,
    mlp_and_norm_reasons,
    unknown_windows,
)
from hybrid_swin.interop.weights.comparison.own_differences import (
    UNKNOWN,
    fusion_reason,
    own_differences,
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
from hybrid_swin.spec.block_words import BlockWord, Part, parse
from hybrid_swin.spec.variant import Variant


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

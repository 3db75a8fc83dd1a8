"""The source's rules of padding, rolling and shifting, taken over by a network that is built."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.weights.comparison.attentions import Attention
from hybrid_swin.interop.weights.filling.mixers import TABLE
from hybrid_swin.interop.weights.source.judging import Judgement
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.branches._window_attention import WindowAttention
from hybrid_swin.network.fusions import branches_of
from hybrid_swin.network.resizing import window_of_table
from hybrid_swin.spec.block_words import LAYING, BlockWord, Part, own_window, with_registers
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import sides_of


def followed(
    variant: Variant, attentions: Sequence[Attention], source: WeightSource
) -> tuple[Variant, list[str]]:
    """The variant with the source's rules as options of its words, and what to say of it.

    Window attentions that do not take the source's keep their own rules.

    Raises:
        InputError: it is not known by whose rules the source computed.
    """
    judgement = source.judgement
    if source.variant is None and judgement.is_hybrid:
        return variant, [
            "follow_source: nothing to follow, it is a network of ours without its variant"
        ]
    library = "its variant" if source.variant else _one_library(source.name, judgement)
    notes: list[str] = []
    if judgement.maybe_ours:
        notes.append(f"follow_source: taken for {library}'s, whose names hybrid_swin's are too")
    stay: dict[str, list[str]] = {}
    words = [list(stage) for stage in variant.block_words]
    for attention in attentions:
        stage, j = attention.at.stage, attention.at.number
        words[stage][j], why = _followed(words[stage][j], attention, judgement)
        if why:
            stay.setdefault(why, []).append(attention.name)
    taken = {(attention.at.stage, attention.at.number) for attention in attentions}
    theirs = source.variant.block_words if source.variant else None
    others = [
        f"layers.{i}.blocks.{j} {word.spelled()}"
        for i, stage_words in enumerate(variant.block_words)
        for j, word in enumerate(stage_words)
        if (i, j) not in taken and not (theirs and theirs[i][j] == word)
    ]
    if others:
        stay["no attention of the source's is in them"] = others
    notes += [
        f"follow_source: {few(names)} cannot follow {library}: {why}" for why, names in stay.items()
    ]
    fixed = [a.name for a in attentions if a.theirs is None and _is_fixed_elsewhere(a, judgement)]
    if fixed:
        size = "x".join(map(str, judgement.rules[0].made_for or ()))
        notes.append(
            f"follow_source: {library}'s network keeps the windows and shifts of {size}, for which "
            f"it was made ({few(fixed)}); for the same logits make the model with that image_size"
        )
    larger = [a.name for a in attentions if a.theirs is None and _is_of_larger(a, judgement)]
    if larger:
        notes.append(
            f"follow_source: {library}'s network was made for larger images, since its windows are "
            f"larger than maps here ({few(larger)}); for the same logits make the model with its "
            "image_size"
        )
    stages = zip(variant.stages, variant.block_words, words, strict=True)
    changed = replace(variant, stages=tuple(_spelt(*stage, variant.registers) for stage in stages))
    if changed.block_words == variant.block_words and not stay:
        notes.append(f"follow_source: small_map, shift and roll were those of {library} already")
    return changed, notes


def _one_library(name: str, judgement: Judgement) -> str:
    first, *others = judgement.rules
    if not others:
        return first.library
    ways = " or ".join(
        f"{rules.part('w_msa')} and {rules.part('sw_msa')} for {rules.library}"
        for rules in judgement.rules
    )
    raise InputError(
        f"follow_source: {name} does not say whose rules its network has; write them into the "
        f"blocks of the variant instead: {ways}"
    )


def _followed(word: BlockWord, attention: Attention, judgement: Judgement) -> tuple[BlockWord, str]:
    """A block's word with the source's rules, and why it cannot follow all of them."""
    part, kind = word.branches[attention.branch], attention.kind
    if part.name != kind:
        return word, f"{part.name} where the source has {kind}"
    theirs = attention.theirs or judgement.rules[0].part(kind)
    options = [o for o in theirs.options if o[0] in LAYING]
    options += [o for o in part.options if o[0] not in LAYING]
    branches = list(word.branches)
    branches[attention.branch] = Part(part.name, tuple(sorted(options)))
    new_word = BlockWord(tuple(branches), word.fusion)
    if new_word.canonical() != new_word:
        return word, "its branches would change places"
    hides = part.kwargs.get("mask_padding") and attention.theirs is None
    return new_word, "mask_padding hides what the source attends to" if hides else ""


def _is_of_larger(attention: Attention, judgement: Judgement) -> bool:
    """Whether windows would have shrunk if the source had been made for the model's images."""
    at = attention.at
    laid = judgement.rules[0].lay(at.variant, at.stage, attention.window, False)
    whole = sides_of(attention.window)
    own = window_of_table(attention.rows, whole, at.theirs.window)
    return not isinstance(laid, str) and own == whole != laid.window


def _is_fixed_elsewhere(attention: Attention, judgement: Judgement) -> bool:
    """Whether windows are others than of a source that is made for the model's images."""
    rules = judgement.rules[0]
    if not rules.fixed_elsewhere(attention.at.variant):
        return False
    own = replace(rules, made_for=None)
    return attention.source_layout(rules) != attention.source_layout(own)


def _spelt(
    stage: Stage, before: Sequence[BlockWord], after: Sequence[BlockWord], registers: int
) -> Stage:
    """The stage with other words, which cycle over its depth as soon as they can.

    In a variant with registers a word that has none says so.
    """
    if list(before) == list(after):
        return stage
    new = [
        spelt if old == word else str(with_registers(word, 0)) if registers else word.spelled()
        for spelt, old, word in zip(stage.words(), before, after, strict=True)
    ]
    count = next(n for n in range(1, len(new) + 1) if new == (new[:n] * len(new))[: len(new)])
    return replace(stage, blocks=tuple(new[:count]))


def relay(model: nn.Module, before: Variant, after: Variant) -> int:
    """Lay a network's windows by the words of another variant, in place.

    Returns how many bias tables are of another size now, and so other parameters.
    """
    changed = 0
    for i, layer in enumerate(model.layers):  # type: ignore[arg-type]  # a Sequential
        for j, block in enumerate(layer.blocks):
            words = before.block_words[i][j], after.block_words[i][j]
            parts = zip(*(word.branches for word in words), branches_of(block.attn), strict=True)
            for old, new, branch in parts:
                if old != new and isinstance(branch, WindowAttention):
                    table = getattr(branch, TABLE, None)
                    branch.follow(own_window(new, after.window_sizes[i]), **_laying(new))
                    changed += getattr(branch, TABLE, None) is not table
    return changed


@contextmanager
def restored_on_failure(model: nn.Module) -> Iterator[None]:
    """Put back a network's weights, and how its windows lie, where what is inside fails."""
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    laid = [
        (branch, {name: getattr(branch, name) for name in _names(branch)})
        for branch in model.modules()
        if isinstance(branch, WindowAttention)
    ]
    try:
        yield
    except BaseException:
        for branch, values in laid:
            for name, value in values.items():
                setattr(branch, name, value)
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(weights[name])
        raise


def _names(branch: WindowAttention) -> list[str]:
    """What ``follow`` may change."""
    names = ["small_map", "shift_rule", "roll_rule", "window", "nominal"]
    return [*names, *branch.bias_tables()]


def _laying(part: Part) -> dict[str, Any]:
    """The rules of a word, with defaults for those that it does not give."""
    shift = "axis" if part.name == "sw_msa" else "none"
    defaults = {"small_map": "shrink", "shift": shift, "roll": "padded"}
    return defaults | {name: value for name, value in part.options if name in LAYING}

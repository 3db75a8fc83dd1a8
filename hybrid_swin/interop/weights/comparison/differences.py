"""Whether a block of the model computes what a foreign source's block computes, and why if not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hybrid_swin.interop.weights.comparison.attentions import Attention, is_strided
from hybrid_swin.interop.weights.source.rules import EPS, Rules
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.spec.block_words import LAYING, PRETRAINED, REGISTERS, Part, window_layout
from hybrid_swin.spec.window_rules import Grid, WindowLayout, spell_size


@dataclass(frozen=True)
class Difference:
    """What makes a block another than in the source.

    Args:
        why: in words.
        certain: whether it is known; otherwise the source may compute the same.
        rules: by which the source's block computed.
        theirs: the source's windows; None if its library takes no such map.
        by: the window by which the source's continuous bias counts offsets, where it is known.
    """

    why: str
    certain: bool = True
    rules: Rules | None = None
    theirs: WindowLayout | None = None
    by: Grid | None = None


def foreign_difference(attention: Attention, source: WeightSource) -> Difference | None:
    """How a plain Swin's block differs, by the rules of its library; None if it does not."""
    judgement = source.judgement
    results = [_by_rules(attention, rules, source) for rules in judgement.rules]
    differing = [difference for difference in results if difference is not None]
    if not differing:
        return None
    first = differing[0]
    # A table for another window is not that of a network like the model, ours or not.
    if judgement.maybe_ours and not attention.at.mixer.resized:
        why = f"unless the source is of this very network: {first.why}"
        return replace(first, why=why, certain=False)
    if len(differing) < len(results):
        why = f"if the source is of {first.rules and first.rules.library}: {first.why}"
        return replace(first, why=why, certain=False)
    return first


def _by_rules(attention: Attention, rules: Rules, source: WeightSource) -> Difference | None:
    theirs = attention.source_layout(rules)
    if isinstance(theirs, str):
        return Difference(f"{theirs}, so there is nothing to compare with", False, rules)
    by = _scaled_by(attention, theirs, source)
    reasons = list(_reasons(attention, rules, theirs, by, len(source.judgement.rules) == 1))
    return Difference("; ".join(reasons), True, rules, theirs, by) if reasons else None


def unknown_windows(attention: Attention) -> str:
    """What is not known of a source that does not say its windows, in words."""
    window = attention.layout().window
    by = counts_by(attention.part, window)
    first = f", first trained with {spell_size(by)}" if by not in (None, window) and by else ""
    size = spell_size(window)
    return f"the source does not say if its windows are of {size}{first}; no weight shows it"


def _scaled_by(attention: Attention, theirs: WindowLayout, source: WeightSource) -> Grid | None:
    """The window by which a source's continuous bias counts offsets; None if it is not known."""
    by = source.positions.scales.get(attention.at.name)
    if by is not None or attention.at.theirs.window is None:
        return by
    return source.judgement.config.pretrained_at(attention.at.stage) or theirs.window


def counts_by(part: Part, window: Grid) -> Grid | None:
    """The window by which the continuous bias of a branch of ours does; None without one."""
    options = part.kwargs
    if options.get("bias") != "continuous":
        return None
    side = options.get(PRETRAINED)
    return (side, side) if isinstance(side, int) and side else window


def _reasons(
    attention: Attention, rules: Rules, theirs: WindowLayout, by: Grid | None, may_follow: bool
) -> Iterator[str]:
    ours, part = attention.layout(), attention.part
    if is_strided(part, ours):
        yield f"{part.name} where a Swin has {attention.kind}"
    elif theirs != ours:
        yield _layout_reason(attention, rules, theirs, may_follow)
    mine = counts_by(part, ours.window)
    own = mine == ours.window and by == theirs.window  # then they differ with the windows
    if by is not None and mine is not None and by != mine and not own:
        yield scale_reason(mine, by)
    if part.kwargs.get("mask_padding") and ours.padded != attention.at.grid:
        yield "no token attends to padding, which in the source all do"
    if part.kwargs.get(REGISTERS):
        yield "all tokens attend to registers, of which the source has none"
    yield from mlp_and_norm_reasons(rules)


def mlp_and_norm_reasons(rules: Rules) -> Iterator[str]:
    """What differs in a block beside its attention."""
    if rules.activation != "gelu":
        yield f"MLPs have GELU where the source has {rules.activation}"
    if rules.eps != EPS:
        yield f"norms have eps {EPS:g} where the source has {rules.eps:g}"


def _layout_reason(
    attention: Attention, rules: Rules, theirs: WindowLayout, may_follow: bool
) -> str:
    at, part, kind, ours = attention.at, attention.part, attention.kind, attention.layout()
    spelt, library = spell_size(at.grid), rules.library
    if part.name != kind and any(ours.shift) != any(theirs.shift):
        return f"{part.name} where a Swin has {kind}"
    if ours.window != theirs.window:
        here, there = spell_size(ours.window), spell_size(theirs.window)
        why = f"windows of {here} on a map of {spelt}, {there} in {library}"
    elif ours.shift != theirs.shift:
        here, there = spell_size(ours.shift), spell_size(theirs.shift)
        why = f"a shift of {here} on a map of {spelt}, {there} in {library}"
    elif ours.padded != theirs.padded:
        why = f"a map of {spelt} is padded otherwise than in {library}"
    else:
        why = f"a map of {spelt} is padded, then rolled; {library} rolls it first"
    word = rules.part(kind)
    others = tuple(o for o in part.options if o[0] not in LAYING)
    like = Part(word.name, tuple(sorted((*word.options, *others))))
    if window_layout(like, at.grid, at.window) == theirs:
        follow = " or load with follow_source=True" if may_follow else ""
        return f"{why} (write {like}{follow} to have that)"
    if rules.fixed_elsewhere(at.variant):
        size = spell_size(rules.made_for or at.variant.image_size)
        return f"{why}, made for {size} (make the model with that image_size to have that)"
    return why


def scale_reason(ours: Grid, theirs: Grid) -> str:
    """That two continuous biases count offsets by other windows, in words."""
    here, there = spell_size(ours), spell_size(theirs)
    why = f"position biases count offsets by windows of {here}, by {there} in the source"
    if theirs[0] != theirs[1]:
        return f"{why}, which no {PRETRAINED} of ours is: it is one number for both sides"
    return f"{why} (write {PRETRAINED}={theirs[0]} to have that)"

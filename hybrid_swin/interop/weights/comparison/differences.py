"""Whether a block of the model computes what the source's block computes, and why if not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hybrid_swin.interop.weights.source.judging import Judgement
from hybrid_swin.interop.weights.source.positions import Scale
from hybrid_swin.interop.weights.source.rules import EPS, Rules
from hybrid_swin.network.resizing import window_of_table
from hybrid_swin.spec.block_words import LAYING, PRETRAINED, Part, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid, Window, WindowLayout, sides_of, spell_size


@dataclass(frozen=True)
class Place:
    """A block of the model, and what stands there in the source.

    Args:
        variant: the model's.
        stage: of the block.
        part: the model's branch that has the source's attention.
        kind: the source's attention: ``w_msa`` or ``sw_msa``.
        rows: of the source's bias table; 0 where it has none.
        told: what the source says of its windows, if it does.
        scale: the windows of the source's continuous bias, where the source has a table of them.
    """

    variant: Variant
    stage: int
    part: Part
    kind: str
    rows: int
    told: Grid | None = None
    scale: Scale | None = None

    @property
    def layout(self) -> WindowLayout:
        """The windows of the model's branch, on the nominal map."""
        return window_layout(self.part, self.variant.grids[self.stage], self.window)

    @property
    def window(self) -> Window:
        """The stage's window size."""
        return self.variant.window_sizes[self.stage]


@dataclass(frozen=True)
class Attention:
    """A window attention of the model with the weights of one of the source's.

    Args:
        block: its index in the stage.
        branch: which branch of the block's word it is.
        place: where it stands.
        theirs: the source's word for it, if the source is a network of ours.
    """

    block: int
    branch: int
    place: Place
    theirs: Part | None = None

    @property
    def name(self) -> str:
        """The block's, with the attention's word."""
        return f"layers.{self.place.stage}.blocks.{self.block} {self.place.part}"


@dataclass(frozen=True)
class Difference:
    """What makes a block another than in the source.

    Args:
        why: in words.
        certain: whether it is known; otherwise the source may compute the same.
        rules: by which the source's block computed.
        theirs: the source's windows; None where its library takes no such map.
        by: the window by which the source's continuous bias counts offsets, where it is known.
    """

    why: str
    certain: bool = True
    rules: Rules | None = None
    theirs: WindowLayout | None = None
    by: Grid | None = None


def foreign_difference(place: Place, judgement: Judgement) -> Difference | None:
    """How a plain Swin's block differs, by the rules of its library; None if it does not."""
    found = [_by_rules(place, rules, judgement) for rules in judgement.rules]
    differing = [difference for difference in found if difference is not None]
    if not differing:
        return None
    first = differing[0]
    if judgement.maybe_ours:
        why = f"unless the source is of this very network: {first.why}"
        return replace(first, why=why, certain=False)
    if len(differing) < len(found):
        why = f"if the source is of {first.rules and first.rules.library}: {first.why}"
        return replace(first, why=why, certain=False)
    return first


def _by_rules(place: Place, rules: Rules, judgement: Judgement) -> Difference | None:
    theirs = source_layout(place, rules)
    if isinstance(theirs, str):
        return Difference(f"{theirs}, so there is nothing to compare with", False, rules)
    by = _scaled_by(place, theirs, judgement)
    reasons = list(_reasons(place, rules, theirs, by, len(judgement.rules) == 1))
    return Difference("; ".join(reasons), True, rules, theirs, by) if reasons else None


def source_layout(place: Place, rules: Rules) -> WindowLayout | str:
    """The windows of a source's block, on the model's nominal map; or why there are none.

    A table of biases tells their size: it is that of the model's windows if these are as large by
    the source's rules, else that of windows of its own. V2 has none: there the source says it, or
    they are taken for the model's.
    """
    window = source_window(place, rules)
    return rules.lay(place.variant, place.stage, window, place.kind == "sw_msa")


def source_window(place: Place, rules: Rules) -> Window:
    """The nominal window of a source's block."""
    laid = rules.lay(place.variant, place.stage, place.window, place.kind == "sw_msa")
    window = sides_of(place.window) if isinstance(laid, str) else laid.window
    own = window_of_table(place.rows, window, place.told) if place.rows else place.told
    return place.window if own is None or own == window else own


def is_strided(part: Part, laid: WindowLayout) -> bool:
    """Whether a branch's windows gather tokens from all over the map, as `grid`'s do."""
    axes = zip(laid.window, laid.padded, strict=True)
    return part.name == "grid" and not all(side in (1, whole) for side, whole in axes)


def unknown_windows(place: Place) -> str:
    """What is not known of a source that does not say its windows, in words."""
    window = place.layout.window
    by = counts_by(place.part, window)
    first = f", first trained with {spell_size(by)}" if by not in (None, window) and by else ""
    size = spell_size(window)
    return f"the source does not say if its windows are of {size}{first}; no weight shows it"


def _scaled_by(place: Place, theirs: WindowLayout, judgement: Judgement) -> Grid | None:
    """The window by which a source's continuous bias counts offsets; None if it is not known."""
    if place.scale is not None:
        return place.scale.by
    if place.told is None:
        return None
    return judgement.config.pretrained_at(place.stage) or theirs.window


def counts_by(part: Part, window: Grid) -> Grid | None:
    """The window by which the continuous bias of a branch of ours does; None without one."""
    options = part.kwargs
    if options.get("bias") != "continuous":
        return None
    side = options.get("pretrained_window_size")
    return (side, side) if isinstance(side, int) and side else window


def _reasons(
    place: Place, rules: Rules, theirs: WindowLayout, by: Grid | None, may_follow: bool
) -> Iterator[str]:
    ours, grid = place.layout, place.variant.grids[place.stage]
    if is_strided(place.part, ours):
        yield f"{place.part.name} where a Swin has {place.kind}"
    elif theirs != ours:
        yield _layout_reason(place, rules, theirs, may_follow)
    mine = counts_by(place.part, ours.window)
    own = mine == ours.window and by == theirs.window  # then they differ with the windows
    if by is not None and mine is not None and by != mine and not own:
        yield scale_reason(mine, by)
    if place.part.kwargs.get("mask_padding") and ours.padded != grid:
        yield "no token attends to padding, which in the source all do"
    yield from mlp_and_norm_reasons(rules)


def mlp_and_norm_reasons(rules: Rules) -> Iterator[str]:
    """What differs in a block beside its attention."""
    if rules.activation != "gelu":
        yield f"MLPs have GELU where the source has {rules.activation}"
    if rules.eps != EPS:
        yield f"norms have eps {EPS:g} where the source has {rules.eps:g}"


def _layout_reason(place: Place, rules: Rules, theirs: WindowLayout, may_follow: bool) -> str:
    ours, grid = place.layout, place.variant.grids[place.stage]
    spelt, library = spell_size(grid), rules.library
    on = f"on a map of {spelt}"
    if place.part.name != place.kind and any(ours.shift) != any(theirs.shift):
        return f"{place.part.name} where a Swin has {place.kind}"
    if ours.window != theirs.window:
        here, there = spell_size(ours.window), spell_size(theirs.window)
        why = f"windows of {here} {on}, {there} in {library}"
    elif ours.shift != theirs.shift:
        here, there = spell_size(ours.shift), spell_size(theirs.shift)
        why = f"a shift of {here} {on}, {there} in {library}"
    elif ours.padded != theirs.padded:
        why = f"a map of {spelt} is padded otherwise than in {library}"
    else:
        why = f"a map of {spelt} is padded, then rolled; {library} rolls it first"
    word = rules.part(place.kind)
    others = tuple(o for o in place.part.options if o[0] not in LAYING)
    like = Part(word.name, tuple(sorted((*word.options, *others))))
    if window_layout(like, grid, place.window) == theirs:
        follow = " or load with follow_source=True" if may_follow else ""
        return f"{why} (write {like}{follow} to have that)"
    if rules.fixed_elsewhere(place.variant):
        size = spell_size(rules.made_for or place.variant.image_size)
        return f"{why}, made for {size} (make the model with that image_size to have that)"
    return why


def scale_reason(ours: Grid, theirs: Grid) -> str:
    """That two continuous biases count offsets by other windows, in words."""
    here, there = spell_size(ours), spell_size(theirs)
    why = f"position biases count offsets by windows of {here}, by {there} in the source"
    if theirs[0] != theirs[1]:
        return f"{why}, which no {PRETRAINED} of ours is: it is one number for both sides"
    return f"{why} (write {PRETRAINED}={theirs[0]} to have that)"

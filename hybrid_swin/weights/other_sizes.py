"""At which sizes of images, beside its own, a network's logits are not the source's."""

from collections.abc import Iterator, Mapping

from hybrid_swin.block_words import window_layout
from hybrid_swin.variant import Variant
from hybrid_swin.weights.differences import Attention, is_strided, source_window
from hybrid_swin.weights.outside import OTHER_LOGITS
from hybrid_swin.weights.plan import Plan
from hybrid_swin.weights.rules import EPS, Rules
from hybrid_swin.weights.source import Source
from hybrid_swin.window_rules import Grid, WindowLayout

_LARGEST, _STEPS = 2, 12  # sizes to try: up to so many times the model's, or so many steps if more
_MOST = 40  # of each kind, the nearest

_WORDS: Mapping[str, Mapping[str, str]] = {
    "small_map": {
        "pad": "on maps smaller than the window (padded; {image})",
        "fixed": "on maps smaller than the window (padded; {image})",
        "square": "on maps smaller than the window (which stays square; {image})",
        "shrink": "on maps smaller than the window (which shrinks; {image})",
    },
    "shift": {
        "map": "on maps that one window covers along one side (not shifted; {image})",
        "axis": "on maps that one window covers along one side (shifted along the other; {image})",
        "always": "on maps that one window covers (shifted; {image})",
        "fixed": "on maps that one window covers only there or at {own} (shifted as at {own}; "
        "{image})",
    },
    "roll": {
        "bare": "on maps that windows do not divide (rolled, then padded; {image})",
        "padded": "on maps that windows do not divide (padded, then rolled; {image})",
    },
    "mask": {"": "on padded maps (mask_padding hides padding; {image})"},
    "word": {"": "on maps of several windows (shifted or strided in other blocks; {image})"},
}


def say_other_sizes(variant: Variant, plan: Plan, source: Source, follows: bool) -> str:
    """A sentence on logits at other sizes; none if they differ at all, or if nothing is known.

    Args:
        variant: the model's.
        plan: what it takes.
        source: of whom.
        follows: whether the model has just taken over the source's rules.
    """
    if not _may_be_equal(plan):
        return ""
    hint = "" if follows else "; follow_source=True takes over its rules"
    same_head = "head.fc.weight" in plan.values and not any(OTHER_LOGITS in n for n in plan.notes)
    what = "logits" if same_head else "maps of features"
    if source.variant is not None:
        for image in _images(variant):
            if any(_own_differs(variant, source.variant, a, image) for a in plan.attentions):
                return f"{what} differ from the source's, as at {_by(image)}{hint}"
        return ""
    judgement, said = source.judgement, []
    for rules in judgement.rules:
        if rules.activation != "gelu" or rules.eps != EPS:
            return ""
        unsure = judgement.maybe_ours or len(judgement.rules) > 1
        said.append(f"{'if it is of ' + rules.library + ': ' if unsure else ''}")
        said[-1] += f"{what} {_by_rules(variant, plan, rules)}"
    return "; ".join(said) + (hint if any("differ" in text for text in said) else "")


def _may_be_equal(plan: Plan) -> bool:
    """Whether nothing but how windows lie sets the model apart."""
    for index, block in enumerate(plan.blocks):
        alone = index in plan.differences and plan.differences[index].why == block.why
        if block.how not in ("taken", "identity start") and not alone:
            return False
    blocks = {(attention.place.stage, attention.block) for attention in plan.attentions}
    return len(blocks) == len(plan.blocks) and not (plan.resized or plan.outside or plan.left_out)


def _by_rules(variant: Variant, plan: Plan, rules: Rules) -> str:
    found: dict[tuple[str, str], Grid] = {}  # the first size of each kind of difference
    alike = {(a.place.stage, a.place.part, a.place.kind, a.place.rows): a for a in plan.attentions}
    for image in _images(variant):
        for attention in alike.values():
            for kind in _differing(variant, attention, rules, image):
                found.setdefault(kind, image)
    if not found:
        cut = f", but for sides that patches of {variant.patch_size} do not divide, which it cuts"
        cut = cut if rules.images == "cut" else ""
        return f"are those of {rules.library} wherever it takes the image{cut}"
    own = _by(variant.image_size)
    where = ", ".join(
        _WORDS[kind][rule].format(own=own, image=_by(image))
        for (kind, rule), image in found.items()
    )
    return f"differ from those of {rules.library} {where}"


def _images(variant: Variant) -> list[Grid]:
    """Sizes to try, the nearest first: square ones, then such as have one side of the model's."""
    step = variant.patch_size * 2 ** (len(variant.stages) - 1)
    own = variant.image_size
    sides = [step * n for n in range(1, max(_STEPS, _LARGEST * max(own) // step) + 1)]
    near = sorted(sides, key=lambda side: (abs(side - max(own)), -side))[:_MOST]
    square = [(side, side) for side in near]
    oblong = [image for side in near for image in ((own[0], side), (side, own[1]))]
    return [image for image in (*square, *oblong) if image != own]


def _differing(
    variant: Variant, attention: Attention, rules: Rules, image: Grid
) -> Iterator[tuple[str, str]]:
    """How a block's windows lie otherwise on images of a size: which of the rules, and what it is.

    Nothing where the library takes no such image.
    """
    place = attention.place
    window, shifted = source_window(place, rules), place.kind == "sw_msa"
    theirs = rules.lay(variant, place.stage, window, shifted, image)
    if isinstance(theirs, str):
        return
    ours = _ours(variant, attention, image)
    if is_strided(place.part, ours):
        yield "word", ""
    elif ours.window != theirs.window:
        yield "small_map", rules.small_map
    elif ours.shift != theirs.shift:
        yield ("shift", rules.shift) if place.part.name == place.kind else ("word", "")
    elif ours != theirs:
        yield "roll", rules.roll
    if (
        place.part.kwargs.get("mask_padding")
        and ours.padded != variant.grids_of(image)[place.stage]
    ):
        yield "mask", ""


def _own_differs(variant: Variant, source: Variant, attention: Attention, image: Grid) -> bool:
    stage, theirs = attention.place.stage, attention.theirs
    if theirs is None:
        return False
    grids = source.grids[stage], source.grids_of(image)[stage]
    there = window_layout(theirs, grids[0], source.window_sizes[stage], grids[1])
    ours, masks = _ours(variant, attention, image), (attention.place.part, theirs)
    masked = [bool(part.kwargs.get("mask_padding")) for part in masks]
    if is_strided(attention.place.part, ours) != is_strided(theirs, there):
        return True
    return ours != there or (masked[0] != masked[1] and ours.padded != grids[1])


def _ours(variant: Variant, attention: Attention, image: Grid) -> WindowLayout:
    stage = attention.place.stage
    grids = variant.grids[stage], variant.grids_of(image)[stage]
    return window_layout(attention.place.part, grids[0], variant.window_sizes[stage], grids[1])


def _by(size: Grid) -> str:
    return f"{size[0]}x{size[1]}"

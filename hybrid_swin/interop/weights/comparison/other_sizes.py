"""At which sizes of images, beside its own, a network's logits are not the source's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hybrid_swin.interop.weights.comparison.attentions import Attention, is_strided
from hybrid_swin.interop.weights.comparison.outside import OTHER_LOGITS
from hybrid_swin.interop.weights.filling.plan import LoadPlan
from hybrid_swin.interop.weights.source.rules import EPS, Rules
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.spec.block_words import window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid, Window, sides_of, spell_size

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
        "fixed": "on maps that one window covers only there or at {made_for} (shifted as at "
        "{made_for}; {image})",
    },
    "roll": {
        "bare": "on maps that windows do not divide (rolled, then padded; {image})",
        "padded": "on maps that windows do not divide (padded, then rolled; {image})",
    },
    "mask": {"": "on padded maps (mask_padding hides padding; {image})"},
    "word": {"": "on maps of several windows (shifted or strided in other blocks; {image})"},
    "made_for": {
        "": "where its windows or shifts are not those of {made_for}, for which it was made "
        "({image}; make the model with image_size={given})"
    },
}


def say_other_sizes(variant: Variant, plan: LoadPlan, source: WeightSource, follows: bool) -> str:
    """A sentence on logits at other sizes; none if they differ at all, or if nothing is known.

    ``follows``: the model has just taken over the source's rules.
    """
    if not _may_be_equal(plan):
        return ""
    hint = "" if follows else "; follow_source=True takes over its rules"
    same_head = "head.fc.weight" in plan.values and not any(OTHER_LOGITS in n for n in plan.notes)
    what = "logits" if same_head else "maps of features"
    if source.variant is not None:
        images = [_own_differing(a, source.variant) for a in _alike(plan)]
        sizes = sorted(filter(None, images), key=lambda image: distance(variant, image))
        return (
            f"{what} differ from the source's, as at {spell_size(sizes[0])}{hint}" if sizes else ""
        )
    judgement, clauses = source.judgement, []
    hint = hint if len(judgement.rules) == 1 else ""  # follow_source would refuse to guess
    for rules in judgement.rules:
        if rules.activation != "gelu" or rules.eps != EPS:
            return ""
        unsure = judgement.maybe_ours or len(judgement.rules) > 1
        clauses.append(f"{'if it is of ' + rules.library + ': ' if unsure else ''}")
        clauses[-1] += f"{what} {_by_rules(variant, plan, rules)}"
    return "; ".join(clauses) + (hint if any("differ" in text for text in clauses) else "")


def _may_be_equal(plan: LoadPlan) -> bool:
    """Whether nothing but how windows lie sets the model apart."""
    for index, block in enumerate(plan.blocks):
        alone = index in plan.differences and plan.differences[index].why == block.why
        if block.how not in ("taken", "identity start") and not alone:
            return False
    blocks = {attention.at.name for attention in plan.attentions}
    return len(blocks) == len(plan.blocks) and not (plan.resized or plan.outside or plan.left_out)


def _by_rules(variant: Variant, plan: LoadPlan, rules: Rules) -> str:
    images = _differing_sizes(variant, _alike(plan), rules)
    if not images:
        cut = f", but for sides that patches of {variant.patch_size} do not divide, which it cuts"
        cut = cut if rules.images == "cut" else ""
        return f"are those of {rules.library} wherever it takes the image{cut}"
    theirs = rules.made_for or variant.image_size
    given = theirs[0] if theirs[0] == theirs[1] else theirs
    sizes = {"made_for": spell_size(theirs), "given": given}
    where = ", ".join(
        _WORDS[kind][rule].format(**sizes, image=spell_size(image))
        for (kind, rule), image in images.items()
    )
    return f"differ from those of {rules.library} {where}"


def _alike(plan: LoadPlan) -> list[Attention]:
    """One of all attentions that are alike in a stage."""
    alike = {(a.at.stage, a.part, a.kind, a.rows, a.theirs): a for a in plan.attentions}
    return list(alike.values())


def _differing_sizes(
    variant: Variant, attentions: Sequence[Attention], rules: Rules
) -> dict[tuple[str, str], Grid]:
    """Each kind of difference between the model's windows and those of rules, with one image.

    An image of each class of maps is tried, so what is not found is nowhere, except on images that
    the library does not take.
    """
    images: dict[tuple[str, str], Grid] = {}
    for attention in attentions:
        first: dict[tuple[str, str], Grid] = {}
        window = attention.source_window(rules)
        for image in images_of(variant, attention.at.stage, _windows(attention, rules)):
            for kind in _differing(attention, rules, window, image):
                if kind not in first and _takes(attentions, rules, image):
                    first[kind] = image
        for kind, image in first.items():
            nearest = min(image, images.get(kind, image), key=lambda i: distance(variant, i))
            images[kind] = nearest
    return images


def _windows(attention: Attention, rules: Rules) -> set[Grid]:
    """Windows that may lie on maps of the attention's stage."""
    window = attention.source_window(rules)
    nominal = rules.lay(attention.at.variant, attention.at.stage, window, False)
    theirs = {sides_of(window)} | ({nominal.window} if not isinstance(nominal, str) else set())
    return {attention.layout().window, *theirs}


def _takes(attentions: Sequence[Attention], rules: Rules, image: Grid) -> bool:
    """Whether the library takes images of a size."""
    return not any(isinstance(a.source_layout(rules, image), str) for a in attentions)


def _differing(
    attention: Attention, rules: Rules, window: Window, image: Grid
) -> Iterator[tuple[str, str]]:
    """How a block's windows lie otherwise on images of a size: which of the rules, and what it is.

    Nothing where the library takes no such image. ``window`` is the source's nominal one.
    """
    part, variant = attention.part, attention.at.variant
    theirs = attention.source_layout(rules, image, window)
    if isinstance(theirs, str):
        return
    ours = attention.layout(image)
    if is_strided(part, ours):
        yield "word", ""
    elif ours == theirs:
        pass
    elif rules.fixed_elsewhere(variant) and ours == attention.source_layout(
        replace(rules, made_for=None), image
    ):
        yield "made_for", ""
    elif ours.window != theirs.window:
        yield "small_map", rules.small_map
    elif ours.shift != theirs.shift:
        yield ("shift", rules.shift) if part.name == attention.kind else ("word", "")
    else:
        yield "roll", rules.roll
    if part.kwargs.get("mask_padding"):
        if ours.padded != variant.grids_of(image)[attention.at.stage]:
            yield "mask", ""


def _own_differing(attention: Attention, source: Variant) -> Grid | None:
    """An image on which an attention of ours is not the source's, also one of ours."""
    stage, mine, theirs = attention.at.stage, attention.part, attention.theirs
    if theirs is None:
        return None
    nominal, window = source.grids[stage], source.window_sizes[stage]
    windows = {attention.layout().window, window_layout(theirs, nominal, window).window}
    one_masks = bool(mine.kwargs.get("mask_padding")) != bool(theirs.kwargs.get("mask_padding"))
    for image in images_of(attention.at.variant, stage, windows):
        grid = source.grids_of(image)[stage]
        here, there = attention.layout(image), window_layout(theirs, nominal, window, grid)
        if (
            here != there
            or is_strided(mine, here) != is_strided(theirs, there)
            or (one_masks and here.padded != grid)
        ):
            return image
    return None


def images_of(variant: Variant, stage: int, windows: Iterable[Grid]) -> Iterator[Grid]:
    """Sizes of images with one map of each class in a stage, the nearest to the model's first.

    Along an axis rules ask whether the map is shorter than the window, as long, or longer; then
    whether windows divide it, and whether padding is as wide as the shift. All rules ask it of both
    axes, and ``square`` windows which of the two is shorter. What holds on one map of each of these
    classes holds on all.
    """
    pixels = variant.patch_size * 2**stage
    later = len(variant.stages) - 1 - stage
    own = variant.image_size
    sides = [n * pixels for n in _sides({side for w in windows for side in w}, later)]
    images = {(height, width) for height in sides for width in sides}
    images |= {(own[0], side) for side in sides} | {(side, own[1]) for side in sides}
    yield from sorted(images - {own}, key=lambda image: distance(variant, image))


def distance(variant: Variant, image: Grid) -> tuple[bool, bool, int, Grid]:
    """What sorts sizes of images: square ones, then such as share a side with the model's."""
    apart = [abs(side - own) for side, own in zip(image, variant.image_size, strict=True)]
    return image[0] != image[1], min(apart) > 0, sum(apart), (-image[0], -image[1])


def _sides(windows: set[int], later: int) -> list[int]:
    """Sides of maps, of windows that are longer than 1.

    Some libraries take no map that is smaller than the window or odd in this stage or a later one:
    for these each class is also there on maps that stay large, and even.
    """
    sides = {1}
    for side in windows:
        near = {side - 1, side, side + 1, side + side // 2, 2 * side - 1, 2 * side}
        large = {side * 2**later + n for n in (0, 1, side // 2, side - 1, side)}
        even = {n * side * 2**k for n in (1, 2, 3) for k in range(later + 1)}
        sides |= near | large | even | {2**k for k in range(later + 1)}
    return sorted(n for n in sides if n > 0)

"""A variant with other fields, by our names or timm's, or with other windows."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hybrid_swin.errors import InputError, did_you_mean, quote
from hybrid_swin.spec.block_words import (
    PRETRAINED,
    WINDOW,
    WINDOWED,
    Part,
    arguments_of,
    own_window,
    parse,
    window_layout,
)
from hybrid_swin.spec.options import Sides
from hybrid_swin.spec.registry import load, plugin_hash
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import OPTIONAL, Variant
from hybrid_swin.spec.window_rules import Grid, Window, sides_of, spell_size, window_of

ARGUMENT = "pretrained_window_sizes"  # of timm: windows of a first training, by stage
_PATCH, _STAGES = 4, 4  # of all published Swins

# timm's argument names beside ours
_SYNONYMS = {"img_size": "image_size", "in_chans": "in_channels"}
_BY_STAGE = {"embed_dim": "width", "depths": "depth", "num_heads": "num_heads"}
_FREE = {"dynamic_img_size", "dynamic_img_pad"}  # any size works
_OTHERS = {ARGUMENT}  # written into words
# known to their users; a message has one line
_UNLISTED = {
    *("checkpoint_path", "device", "dtype", ARGUMENT, "stages", "strict_img_size", "weight_init"),
    "zero_init_residual",
}


def changed(variant: Variant, overrides: Mapping[str, Any], others: Iterable[str] = ()) -> Variant:
    """The variant with other fields, by our names or timm's; those that are None stay.

    A message lists ``others``, arguments of the caller, beside fields. Raises InputError for an
    unknown field, or a variant that cannot be.
    """
    fields = [f.name for f in dataclasses.fields(Variant)]
    for name in _SYNONYMS.keys() & overrides:
        if overrides.get(_SYNONYMS[name]) is not None:
            raise InputError(f"{name} and {_SYNONYMS[name]} mean the same; give one of them")
    given = {_SYNONYMS.get(n, n): v for n, v in overrides.items() if v is not None}
    for name in given:
        if name not in fields and name not in {*_BY_STAGE, *_FREE, *_OTHERS}:
            raise _unknown(name, [*others], [*fields, *_BY_STAGE, *_OTHERS])
    changes = {name: value for name, value in given.items() if name in fields}
    by_stage = {name: value for name, value in given.items() if name in _BY_STAGE}
    if by_stage:
        if "stages" in changes:
            raise InputError(f"stages and {next(iter(by_stage))} say the same; give one of them")
        changes["stages"] = _stages(variant, by_stage)
    if "window_size" in changes and "stages" not in given:  # of every stage, as in timm
        stages = changes.get("stages", variant.stages)
        changes["stages"] = tuple(dataclasses.replace(s, window_size=None) for s in stages)
    variant = dataclasses.replace(variant, **changes)
    return with_pretrained_windows(variant, given[ARGUMENT]) if ARGUMENT in given else variant


def _unknown(name: str, own: Sequence[str], fields: Sequence[str]) -> InputError:
    """The error for an argument that does not exist, with those that do, in one line."""
    listed = sorted({*own, *fields} - _UNLISTED)
    near = did_you_mean(name, [*own, *fields, *_SYNONYMS, *_FREE])
    return InputError(
        f"unknown argument {quote(name, 40)}{near or ';'} create_model takes {', '.join(listed)}"
    )


def _stages(variant: Variant, given: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Stages with timm's ``embed_dim``, ``depths`` and ``num_heads``."""
    values = {name: list(v) if isinstance(v, list | tuple) else v for name, v in given.items()}
    counts = {name: len(v) for name, v in values.items() if isinstance(v, list)}
    count = next(iter(counts.values()), len(variant.stages))
    if set(counts.values()) - {count}:
        numbers = ", ".join(f"{name} {number}" for name, number in counts.items())
        raise InputError(f"one value per stage each, and as many of all; got {numbers}")
    known = len(variant.stages)
    width = values.get("embed_dim", None if count == known else variant.stages[0].width)
    if width is not None and not isinstance(width, list):
        if not isinstance(width, int | float):
            raise InputError(
                f"embed_dim must be a whole number, or one per stage; got {width!r:.80}"
            )
        values["embed_dim"] = [width * 2**i for i in range(count)]
    for name, value in values.items():
        if not isinstance(value, list):
            raise InputError(
                f"{name} must have one value per stage, such as (2, 2, 6, 2); got {value!r}"
            )
    kept = [*variant.stages, *[variant.stages[-1]] * count][:count]
    if count > known and len(counts.keys() & {"depths", "num_heads"}) < 2:
        raise InputError(
            f"{count} stages of a variant of {known}: give depths and num_heads of all"
        )
    stages = []
    for index, stage in enumerate(kept):
        changes = {_BY_STAGE[name]: value[index] for name, value in values.items()}
        if isinstance(changes.get("depth"), int):  # words cycle over the depth, which may be short
            changes["blocks"] = stage.blocks[: max(changes["depth"], 1)]
        stages.append(dataclasses.replace(stage, **changes))
    return tuple(stages)


def of_variant(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a network's arguments that ``changed`` takes."""
    known = {f.name for f in dataclasses.fields(Variant)} | {*_SYNONYMS, *_BY_STAGE, *_OTHERS}
    return {name: value for name, value in arguments.items() if name in known}


def timm_arguments(variant: Variant) -> dict[str, Any]:
    """A variant as arguments that ``changed`` takes, plain as in JSON, by timm's names."""
    ours = {ours: timms for timms, ours in _SYNONYMS.items()}
    fields = variant.to_dict() | {name: getattr(variant, name) for name in OPTIONAL}
    return {ours.get(name, name): value for name, value in fields.items()}


def first_windows(window: int, image: int) -> tuple[int, ...]:
    """Windows of each stage of a published network at so many pixels: no larger than its maps."""
    return tuple(min(window, image // _PATCH // 2**stage) for stage in range(_STAGES))


def with_pretrained_windows(variant: Variant, sizes: int | Sequence[int]) -> Variant:
    """The variant whose continuous position biases (Swin V2's) count offsets by these windows.

    Tokens per side, one for all stages or one each; 0 for the windows in use. Raises InputError for
    something else, or no such bias in a stage that has a size.
    """
    each: list[Any] = (
        list(sizes) if isinstance(sizes, list | tuple) else [sizes] * len(variant.stages)
    )
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in each)
    if len(each) != len(variant.stages) or not whole:
        raise InputError(
            f"{ARGUMENT} must be one whole number, or {len(variant.stages)} of them, one per "
            f"stage, 0 for the windows in use; got {sizes!r:.80}"
        )
    stages = zip(variant.stages, each, strict=True)
    return dataclasses.replace(
        variant, stages=tuple(_scaled_stage(i, *pair) for i, pair in enumerate(stages))
    )


def _scaled_stage(index: int, stage: Stage, side: int) -> Stage:
    words, scales = [], False
    for text in stage.blocks:
        word = parse(text)
        branches = []
        for part in word.branches:
            options = part.kwargs
            if options.get("bias") == "continuous":
                scales = True
                options.pop(PRETRAINED, None)
                options |= {PRETRAINED: side} if side else {}
            branches.append(Part(part.name, tuple(sorted(options.items()))))
        new = dataclasses.replace(word, branches=tuple(branches))
        words.append(text if new == word else str(new))
    if side and not scales:
        raise InputError(
            f"{ARGUMENT}: stage {index} has no continuous position bias that a size of {side} "
            "would scale; give 0 for it, or blocks such as w_msa(bias=continuous)"
        )
    return dataclasses.replace(stage, blocks=tuple(words))


def with_windows_kept(variant: Variant, image_size: Grid | int) -> Variant:
    """The variant for images of another size, in which windows lie as they are.

    A window that has shrunk to a map stays as small on a larger one, which then stands in its
    stage; only where the new map is smaller still it shrinks to that. Raises InputError if it is
    not an image_size, or of a stage's branches only some have shrunk.
    """
    changed = dataclasses.replace(variant, image_size=image_size)  # type: ignore[arg-type]  # checked there
    stages = tuple(_kept_stage(variant, changed, index) for index in range(len(variant.stages)))
    return dataclasses.replace(changed, stages=stages)


def _kept_stage(before: Variant, after: Variant, index: int) -> Stage:
    stage, window, grid = before.stages[index], before.window_sizes[index], after.grids[index]
    words = (_kept_word(text, before.grids[index], grid) for text in stage.blocks)
    stage = dataclasses.replace(stage, blocks=tuple(words))
    parts = list(_windowed(before, index))
    in_use = [_fitted(part, before.grids[index], window) for part in parts]
    kept = [_fitted(part, grid, mine) for part, mine in zip(parts, in_use, strict=True)]
    for other in dict.fromkeys((window, *in_use)):
        if [_fitted(part, grid, other) for part in parts] == kept:
            return stage if other == window else dataclasses.replace(stage, window_size=other)
    windows = ", ".join(f"{part} {spell_size(w)}" for part, w in zip(parts, in_use, strict=True))
    raise InputError(
        f"stages.{index}: its windows differ ({windows}) and cannot all stay for images of "
        f"{spell_size(after.image_size)}; give window_size or window_ratio as well"
    )


def _kept_word(text: str, was: Grid, grid: Grid) -> str:
    """A word whose own windows lie on another map as they did, but for what does not fit it."""
    word = parse(text)
    new = dataclasses.replace(word, branches=tuple(_kept(p, was, grid) for p in word.branches))
    return text if new == word else str(new)


def _kept(part: Part, was: Grid, grid: Grid) -> Part:
    options = part.kwargs
    if WINDOW not in options:
        return part
    in_use = _fitted(part, was, own_window(part, 0))
    options[WINDOW] = Sides(*sides_of(in_use))
    kept = Part(part.name, tuple(sorted(options.items())))
    return part if _fitted(part, grid, 0) == _fitted(kept, grid, 0) else kept


def _windowed(variant: Variant, index: int) -> Iterator[Part]:
    """Branches that have windows, or may, being plug-ins."""
    parts = {part for word in variant.block_words[index] for part in word.branches}
    for part in sorted(parts):
        if part.name in WINDOWED or plugin_hash("branch", part.name):
            yield part


def _fitted(part: Part, grid: Grid, window: Window) -> Window:
    """The window as a branch has it on a nominal map."""
    if part.name in WINDOWED:
        return window_of(window_layout(part, grid, window).window)
    cls, options = load("branch", part.name), arguments_of("branch", part)
    window = own_window(part, window)
    return window_of(sides_of(cls.fitted_window(window, grid, **options)))

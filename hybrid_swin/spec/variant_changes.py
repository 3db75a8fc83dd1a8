"""A variant with other fields, by our names or timm's."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hybrid_swin.errors import InputError, did_you_mean, shown
from hybrid_swin.spec.pretrained_windows import ARGUMENT, with_pretrained_windows
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

# timm's argument names beside ours
_SYNONYMS = {"img_size": "image_size", "in_chans": "in_channels"}
_BY_STAGE = {"embed_dim": "width", "depths": "depth", "num_heads": "num_heads"}
_FREE = {"dynamic_img_size", "dynamic_img_pad"}  # any size works
_OTHERS = {ARGUMENT}  # written into words
# known to their users; a message has one line
_UNLISTED = {"device", "dtype", "stages", "weight_init", "zero_init_residual"}


def changed(variant: Variant, overrides: Mapping[str, Any], others: Iterable[str] = ()) -> Variant:
    """The variant with other fields; those that are None stay as they are.

    Args:
        variant: what to change.
        overrides: fields by our names or timm's, ``embed_dim``, ``depths`` and ``num_heads`` among
            them.
        others: what a message should list beside fields: other arguments of the caller.

    Raises:
        InputError: an unknown field, or a variant that cannot be.
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
        f"unknown argument {shown(name, 40)}{near or ';'} create_model takes {', '.join(listed)}"
    )


def _stages(variant: Variant, given: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Stages with timm's ``embed_dim``, ``depths`` and ``num_heads``."""
    values = {name: list(v) if isinstance(v, list | tuple) else v for name, v in given.items()}
    counts = {name: len(v) for name, v in values.items() if isinstance(v, list)}
    count = next(iter(counts.values()), len(variant.stages))
    if set(counts.values()) - {count}:
        said = ", ".join(f"{name} {number}" for name, number in counts.items())
        raise InputError(f"one value a stage each, and as many of all; got {said}")
    known = len(variant.stages)
    width = values.get("embed_dim", None if count == known else variant.stages[0].width)
    if width is not None and not isinstance(width, list):
        if not isinstance(width, int | float):
            raise InputError(f"embed_dim must be a whole number, or one a stage; got {width!r:.80}")
        values["embed_dim"] = [width * 2**i for i in range(count)]
    for name, value in values.items():
        if not isinstance(value, list):
            raise InputError(
                f"{name} must have one value a stage, such as (2, 2, 6, 2); got {value!r}"
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
    fields = variant.to_dict() | {"merging_norm": variant.merging_norm}
    return {ours.get(name, name): value for name, value in fields.items()}

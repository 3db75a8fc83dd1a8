"""``create_model`` and its lists, in the manner of timm."""

import dataclasses
import inspect
import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, overload

import torch

from hybrid_swin import cost, published, registry
from hybrid_swin.checkpoints import load_weights
from hybrid_swin.cost import Cost
from hybrid_swin.errors import InputError, did_you_mean, shown
from hybrid_swin.head import Pool
from hybrid_swin.model import HybridSwin
from hybrid_swin.pretrained_windows import NAME, with_pretrained_windows
from hybrid_swin.pyramid import Pyramid
from hybrid_swin.study_runs import names_run, run_folder
from hybrid_swin.trained import load
from hybrid_swin.variant import Stage, Variant
from hybrid_swin.variant_sources import resolve_variant

# timm's argument names beside ours
_SYNONYMS = {"img_size": "image_size", "in_chans": "in_channels"}
_BY_STAGE = {"embed_dim": "width", "depths": "depth", "num_heads": "num_heads"}
_FREE = {"dynamic_img_size", "dynamic_img_pad"}  # any size works
_OTHERS = {NAME}  # written into words
_UNLISTED = {"device", "dtype", "stages"}  # known to their users; a message has one line


@overload
def create_model(
    source: str | Path | Variant,
    pretrained: bool = False,
    *,
    features_only: Literal[False] = False,
    checkpoint_path: str | Path | None = None,
    follow_source: bool = False,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: Pool = "avg",
    strict_img_size: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> HybridSwin: ...
@overload
def create_model(
    source: str | Path | Variant,
    pretrained: bool = False,
    *,
    features_only: Literal[True],
    out_indices: int | Sequence[int] | None = None,
    checkpoint_path: str | Path | None = None,
    follow_source: bool = False,
    drop_path_rate: float = 0.0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> Pyramid: ...
def create_model(
    source: str | Path | Variant,
    pretrained: bool = False,
    *,
    features_only: bool = False,
    out_indices: int | Sequence[int] | None = None,
    checkpoint_path: str | Path | None = None,
    follow_source: bool = False,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: Pool = "avg",
    strict_img_size: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> HybridSwin | Pyramid:
    """Build a network; with first weights, unless a file or a trained run gives others.

    Args:
        source: a published name (``list_models()``), a block word, a YAML file, the folder of a
            study's run, or a Variant.
        pretrained: take the weights of a trained run. Published names have none here: nothing is
            downloaded.
        features_only: give the maps of the stages instead of logits, without head and final norm.
        out_indices: with ``features_only``, the stages whose maps to give: all, the last n, or a
            list (may be negative).
        checkpoint_path: weights to load (``load_weights``), of any layout that is known.
        follow_source: pad, roll and shift windows as the library of ``checkpoint_path`` does (see
            ``load_weights``).
        drop_rate: dropout of the pooled features.
        drop_path_rate: stochastic depth of the last block.
        global_pool: how the last map is pooled: ``avg``, ``max``, ``avgmax``, ``catavgmax``, or
            "" for 0 classes.
        strict_img_size: refuse images of another size.
        device: where to make it; "meta" makes it without memory.
        dtype: of its parameters.
        overrides: fields of the variant to change: ``num_classes``, ``image_size`` (or timm's
            ``img_size``), ``in_channels`` (or ``in_chans``), ``window_size`` (one number, or height
            and width), ...; of all stages timm's ``embed_dim`` (of the first; widths double),
            ``depths`` and ``num_heads``, and of V2 ``pretrained_window_sizes``. Those that are None
            are left as they are.

    Raises:
        InputError: an unknown name, field or stage, or a variant that cannot be; weights that are
            not there, or not of this network.
    """
    if out_indices is not None and not features_only:
        raise InputError("out_indices chooses maps of stages; set features_only=True as well")
    if follow_source and checkpoint_path is None:
        raise InputError(
            "follow_source=True follows the library of a checkpoint; give checkpoint_path=FILE"
        )
    variant = _changed(resolve_variant(source), overrides)
    trained = _has_run(source)
    if pretrained and not trained:
        raise InputError(
            f"pretrained=True: {str(source)!r} has no weights here, and none are downloaded; give "
            "checkpoint_path=FILE, or load_weights(model, FILE) afterwards: files of timm, "
            "torchvision, Microsoft and Hugging Face are read"
        )
    if trained and not pretrained and checkpoint_path is None:
        warnings.warn(
            f"{str(source)!r}: a network as that run's, with fresh weights; pretrained=True takes "
            "the trained ones",
            stacklevel=2,
        )
    with torch.device(device or torch.get_default_device()):
        model = HybridSwin(
            variant,
            drop_path_rate,
            drop_rate=drop_rate,
            global_pool=global_pool,
            strict_img_size=strict_img_size,
        )
    if pretrained:
        found = load(run_folder(str(source)))
        load_weights(model, found.state_dict())
        if found.variant.in_channels == variant.in_channels:
            names = ("mean", "std", "crop_pct", "crop_mode", "interpolation")
            facts = {name: found.pretrained_cfg[name] for name in names}
            model.pretrained_cfg = model.pretrained_cfg | facts
    if checkpoint_path is not None:
        load_weights(model, checkpoint_path, follow_source=follow_source)
    if dtype is not None:
        model.to(dtype)
    return Pyramid(model, out_indices) if features_only else model


def _has_run(source: str | Path | Variant) -> bool:
    if isinstance(source, Variant) or str(source) in published.names():
        return False
    return names_run(str(source))


def _changed(variant: Variant, overrides: Mapping[str, Any]) -> Variant:
    """The variant with other fields, by our names or timm's. Raises InputError likewise."""
    fields = [f.name for f in dataclasses.fields(Variant)]
    for name in _SYNONYMS.keys() & overrides:
        if overrides.get(_SYNONYMS[name]) is not None:
            raise InputError(f"{name} and {_SYNONYMS[name]} mean the same; give one of them")
    given = {_SYNONYMS.get(n, n): v for n, v in overrides.items() if v is not None}
    for name in given:
        if name not in fields and name not in {*_BY_STAGE, *_FREE, *_OTHERS}:
            raise _unknown(name, [*fields, *_BY_STAGE, *_OTHERS])
    changes = {name: value for name, value in given.items() if name in fields}
    by_stage = {name: value for name, value in given.items() if name in _BY_STAGE}
    if by_stage:
        if "stages" in changes:
            raise InputError(f"stages and {next(iter(by_stage))} say the same; give one of them")
        changes["stages"] = _stages(variant, by_stage)
    if "window_size" in changes:  # of every stage, as in timm
        stages = changes.get("stages", variant.stages)
        changes["stages"] = tuple(dataclasses.replace(s, window_size=None) for s in stages)
    variant = dataclasses.replace(variant, **changes)
    return with_pretrained_windows(variant, given[NAME]) if NAME in given else variant


def _unknown(name: str, fields: Sequence[str]) -> InputError:
    """The error for an argument that does not exist, with those that do, in one line."""
    own = list(inspect.signature(create_model).parameters)[1:-1]
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


def count_cost(source: str | Path | Variant) -> Cost:
    """Parameters, MACs and activations of a published name, a YAML file or a Variant.

    Nothing is built. Raises InputError for anything else.
    """
    return cost.count_cost(resolve_variant(source))


def list_models(pattern: str = "*") -> list[str]:
    """Published names that match a shell pattern, such as ``swin*``."""
    return [name for name in published.names() if fnmatch(name, pattern)]


def list_branches() -> list[str]:
    """Names of all branches, plug-ins included."""
    return registry.names("branch")


def list_fusions() -> list[str]:
    """Names of all fusions, plug-ins included."""
    return registry.names("fusion")

"""``create_model`` and its lists, in the manner of timm."""

import dataclasses
import inspect
import warnings
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, overload

import torch

from hybrid_swin import cost
from hybrid_swin.cost import Cost
from hybrid_swin.errors import InputError, check_flags, quote
from hybrid_swin.interop.trained import load, load_facts
from hybrid_swin.interop.variant_sources import resolve_variant, trained_path
from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.network.head import Pool
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.network_facts import NetworkFacts
from hybrid_swin.network.pretrained_cfg import kept_facts
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec import published, registry
from hybrid_swin.spec.recipe import WeightInit
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import changed


@overload
def create_model(
    source: str | Path | Variant,
    pretrained: bool | None = False,
    *,
    features_only: Literal[False] | None = False,
    checkpoint_path: str | Path | None = None,
    follow_source: bool | None = False,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    global_pool: Pool | None = None,
    strict_img_size: bool | None = False,
    weight_init: WeightInit | None = None,
    zero_init_residual: bool | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> HybridSwin: ...
@overload
def create_model(
    source: str | Path | Variant,
    pretrained: bool | None = False,
    *,
    features_only: Literal[True],
    out_indices: int | Sequence[int] | None = None,
    checkpoint_path: str | Path | None = None,
    follow_source: bool | None = False,
    drop_path_rate: float | None = None,
    strict_img_size: bool | None = False,
    weight_init: WeightInit | None = None,
    zero_init_residual: bool | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> Pyramid: ...
def create_model(
    source: str | Path | Variant,
    pretrained: bool | None = False,
    *,
    features_only: bool | None = False,
    out_indices: int | Sequence[int] | None = None,
    checkpoint_path: str | Path | None = None,
    follow_source: bool | None = False,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    global_pool: Pool | None = None,
    strict_img_size: bool | None = False,
    weight_init: WeightInit | None = None,
    zero_init_residual: bool | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> HybridSwin | Pyramid:
    """Build a network; with first weights, unless a file or a trained run gives others.

    Args:
        source: a published name (``list_models()``), a block word, a YAML file, a Variant, or what
            ``load`` takes: the folder of a training or of a study's run, a checkpoint, an exported
            file.
        pretrained: take the weights of what is trained. Published names have none here: nothing is
            downloaded; the file of ``checkpoint_path`` is enough.
        features_only: give the maps of the stages instead of logits, without head and final norm.
        out_indices: with ``features_only``, the stages whose maps to give: all, the last n, or a
            list (may be negative).
        checkpoint_path: weights to load (``load_weights``), of any layout that is known; "" for
            none.
        follow_source: pad, roll and shift windows as the library of ``checkpoint_path`` does (see
            ``load_weights``).
        drop_rate: dropout of the pooled features; 0 if not given.
        drop_path_rate: stochastic depth of the last block; 0 if not given.
        global_pool: how the last map is pooled: ``avg``, ``max``, ``avgmax``, ``catavgmax``, or
            "" for 0 classes; as what is trained does if not given, else ``avg``.
        strict_img_size: refuse images of another size.
        weight_init: first weights of linear layers, ``trunc_normal`` or ``lecun_normal`` (see
            ``Recipe``); if not given, as what is trained started, else ``trunc_normal``.
        zero_init_residual: whether norms behind mixers and MLPs start at 0, or at 1; likewise,
            else at 0.
        device: where to make it; "meta" makes it without memory, so without weights too.
        dtype: of its parameters.
        overrides: fields of the variant to change: ``num_classes``, ``image_size`` (or timm's
            ``img_size``), ``in_channels`` (or ``in_chans``), ``window_size`` (one number, or height
            and width), ...; of all stages timm's ``embed_dim`` (of the first; widths double),
            ``depths`` and ``num_heads``, and of V2 ``pretrained_window_sizes``. Those that are None
            are left as they are, as are all arguments above.

    Raises:
        InputError: an unknown name, field or stage, or a variant that cannot be; weights that are
            not there, or not of this network.
    """
    check_flags(pretrained=pretrained, features_only=features_only, follow_source=follow_source)
    check_flags(strict_img_size=strict_img_size)
    _check_places(device, dtype)
    if isinstance(checkpoint_path, str) and not checkpoint_path:
        checkpoint_path = None
    if out_indices is not None and not features_only:
        raise InputError("out_indices chooses maps of stages; set features_only=True as well")
    if follow_source and checkpoint_path is None:
        raise InputError(
            "follow_source=True follows the library of a checkpoint; give checkpoint_path=FILE"
        )
    if features_only and global_pool == "":
        global_pool = None  # there is no head that it could be of
    path = trained_path(source)
    origin = load(path) if pretrained and path is not None else None
    others = list(inspect.signature(create_model).parameters)[1:-1]
    known = resolve_variant(source) if origin is None else origin.variant
    variant = changed(known, overrides, others)
    if pretrained and origin is None and checkpoint_path is None:
        raise InputError(
            f"pretrained=True: {str(source)!r} has no weights here, and none are downloaded; give "
            "checkpoint_path=FILE, or load_weights(model, FILE) afterwards: files of timm, "
            "torchvision, Microsoft and Hugging Face are read"
        )
    if path is not None and not pretrained and checkpoint_path is None:
        warnings.warn(
            f"{str(source)!r}: a network as that run's, with fresh weights; pretrained=True takes "
            "the trained ones",
            stacklevel=2,
        )
    facts = NetworkFacts() if path is None else load_facts(path)
    if facts.out_indices is not None:
        if not features_only:
            raise InputError(
                f"{str(source)!r} gives maps of stages and has no head; set features_only=True"
            )
        out_indices = facts.out_indices if out_indices is None else out_indices
    options: dict[str, Any] = {"weight_init": weight_init or None, "global_pool": global_pool}
    options |= {"zero_init_residual": zero_init_residual, "strict_img_size": bool(strict_img_size)}
    if variant.num_classes and not facts.global_pool:
        options["global_pool"] = global_pool or "avg"
    given = {name: value for name, value in options.items() if value is not None}
    facts = dataclasses.replace(facts, **given, out_indices=None)
    with torch.device(device or torch.get_default_device()):
        model = facts.network(
            variant,
            0.0 if drop_path_rate is None else drop_path_rate,
            0.0 if drop_rate is None else drop_rate,
        )
    if origin is not None:
        load_weights(model, origin.state_dict())
        model.pretrained_cfg = model.pretrained_cfg | kept_facts(origin.pretrained_cfg, variant)
    if checkpoint_path is not None:
        report = load_weights(model, checkpoint_path, follow_source=bool(follow_source))
        for note in report.notes:
            if global_pool is None and "global_pool" in note:
                warnings.warn(f"{report.source}: {note}", stacklevel=2)
    if dtype is not None:
        model.to(dtype)
    return Pyramid(model, out_indices) if features_only else model


def _check_places(device: Any, dtype: Any) -> None:
    """Raise InputError for what torch does not know as a device, or as a floating type."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise InputError(f"dtype must be one of torch's, such as torch.float16; got {quote(dtype)}")
    try:
        torch.empty(0, device=device or "cpu")
    except (RuntimeError, TypeError, AssertionError) as error:  # as torch without CUDA says it
        raise InputError(
            f"device must be one that torch has here, such as 'cpu' or 'meta'; got {quote(device)}"
        ) from error


def count_cost(source: str | Path | Variant) -> Cost:
    """Parameters, MACs and activations of a published name, a YAML file or a Variant.

    Nothing is built. Raises InputError for anything else.
    """
    return cost.count_cost(resolve_variant(source))


def list_models(pattern: str = "*") -> list[str]:
    """Published names that match a shell pattern, such as ``swin*``.

    Raises InputError for what is not text.
    """
    if not isinstance(pattern, str):
        raise InputError(f"names are listed by a pattern such as 'swin*'; got {quote(pattern)}")
    return [name for name in published.names() if fnmatch(name, pattern)]


def list_branches() -> list[str]:
    """Names of all branches, plug-ins included."""
    return registry.names("branch")


def list_fusions() -> list[str]:
    """Names of all fusions, plug-ins included."""
    return registry.names("fusion")

"""``create_model`` and its lists, in the manner of timm."""

import dataclasses
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, overload

from hybrid_swin import cost, published, registry
from hybrid_swin.cost import Cost
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.model import HybridSwin
from hybrid_swin.pyramid import Pyramid
from hybrid_swin.study_runs import names_run, run_variant
from hybrid_swin.variant import Variant

# timm's argument names beside ours
_SYNONYMS = {"img_size": "image_size", "in_chans": "in_channels"}


def resolve_variant(source: str | Path | Variant) -> Variant:
    """A variant from itself, a YAML file's path, a published name, or the folder of a study's run.

    Raises InputError for anything else.
    """
    if isinstance(source, Variant):
        return source
    if str(source).endswith((".yaml", ".yml")):
        return Variant.from_yaml(source)
    name = str(source)
    if name not in published.names() and names_run(name):
        return run_variant(name)
    return published.published(name)


@overload
def create_model(
    source: str | Path | Variant,
    *,
    features_only: Literal[False] = False,
    drop_path_rate: float = 0.0,
    **overrides: Any,
) -> HybridSwin: ...
@overload
def create_model(
    source: str | Path | Variant,
    *,
    features_only: Literal[True],
    out_indices: int | Sequence[int] | None = None,
    drop_path_rate: float = 0.0,
    **overrides: Any,
) -> Pyramid: ...
def create_model(
    source: str | Path | Variant,
    *,
    features_only: bool = False,
    out_indices: int | Sequence[int] | None = None,
    drop_path_rate: float = 0.0,
    **overrides: Any,
) -> HybridSwin | Pyramid:
    """Build a network.

    Args:
        source: a published name (``list_models()``), a YAML file, the folder of a study's run, or
            a Variant.
        features_only: give the maps of the stages instead of logits, without head and final norm.
        out_indices: with ``features_only``, the stages whose maps to give: all, the last n, or a
            list (may be negative).
        drop_path_rate: stochastic depth of the last block.
        overrides: fields of the variant to change: ``num_classes``, ``image_size`` (or timm's
            ``img_size``), ``in_channels`` (or ``in_chans``), ``window_size``, ...

    Raises:
        InputError: an unknown name, field or stage, or a variant that cannot be.
    """
    variant = resolve_variant(source)
    fields = [f.name for f in dataclasses.fields(Variant)]
    for name in _SYNONYMS.keys() & overrides:
        if _SYNONYMS[name] in overrides:
            raise InputError(f"{name} and {_SYNONYMS[name]} mean the same; give one of them")
    changes = {_SYNONYMS.get(name, name): value for name, value in overrides.items()}
    for name in changes:
        if name not in fields:
            raise unknown("argument of create_model", name, [*fields, *_SYNONYMS])
    if out_indices is not None and not features_only:
        raise InputError("out_indices chooses maps of stages; set features_only=True as well")
    model = HybridSwin(dataclasses.replace(variant, **changes), drop_path_rate)
    return Pyramid(model, out_indices) if features_only else model


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

"""``create_model`` and its lists, in the manner of timm."""

import dataclasses
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hybrid_swin import published, registry
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.model import HybridSwin
from hybrid_swin.variant import Variant

# timm's argument names beside ours
_SYNONYMS = {"img_size": "image_size", "in_chans": "in_channels"}


def resolve_variant(source: str | Path | Variant) -> Variant:
    """A variant from itself, from a YAML file's path or from a published name.

    Raises InputError for anything else.
    """
    if isinstance(source, Variant):
        return source
    if str(source).endswith((".yaml", ".yml")):
        return Variant.from_yaml(source)
    return published.published(str(source))


def create_model(
    source: str | Path | Variant, *, drop_path_rate: float = 0.0, **overrides: Any
) -> HybridSwin:
    """Build a network.

    Args:
        source: a published name (``list_models()``), a YAML file or a Variant.
        drop_path_rate: stochastic depth of the last block.
        overrides: fields of the variant to change: ``num_classes``, ``image_size`` (or timm's
            ``img_size``), ``in_channels`` (or ``in_chans``), ``window_size``, ...

    Raises:
        InputError: an unknown name or field, or a variant that cannot be.
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
    return HybridSwin(dataclasses.replace(variant, **changes), drop_path_rate)


def list_models(pattern: str = "*") -> list[str]:
    """Published names that match a shell pattern, such as ``swin*``."""
    return [name for name in published.names() if fnmatch(name, pattern)]


def list_branches() -> list[str]:
    """Names of all branches, plug-ins included."""
    return registry.names("branch")


def list_fusions() -> list[str]:
    """Names of all fusions, plug-ins included."""
    return registry.names("fusion")

"""Networks composed of pluggable blocks of local and global information.

Public names are imported when first used, so that ``import hybrid_swin`` costs nothing.
"""

TYPE_CHECKING = False  # nothing is imported before a door has put the import path in order
if TYPE_CHECKING:
    from typing import Any

_PUBLIC = {
    "Cost": "cost",
    "HybridSwin": "network.model",
    "InputError": "errors",
    "Recipe": "spec.recipe",
    "Stage": "spec.variant",
    "Variant": "spec.variant",
    "WeightReport": "interop.weights.report",
    "count_cost": "interop.factory",
    "create_model": "interop.factory",
    "export_model": "interop.export.export",
    "list_branches": "interop.factory",
    "list_fusions": "interop.factory",
    "list_models": "interop.factory",
    "load": "interop.trained",
    "load_weights": "interop.weights.load_save",
    "match_cost": "cost.width_solver",
    "register_with_timm": "interop.timm_registry",
    "replace_blocks": "interop.surgery",
    "resolve_variant": "interop.variant_sources",
    "save_weights": "interop.weights.load_save",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> "Any":
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__

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
    "WeightReport": "weights.report",
    "count_cost": "factory",
    "create_model": "factory",
    "export_model": "export",
    "list_branches": "factory",
    "list_fusions": "factory",
    "list_models": "factory",
    "load": "trained",
    "load_weights": "checkpoints",
    "match_cost": "cost.width_solver",
    "register_with_timm": "timm_registry",
    "replace_blocks": "surgery",
    "resolve_variant": "variant_sources",
    "save_weights": "checkpoints",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> "Any":
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__

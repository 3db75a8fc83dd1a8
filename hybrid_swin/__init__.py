"""Networks composed of pluggable blocks of local and global information.

Users and plug-ins import public names from here. Each is imported when it is first used, so that
``import hybrid_swin`` costs nothing.
"""

TYPE_CHECKING = False  # nothing is imported before a door has put the import path in order
if TYPE_CHECKING:
    from typing import Any

    from hybrid_swin.cost import Cost as Cost
    from hybrid_swin.cost import linear as linear
    from hybrid_swin.cost.width_solver import match_cost as match_cost
    from hybrid_swin.data.sources import LabelledImages as LabelledImages
    from hybrid_swin.data.sources import Source as Source
    from hybrid_swin.errors import InputError as InputError
    from hybrid_swin.inspection.methods import Inspection as Inspection
    from hybrid_swin.interop.export.export import export_model as export_model
    from hybrid_swin.interop.factory import count_cost as count_cost
    from hybrid_swin.interop.factory import create_model as create_model
    from hybrid_swin.interop.factory import list_branches as list_branches
    from hybrid_swin.interop.factory import list_fusions as list_fusions
    from hybrid_swin.interop.factory import list_models as list_models
    from hybrid_swin.interop.surgery import replace_blocks as replace_blocks
    from hybrid_swin.interop.timm_registry import register_with_timm as register_with_timm
    from hybrid_swin.interop.trained import load as load
    from hybrid_swin.interop.variant_sources import resolve_variant as resolve_variant
    from hybrid_swin.interop.weights.load_save import load_weights as load_weights
    from hybrid_swin.interop.weights.load_save import save_weights as save_weights
    from hybrid_swin.interop.weights.report import WeightReport as WeightReport
    from hybrid_swin.network.branches import Branch as Branch
    from hybrid_swin.network.fusions import Fusion as Fusion
    from hybrid_swin.network.layers import convolve as convolve
    from hybrid_swin.network.layers import depthwise_conv as depthwise_conv
    from hybrid_swin.network.model import HybridSwin as HybridSwin
    from hybrid_swin.spec.recipe import Recipe as Recipe
    from hybrid_swin.spec.stage import Stage as Stage
    from hybrid_swin.spec.variant import Variant as Variant

_PUBLIC = {
    "Branch": "network.branches",
    "Cost": "cost",
    "Fusion": "network.fusions",
    "HybridSwin": "network.model",
    "InputError": "errors",
    "Inspection": "inspection.methods",
    "LabelledImages": "data.sources",
    "Recipe": "spec.recipe",
    "Source": "data.sources",
    "Stage": "spec.stage",
    "Variant": "spec.variant",
    "WeightReport": "interop.weights.report",
    "convolve": "network.layers",
    "count_cost": "interop.factory",
    "create_model": "interop.factory",
    "depthwise_conv": "network.layers",
    "export_model": "interop.export.export",
    "linear": "cost",
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

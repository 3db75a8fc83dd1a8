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
    from hybrid_swin.network.whole_batch import for_batch as for_batch
    from hybrid_swin.spec.recipe import Recipe as Recipe
    from hybrid_swin.spec.stage import Stage as Stage
    from hybrid_swin.spec.variant import Variant as Variant
    from hybrid_swin.training.augmentations import Augmentation as Augmentation
    from hybrid_swin.training.augmentations import Pixels as Pixels
    from hybrid_swin.training.optimizers import OptimizerFactory as OptimizerFactory
    from hybrid_swin.training.optimizers import ParameterGroup as ParameterGroup
    from hybrid_swin.training.schedules import Schedule as Schedule

_NAMES = {  # of each module
    "cost": "Cost linear",
    "cost.width_solver": "match_cost",
    "data.sources": "LabelledImages Source",
    "errors": "InputError",
    "inspection.methods": "Inspection",
    "interop.export.export": "export_model",
    "interop.factory": "count_cost create_model list_branches list_fusions list_models",
    "interop.surgery": "replace_blocks",
    "interop.timm_registry": "register_with_timm",
    "interop.trained": "load",
    "interop.variant_sources": "resolve_variant",
    "interop.weights.load_save": "load_weights save_weights",
    "interop.weights.report": "WeightReport",
    "network.branches": "Branch",
    "network.fusions": "Fusion",
    "network.layers": "convolve depthwise_conv",
    "network.model": "HybridSwin",
    "network.whole_batch": "for_batch",
    "spec.recipe": "Recipe",
    "spec.stage": "Stage",
    "spec.variant": "Variant",
    "training.augmentations": "Augmentation Pixels",
    "training.optimizers": "OptimizerFactory ParameterGroup",
    "training.schedules": "Schedule",
}
_PUBLIC = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> "Any":
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__

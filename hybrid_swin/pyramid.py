"""The maps of the stages, from fine to coarse, for segmentation and detection."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hybrid_swin.backbone import Backbone
from hybrid_swin.model import HybridSwin, stages_taken


class FeatureInfo:
    """What the maps are, in timm's manner: number of channels, reduction, name of the module.

    Each method answers for the maps that are given; with ``idx``, for that stage or those stages.
    """

    def __init__(self, info: list[dict[str, Any]], out_indices: list[int]) -> None:
        self.info, self.out_indices = info, out_indices

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Channels of a map."""
        return self._get("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """Pixels of the image a side of a token."""
        return self._get("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """Name of the module that a map comes from."""
        return self._get("module", idx)

    def get_dicts(self) -> list[dict[str, Any]]:
        """All three and the ``index`` of the stage, of each map."""
        return [self.info[index] | {"index": index} for index in self.out_indices]

    def _get(self, key: str, idx: int | Sequence[int] | None) -> Any:
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[index][key] for index in (self.out_indices if idx is None else idx)]


class Pyramid(Backbone):
    """Maps of stages: images (B, C, H, W) to a list of (B, C', H', W'), one a stage.

    The maps are permuted views, so they lie channels-last. Sides that do not divide are rounded
    up. Names of parameters are those of ``HybridSwin``, whose head and final norm are missing.

    Args:
        model: whose stem and stages to use; they are shared, not copied. Stages behind the last
            one wanted are left out.
        out_indices: stages whose maps to give: all, the last n, or a list (may be negative).

    Raises:
        InputError: a stage that does not exist.
    """

    def __init__(self, model: HybridSwin, out_indices: int | Sequence[int] | None = None) -> None:
        super().__init__()
        self.out_indices = stages_taken(len(model.layers), out_indices)
        end = max(self.out_indices) + 1
        stages = model.variant.stages[:end]
        self.variant = dataclasses.replace(model.variant, num_classes=0, stages=stages)
        self.weight_init = model.weight_init
        self.patch_embed = model.patch_embed
        self.layers = nn.Sequential(*list(model.layers)[:end])
        info = [
            {
                "num_chs": stage.width,
                "reduction": self.variant.patch_size * 2**index,
                "module": f"layers.{index}",
            }
            for index, stage in enumerate(stages)
        ]
        self.feature_info = FeatureInfo(info, self.out_indices)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> a list of (B, C', H', W')."""
        maps: dict[int, Tensor] = {}
        x = self.patch_embed(images)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.out_indices:
                maps[index] = x.permute(0, 3, 1, 2)
        return [maps[index] for index in self.out_indices]

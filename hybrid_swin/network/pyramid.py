"""The maps of the stages, from fine to coarse, for segmentation and detection."""

import dataclasses
from collections.abc import Sequence

from torch import Tensor, nn

from hybrid_swin.network.backbone import Backbone
from hybrid_swin.network.feature_info import FeatureInfo, stages_info, stages_taken
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import shape_facts


class Pyramid(Backbone):
    """Maps of stages: images (B, C, H, W) to a list of (B, C', H', W'), one per stage.

    The maps are permuted views, so they lie channels-last. Sides that do not divide are rounded
    up. Names of parameters are those of ``HybridSwin``, whose head and final norm are missing.

    Args:
        model: whose stem and stages to use; they are shared, not copied. Stages behind the last
            one wanted are left out.
        out_indices: stages whose maps to give: all, the last n, or a list (may be negative).

    Raises:
        InputError: a stage that does not exist.
    """

    output_fmt = "NCHW"  # what heads of detection and segmentation take

    def __init__(self, model: HybridSwin, out_indices: int | Sequence[int] | None = None) -> None:
        super().__init__()
        self.out_indices = stages_taken(len(model.layers), out_indices)
        end = max(self.out_indices) + 1
        stages = model.variant.stages[:end]
        self.variant = dataclasses.replace(model.variant, num_classes=0, stages=stages)
        self.timm_name = model.timm_name
        self.pretrained_cfg = model.pretrained_cfg | shape_facts(self.variant, self.timm_name)
        self.strict_img_size = model.strict_img_size
        self.weight_init = model.weight_init
        self.zero_init_residual = model.zero_init_residual
        self.patch_embed = model.patch_embed
        self.layers = nn.Sequential(*list(model.layers)[:end])
        self.feature_info = FeatureInfo(stages_info(self.variant), self.out_indices)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> a list of (B, C', H', W')."""
        maps: list[Tensor] = []
        x = self._embed(images)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.out_indices:
                maps.append(x.permute(0, 3, 1, 2))
        return maps

"""The head: a map pooled and classified."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.values import SHARE

Pool = Literal["avg", "max", "avgmax", "catavgmax", ""]
"""Over the map: mean, maximum, their mean, the two side by side, or nothing; timm's names."""


class Head(nn.Module):
    """Pool over the map, drop, and a linear layer. (B, H, W, C) -> (B, num_classes).

    Args:
        dim: channels C of the map.
        num_classes: outputs; 0 leaves the layer out.
        global_pool: how the map is pooled; "" leaves it a map, which no layer can classify.
        drop_rate: share of pooled features that are set to zero in training.

    Raises:
        InputError: an unknown pool, none with classes, or a rate below 0 or of 1 and more.
    """

    def __init__(
        self, dim: int, num_classes: int, global_pool: Pool = "avg", drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        if global_pool not in get_args(Pool):
            raise unknown("global_pool", global_pool, [p or '""' for p in get_args(Pool)])
        if num_classes and not global_pool:
            raise InputError(
                f"global_pool='' leaves a map, which {num_classes} classes cannot be read from; "
                "set num_classes=0 as well, or choose a pool such as 'avg'"
            )
        drop_rate = SHARE.read("drop_rate", drop_rate)
        self.in_features = dim
        self.global_pool = global_pool
        self.num_features = 2 * dim if global_pool == "catavgmax" else dim
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """(B, H, W, C) -> (B, num_classes); what the linear layer gets with ``pre_logits``."""
        pooled = self.drop(self._pool(x))
        return pooled if pre_logits else self.fc(pooled)

    def _pool(self, x: Tensor) -> Tensor:
        if not self.global_pool:
            return x
        if self.global_pool == "avg":
            return x.mean(dim=(1, 2))
        largest = x.amax(dim=(1, 2))
        if self.global_pool == "max":
            return largest
        mean = x.mean(dim=(1, 2))
        if self.global_pool == "avgmax":
            return 0.5 * (mean + largest)
        return torch.cat([mean, largest], dim=-1)

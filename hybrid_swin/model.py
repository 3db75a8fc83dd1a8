"""The network of a variant: stem, stages, head."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from hybrid_swin.backbone import Backbone, Layer
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.first_weights import initialise
from hybrid_swin.patches import PatchEmbed
from hybrid_swin.recipe import WeightInit
from hybrid_swin.variant import Variant


class Head(nn.Module):
    """Mean over the map and a linear layer. (B, H, W, C) -> (B, num_classes)."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, num_classes); (B, C) where there are no classes."""
        out: Tensor = self.fc(x.mean(dim=(1, 2)))
        return out


class HybridSwin(Backbone):
    """A variant as a network. Images of any size; parameter names are timm's for plain Swin.

    ``to(memory_format=torch.channels_last)`` works, for images that come that way; blocks lie
    channels-last in any case.

    Args:
        variant: what to build.
        drop_path_rate: stochastic depth of the last block; it grows linearly from 0 at the first.
        weight_init: first weights of the linear layers (see ``initialise``).

    Raises:
        InputError: a drop path rate below 0, or of 1 and more, which would keep nothing.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030
    """

    def __init__(
        self,
        variant: Variant,
        drop_path_rate: float = 0.0,
        weight_init: WeightInit = "trunc_normal",
    ) -> None:
        super().__init__()
        if not 0 <= drop_path_rate < 1:
            raise InputError(
                f"drop_path_rate must be at least 0 and below 1; got {drop_path_rate!r}"
            )
        self.variant = variant
        self.weight_init = weight_init
        self.num_classes = variant.num_classes
        self.num_features = variant.stages[-1].width
        rates = iter(_linear_rates(drop_path_rate, sum(s.depth for s in variant.stages)))
        self.patch_embed = PatchEmbed(
            variant.in_channels, variant.stages[0].width, variant.patch_size
        )
        self.layers = nn.Sequential(
            *(
                Layer(variant, index, [next(rates) for _ in range(stage.depth)])
                for index, stage in enumerate(variant.stages)
            )
        )
        self.norm = nn.LayerNorm(self.num_features)
        self.head = Head(self.num_features, variant.num_classes)
        initialise(self, weight_init)

    def get_classifier(self) -> nn.Module:
        """The linear layer of the head; an identity where there are no classes."""
        out: nn.Module = self.head.fc
        return out

    def reset_classifier(self, num_classes: int) -> None:
        """Give the head a fresh linear layer for so many classes; 0 leaves the features.

        Raises:
            InputError: fewer than 0 classes.
        """
        self.variant = dataclasses.replace(self.variant, num_classes=num_classes)
        self.num_classes = self.variant.num_classes
        self.head = Head(self.num_features, self.num_classes).to(self.norm.weight)
        initialise(self.head, self.weight_init)

    def forward_features(self, images: Tensor) -> Tensor:
        """The normalised map of the last stage. (B, in_channels, H, W) -> (B, H', W', C)."""
        out: Tensor = self.norm(self.layers(self.patch_embed(images)))
        return out

    def forward_head(self, features: Tensor) -> Tensor:
        """(B, H', W', C) -> (B, num_classes)."""
        out: Tensor = self.head(features)
        return out

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, num_classes)."""
        return self.forward_head(self.forward_features(images))

    def forward_intermediates(
        self,
        images: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: Literal["NCHW", "NHWC"] = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """What ``forward_features`` gives, and maps of stages on the way, as in timm.

        Args:
            images: (B, in_channels, H, W).
            indices: stages whose maps are wanted: all, the last n, or a list (may be negative).
            norm: apply the final norm to the last stage's map.
            stop_early: compute no stage behind the last one wanted.
            output_fmt: order of a map's axes. ``NCHW`` is a view of ``NHWC``: nothing is copied.
            intermediates_only: return the maps alone.

        Raises:
            InputError: a stage or format that does not exist, or stopping before the final map
                where that is wanted.
        """
        if output_fmt not in ("NCHW", "NHWC"):
            raise unknown("output_fmt", output_fmt, ("NCHW", "NHWC"))
        last = len(self.layers) - 1
        taken = stages_taken(last + 1, indices)
        if stop_early and not intermediates_only and last not in taken:
            raise InputError(
                f"stop_early stops behind stage {max(taken)}, before the final map; set "
                "intermediates_only as well, or take the last stage"
            )
        maps: dict[int, Tensor] = {}
        x = self.patch_embed(images)
        for index, layer in enumerate(self.layers):
            if stop_early and index > max(taken):
                break
            x = layer(x)
            if index in taken:
                maps[index] = self.norm(x) if norm and index == last else x
        found = [maps[index] for index in taken]
        if output_fmt == "NCHW":
            found = [x_BHWC.permute(0, 3, 1, 2) for x_BHWC in found]
        return found if intermediates_only else (self.norm(x), found)


def stages_taken(count: int, indices: int | Sequence[int] | None) -> list[int]:
    """Which of ``count`` stages, from 0: all; the last n; or those named, from the end if negative.

    Raises:
        InputError: a stage that does not exist.
    """
    if indices is None:
        return list(range(count))
    if isinstance(indices, int):
        if not 1 <= indices <= count:
            raise InputError(f"the last {indices} stages of {count}; choose from 1 to {count}")
        return list(range(count - indices, count))
    for index in indices:
        if not -count <= index < count:
            raise InputError(
                f"stage {index} does not exist; with {count} stages choose from 0 to {count - 1}, "
                f"or from -{count} to -1 counted from the end"
            )
    if not indices:
        raise InputError("no stage is named; leave it out for all of them")
    return [index % count for index in indices]


def _linear_rates(last: float, count: int) -> list[float]:
    return [last * index / (count - 1) for index in range(count)] if count > 1 else [last]

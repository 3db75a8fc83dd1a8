"""The network of a variant: stem, stages, head."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from hybrid_swin.errors import InputError, check_flags, quote, unknown
from hybrid_swin.network.backbone import Backbone, Layer
from hybrid_swin.network.feature_info import stages_info, stages_taken
from hybrid_swin.network.first_weights import initialise
from hybrid_swin.network.head import Head, Pool
from hybrid_swin.network.pretrained_cfg import LABELS, pretrained_cfg
from hybrid_swin.network.stems import make_stem
from hybrid_swin.spec.recipe import WeightInit
from hybrid_swin.spec.values import SHARE
from hybrid_swin.spec.variant import Variant


class HybridSwin(Backbone):
    """A variant as a network. Images of any size; parameter names are timm's for plain Swin.

    ``to(memory_format=torch.channels_last)`` works, for images that come that way; blocks lie
    channels-last in any case.

    Args:
        variant: what to build.
        drop_path_rate: stochastic depth of the last block; it grows linearly from 0 at the first.
        weight_init: first weights of the linear layers (see ``initialise``).
        zero_init_residual: whether norms behind mixers and MLPs (``norm: post``) start at 0, or
            at 1.
        drop_rate: dropout of the pooled features in training.
        global_pool: how the last map is pooled (see ``Pool``).
        strict_img_size: refuse images of another size than the variant's.

    Raises:
        InputError: a rate below 0, or of 1 and more, which would keep nothing; a pool that does
            not exist.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030
    """

    def __init__(
        self,
        variant: Variant,
        drop_path_rate: float = 0.0,
        weight_init: WeightInit = "trunc_normal",
        drop_rate: float = 0.0,
        global_pool: Pool = "avg",
        strict_img_size: bool = False,
        zero_init_residual: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(variant, Variant):
            raise InputError(
                f"HybridSwin is made from a Variant; got {quote(variant)}; create_model takes names"
            )
        check_flags(strict_img_size=strict_img_size, zero_init_residual=zero_init_residual)
        drop_path_rate = SHARE.read("drop_path_rate", drop_path_rate)
        self.variant = variant
        self.weight_init, self.zero_init_residual = weight_init, zero_init_residual
        self.strict_img_size = strict_img_size
        self.num_classes = variant.num_classes
        self.num_features = variant.stages[-1].width
        self.pretrained_cfg = pretrained_cfg(variant)
        rates = iter(_linear_rates(drop_path_rate, sum(s.depth for s in variant.stages)))
        self.patch_embed = make_stem(variant)
        self.layers = nn.Sequential()
        for index, stage in enumerate(variant.stages):
            self.layers.append(Layer(variant, index, [next(rates) for _ in range(stage.depth)]))
        self.norm: nn.Module = nn.LayerNorm(self.num_features)
        self.head = Head(self.num_features, variant.num_classes, global_pool, drop_rate)
        initialise(self, weight_init, zero_init_residual)

    @property
    def feature_info(self) -> list[dict[str, Any]]:
        """Channels, reduction and module of each stage's map."""
        return stages_info(self.variant)

    @property
    def global_pool(self) -> str:
        """How the head pools."""
        return self.head.global_pool

    @property
    def head_hidden_size(self) -> int:
        """Features that the linear layer of the head gets."""
        return self.head.num_features

    def get_classifier(self) -> nn.Module:
        """The linear layer of the head; an identity where there are no classes."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: Pool | None = None) -> None:
        """Give the head a fresh linear layer for so many classes; 0 leaves the features.

        Names of classes in ``pretrained_cfg`` go with the layer that told them.

        Args:
            num_classes: how many.
            global_pool: another pool; ``""`` leaves the map as it is, for 0 classes only.

        Raises:
            InputError: fewer than 0 classes, or a pool that does not exist or leaves a map.
        """
        variant = dataclasses.replace(self.variant, num_classes=num_classes)
        pool = self.head.global_pool if global_pool is None else global_pool
        like = next(self.parameters())
        with like.device:  # there, whatever device is the default by now
            head = Head(self.num_features, variant.num_classes, pool, self.head.drop.p)
        self.head = head.to(like.dtype).train(self.training)
        self.variant, self.num_classes = variant, variant.num_classes
        self.pretrained_cfg = {k: v for k, v in self.pretrained_cfg.items() if k not in LABELS}
        initialise(self.head, self.weight_init)

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Leave out what stands behind the last of the stages wanted.

        Args:
            indices: stages whose maps are wanted: the last n, or a list (may be negative).
            prune_norm: leave the final norm out as well.
            prune_head: leave the pool and the linear layer out as well.

        Returns:
            The stages, counted from 0.

        Raises:
            InputError: a stage that does not exist; or a head that would be kept behind a stage
                that it was not made for.
        """
        check_flags(prune_norm=prune_norm, prune_head=prune_head)
        taken = stages_taken(len(self.layers), indices)
        end = max(taken) + 1
        shorter = end < len(self.layers)
        if shorter and not prune_head:
            raise InputError(
                f"prune_head=False keeps a head for {self.num_features} channels behind stage "
                f"{end - 1}, which has {self.variant.stages[end - 1].width}; leave it out as well"
            )
        if prune_head:
            self.reset_classifier(0, "")
        if shorter:
            stages = self.variant.stages[:end]
            self.layers = nn.Sequential(*list(self.layers)[:end])
            self.variant = dataclasses.replace(self.variant, stages=stages)
            self.num_features = stages[-1].width
            self.norm = _norm_like(self.norm, self.num_features)
            self.head = Head(self.num_features, 0, "").train(self.training)
        if prune_norm:
            self.norm = nn.Identity()
        return taken

    def forward_features(self, images: Tensor) -> Tensor:
        """The normalised map of the last stage. (B, in_channels, H, W) -> (B, H', W', C)."""
        return self.norm(self.layers(self._embed(images)))

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """(B, H', W', C) -> (B, num_classes); the pooled features with ``pre_logits``."""
        return self.head(features, pre_logits)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, num_classes)."""
        return self.forward_head(self.forward_features(images))

    def forward_intermediates(
        self,
        images: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: Literal["NCHW", "NHWC"] | None = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """What ``forward_features`` gives, and maps of stages on the way, as in timm.

        Args:
            images: (B, in_channels, H, W).
            indices: stages whose maps are wanted: all, the last n, or a list (may be negative), in
                any order: maps come as they are computed.
            norm: apply the final norm to the last stage's map.
            stop_early: compute no stage behind the last one wanted.
            output_fmt: order of a map's axes. ``NCHW`` is a view of ``NHWC``: nothing is copied.
            intermediates_only: return the maps alone.

        Raises:
            InputError: a stage or format that does not exist, or stopping before the final map
                where that is wanted.
        """
        check_flags(norm=norm, stop_early=stop_early, intermediates_only=intermediates_only)
        output_fmt = "NCHW" if output_fmt is None else output_fmt
        if output_fmt not in ("NCHW", "NHWC"):
            raise unknown("output_fmt", output_fmt, ("NCHW", "NHWC"))
        last = len(self.layers) - 1
        taken = stages_taken(last + 1, indices)
        if stop_early and not intermediates_only and last not in taken:
            raise InputError(
                f"stop_early stops behind stage {max(taken)}, before the final map; set "
                "intermediates_only as well, or take the last stage"
            )
        maps: list[Tensor] = []
        x = self._embed(images)
        for index, layer in enumerate(self.layers):
            if stop_early and index > max(taken):
                break
            x = layer(x)
            if index in taken:
                maps.append(self.norm(x) if norm and index == last else x)
        if output_fmt == "NCHW":
            maps = [x_BHWC.permute(0, 3, 1, 2) for x_BHWC in maps]
        return maps if intermediates_only else (self.norm(x), maps)


def _norm_like(norm: nn.Module, dim: int) -> nn.Module:
    """A fresh norm of another width where the old one's values lie."""
    like = next(norm.parameters(), None)
    if like is None:
        return nn.Identity()
    return nn.LayerNorm(dim, device=like.device, dtype=like.dtype)


def _linear_rates(last: float, count: int) -> list[float]:
    return [last * index / (count - 1) for index in range(count)] if count > 1 else [last]

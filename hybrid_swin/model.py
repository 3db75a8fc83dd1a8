"""The network of a variant: stem, stages, merging, head."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.block import Block
from hybrid_swin.branches import Branch
from hybrid_swin.errors import InputError
from hybrid_swin.fusions import Fusion
from hybrid_swin.variant import Variant


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each projected to C channels. (B, 3, H, W) -> (B, H/p, W/p, C).

    Sides that the patch does not divide are padded with zeros, right and below.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, H/p, W/p, C)."""
        bottom, right = (-side % self.patch_size for side in images.shape[-2:])
        if bottom or right:
            images = F.pad(images, (0, right, 0, bottom))
        out: Tensor = self.norm(self.proj(images).permute(0, 2, 3, 1))
        return out


class PatchMerging(nn.Module):
    """Four neighbours to one token: concatenate, normalise, project. (B,H,W,C) -> (B,H/2,W/2,C').

    Odd sides are padded with zeros, right and below.
    """

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, out_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C')."""
        bottom, right = (side % 2 for side in x.shape[1:3])
        if bottom or right:
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # Swin's order of the four: columns outside, rows inside.
        x = torch.unflatten(torch.unflatten(x, 2, (-1, 2)), 1, (-1, 2))
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)
        out: Tensor = self.reduction(self.norm(x))
        return out


class Layer(nn.Module):
    """One stage: merging where it is not the first, then its blocks. (B, H, W, C) -> the same."""

    def __init__(self, variant: Variant, index: int, drop_paths: list[float]) -> None:
        super().__init__()
        stage = variant.stages[index]
        self.downsample: nn.Module = nn.Identity()
        if index:
            self.downsample = PatchMerging(variant.stages[index - 1].width, stage.width)
        self.blocks = nn.Sequential(
            *(
                Block(
                    word,
                    stage.width,
                    stage.num_heads,
                    variant.window_sizes[index],
                    variant.grids[index],
                    variant.mlp_ratio,
                    rate,
                    stage.norm,
                )
                for word, rate in zip(variant.block_words[index], drop_paths, strict=True)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C'), or the same size in the first stage."""
        out: Tensor = self.blocks(self.downsample(x))
        return out


class Head(nn.Module):
    """Mean over the map and a linear layer. (B, H, W, C) -> (B, num_classes)."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, num_classes); (B, C) where there are no classes."""
        out: Tensor = self.fc(x.mean(dim=(1, 2)))
        return out


class HybridSwin(nn.Module):
    """A variant as a network. Images of any size; parameter names are timm's for plain Swin.

    Args:
        variant: what to build.
        drop_path_rate: stochastic depth of the last block; it grows linearly from 0 at the first.

    Raises:
        InputError: a drop path rate below 0, or of 1 and more, which would keep nothing.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030
    """

    def __init__(self, variant: Variant, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_path_rate < 1:
            raise InputError(
                f"drop_path_rate must be at least 0 and below 1; got {drop_path_rate!r}"
            )
        self.variant = variant
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
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Swin's initialisation: truncated normal of .02 on linear layers, biases zero.

        Convolutions and what a part initialises otherwise (bias tables, gates) are left as made.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Fusion):
                module.start()

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

    def mixers(self) -> Iterator[tuple[str, Branch | Fusion]]:
        """Every block's mixer with its full name, in order."""
        for name, module in self.named_modules():
            if isinstance(module, Block):
                yield f"{name}.attn", module.attn

    def no_weight_decay(self) -> set[str]:
        """Full names of parameters that weight decay must leave alone, beside those of 1-D."""
        return {
            f"{prefix}.{name}"
            for prefix, module in self.named_modules()
            if isinstance(module, Branch | Fusion)
            for name in module.no_weight_decay()
        }


def _linear_rates(last: float, count: int) -> list[float]:
    return [last * index / (count - 1) for index in range(count)] if count > 1 else [last]

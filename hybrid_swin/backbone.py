"""What every network of ours is made of: the stem and the stages, and what can be done to them."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hybrid_swin.block import Block
from hybrid_swin.branches import Branch
from hybrid_swin.first_weights import reset
from hybrid_swin.fusions import Fusion
from hybrid_swin.patches import PatchEmbed, PatchMerging
from hybrid_swin.recipe import WeightInit
from hybrid_swin.tracing import is_traced
from hybrid_swin.variant import Variant


class Layer(nn.Module):
    """One stage: merging where it is not the first, then its blocks. (B, H, W, C) -> the same."""

    def __init__(self, variant: Variant, index: int, drop_paths: list[float]) -> None:
        super().__init__()
        stage = variant.stages[index]
        self.grad_checkpointing = False
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
        x = self.downsample(x)
        recompute = self.grad_checkpointing and torch.is_grad_enabled() and not is_traced()
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if recompute else block(x)
        return x


class Backbone(nn.Module):
    """A stem and stages (abstract: what is made of their maps is the networks').

    Attributes:
        variant: what was built.
        patch_embed: images to tokens.
        layers: the stages.
        weight_init: first weights of linear layers.
    """

    variant: Variant
    weight_init: WeightInit
    patch_embed: PatchEmbed
    layers: nn.Sequential

    def reset_parameters(self) -> None:
        """First weights of every part, from the global random state.

        Also of a network that was made on ``torch.device("meta")`` and then given memory by
        ``to_empty``, and of one that is sharded. Call it on the network: its parts do not know
        ``weight_init``.
        """
        reset(self, self.weight_init)

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Every block with its full name, in order."""
        for name, module in self.named_modules():
            if isinstance(module, Block):
                yield name, module

    def mixers(self) -> Iterator[tuple[str, Branch | Fusion]]:
        """Every block's mixer with its full name, in order."""
        for name, block in self.blocks():
            yield f"{name}.attn", block.attn

    def no_weight_decay(self) -> set[str]:
        """Full names of parameters that weight decay must leave alone, beside those of 1-D."""
        return {
            f"{prefix}.{name}"
            for prefix, module in self.named_modules()
            if isinstance(module, Branch | Fusion)
            for name in module.no_weight_decay()
        }

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only each block's input for the backward pass, and compute the rest of it again.

        Gradients stay the same, random numbers included. Of a block's memory its input remains; a
        step takes about a third longer.

        Source: Training Deep Nets with Sublinear Memory Cost, 2016,
        https://arxiv.org/abs/1604.06174
        """
        for layer in self.layers:
            layer.grad_checkpointing = enable  # type: ignore[assignment]  # a Layer

    def compile_blocks(self, **options: Any) -> None:
        """Compile every block in place by ``torch.compile``; names of parameters stay.

        A block is compiled at its first call, and again for each new size; blocks that are equal
        but for their weights share the result. For images of many sizes, pad them to a few.

        Raises torch's limit of compilations a function to 8 for each block, since all blocks share
        one ``forward``, and those beyond the limit would silently stay as they are.

        Args:
            options: of ``torch.compile``, such as ``mode="max-autotune"``. ``dynamic`` is False
                unless given: windows and their masks are made for a size.
        """
        import torch._dynamo  # seconds, which only those who compile shall wait

        blocks = [block for _, block in self.blocks()]
        config = torch._dynamo.config
        config.cache_size_limit = max(config.cache_size_limit, 8 * len(blocks))
        for block in blocks:
            block.compile(**{"dynamic": False} | options)

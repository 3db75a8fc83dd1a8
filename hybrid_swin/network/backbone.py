"""What every network of ours is made of: the stem and the stages, and what can be done to them."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.network.block import Block
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.first_weights import reset
from hybrid_swin.network.fusions import Fusion, branches_of
from hybrid_swin.network.merging import make_merging
from hybrid_swin.network.pretrained_cfg import arguments_after, facts_after
from hybrid_swin.network.stems import ConvEmbed, PatchEmbed, check_images, check_size
from hybrid_swin.network.tracing import is_traced
from hybrid_swin.spec.block_words import BlockWord, own_window
from hybrid_swin.spec.recipe import WeightInit
from hybrid_swin.spec.values import Range
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import with_windows_kept
from hybrid_swin.spec.window_rules import Grid, Window

_RATIOS = Range(1, 2**16, whole=True)


class Layer(nn.Module):
    """One stage: merging where it is not the first, then its blocks. (B, H, W, C) -> the same."""

    def __init__(self, variant: Variant, index: int, drop_paths: list[float]) -> None:
        super().__init__()
        stage = variant.stages[index]
        self.grad_checkpointing = False
        self.downsample: nn.Module = nn.Identity()
        if index:
            self.downsample = make_merging(variant, index)
        self.blocks = nn.Sequential()
        sizes = stage.width, stage.num_heads, variant.window_sizes[index], variant.grids[index]
        for word, rate in zip(variant.block_words[index], drop_paths, strict=True):
            others = variant.mlp_ratio, rate, stage.norm, variant.layer_scale
            self.blocks.append(Block(word, *sizes, *others))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, C'), or the same size in the first stage."""
        x = self.downsample(x)
        recompute = self.grad_checkpointing and torch.is_grad_enabled() and not is_traced()
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if recompute else block(x)
        return x


def _resize(mixer: nn.Module, word: BlockWord, window_size: Window, grid: Grid) -> None:
    """Let the branches of a mixer take other windows, and another nominal grid."""
    for part, branch in zip(word.branches, branches_of(mixer), strict=True):
        for module in branch.modules():
            if isinstance(module, Branch):
                module.resize(own_window(part, window_size), grid)


class Backbone(nn.Module):
    """A stem and stages (abstract: what is made of their maps is the networks').

    Attributes:
        variant: what was built.
        patch_embed: images to tokens.
        layers: the stages.
        weight_init: first weights of linear layers.
        zero_init_residual: whether norms behind mixers and MLPs start at 0, or at 1.
        strict_img_size: whether images of another size than the variant's are refused.
        pretrained_cfg: what timm's tools want to know of a network: size, mean and std of its
            images, names of its first and last layer. Mean and std are ImageNet's, or .5 for other
            than three channels, unless the network was trained here.
        timm_name: the name under which timm made it; empty if it did not.
    """

    _variant: Variant
    weight_init: WeightInit
    zero_init_residual: bool
    strict_img_size: bool
    patch_embed: PatchEmbed | ConvEmbed
    layers: nn.Sequential
    pretrained_cfg: dict[str, Any]
    timm_name: str = ""

    output_fmt = "NHWC"  # of what stages and ``forward_features`` give, by timm's name

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What the logits stand for; None if classes have no names."""
        names = self.pretrained_cfg.get("label_names")
        return None if names is None else tuple(names)

    @property
    def variant(self) -> Variant:
        """What was built, or what it was changed to since."""
        return self._variant

    @variant.setter
    def variant(self, variant: Variant) -> None:
        before = vars(self).get("_variant")
        self._variant = variant
        if before is None or variant == before:
            return
        self.pretrained_cfg = facts_after(self.pretrained_cfg, before, variant, self.timm_name)
        if "_model_args" in vars(self):  # by which timm makes it again
            self._model_args = arguments_after(vars(self)["_model_args"], before, variant)

    @property
    def default_cfg(self) -> dict[str, Any]:
        """``pretrained_cfg`` under timm's older name."""
        return self.pretrained_cfg

    @property
    def in_chans(self) -> int:
        """Channels of images."""
        return self.variant.in_channels

    @property
    def embed_dim(self) -> int:
        """Channels of the first stage."""
        return self.variant.stages[0].width

    def _embed(self, images: Tensor) -> Tensor:
        """The first tokens. Raises InputError for another shape, or size if that is strict."""
        check_images(images, self.patch_embed)
        if self.strict_img_size:
            check_size(images, self.variant.image_size)
        return self.patch_embed(images)

    def init_weights(self, mode: WeightInit | Literal[""] = "", needs_reset: bool = True) -> None:
        """First weights, of timm's name; ``mode`` is a ``weight_init`` of ours.

        Raises InputError for another.
        """
        if mode and mode not in get_args(WeightInit):
            raise unknown("mode of init_weights", mode, get_args(WeightInit))
        reset(self, mode or self.weight_init, self.zero_init_residual)

    def reset_parameters(self) -> None:
        """First weights of every part, from the global random state.

        Also of a network that was made on ``torch.device("meta")`` and then given memory by
        ``to_empty``, and of one that is sharded. Call it on the network: its parts do not know
        ``weight_init``.
        """
        reset(self, self.weight_init, self.zero_init_residual)

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

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Which parameters belong together, from the images on, for rates that decay by layer.

        In timm's form, as of its Swin: the stem, then blocks, or stages if ``coarse``.
        """
        blocks = [
            (r"^layers\.(\d+).downsample", (0,)),
            (r"^layers\.(\d+)\.\w+\.(\d+)", None),
            (r"^norm", (99999,)),
        ]
        return {"stem": r"^patch_embed", "blocks": r"^layers\.(\d+)" if coarse else blocks}

    def set_input_size(
        self,
        img_size: int | tuple[int, int] | None = None,
        patch_size: None = None,
        window_size: Window | None = None,
        window_ratio: int | None = None,
        always_partition: None = None,
    ) -> tuple[str, ...]:
        """Set the nominal size of images, in place, and windows if they are named.

        Any size works without it. Unlike in timm windows stay as they are on the maps so far, so
        that the network computes what it has learned: a window that has shrunk to a small map does
        not grow with it, and the variant then has it in its stage. It shrinks to a map that is
        smaller still, and of its table of position biases those that are left are kept; continuous
        ones (Swin V2's) count offsets by the smaller window then, unless they have a
        ``pretrained_window_size``. For windows that are named tables are interpolated. What is
        ``fixed`` by the nominal size follows it.

        Args:
            img_size: pixels, one number or (height, width); as it is if not given.
            patch_size: cannot be changed in place.
            window_size: of every stage's windows, one number of tokens or (height, width); those
                that block words name themselves stay.
            window_ratio: the same as a share: tokens per side of the first map over this.
            always_partition: an option of the branches, ``small_map=pad``.

        Returns:
            Names of the tables of position biases that are of another size now, and so other
            parameters: make optimisers afterwards.

        Raises:
            InputError: what cannot be, or cannot be changed in place.
        """
        if patch_size is not None or always_partition is not None:
            raise InputError(
                "set_input_size changes sizes of images and windows; for another patch_size or "
                "always_partition make a network by create_model and fill it by load_weights"
            )
        size = self.variant.image_size if img_size is None else img_size
        variant = dataclasses.replace(self.variant, image_size=size)  # type: ignore[arg-type]
        if window_ratio is not None:
            window_ratio = int(_RATIOS.read("window_ratio", window_ratio))
        if window_size is None and window_ratio is not None:
            height, width = (side // window_ratio for side in variant.grids[0])
            window_size = (max(height, 1), max(width, 1))
        if window_size is not None:
            stages = tuple(dataclasses.replace(s, window_size=None) for s in variant.stages)
            variant = dataclasses.replace(variant, window_size=window_size, stages=stages)
        else:
            variant = with_windows_kept(self.variant, variant.image_size)
        before = dict(self.named_parameters())
        laid = zip(
            self.layers, variant.block_words, variant.window_sizes, variant.grids, strict=True
        )
        for layer, words, window, grid in laid:
            for block, word in zip(layer.blocks, words, strict=True):  # type: ignore[arg-type]
                _resize(block.attn, word, window, grid)
        self.variant = variant
        after = self.named_parameters()
        return tuple(name for name, parameter in after if parameter is not before.get(name))

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

"""Blocks of timm's SwinTransformer (0.9 and newer), known by their attributes.

Source: PyTorch Image Models, https://github.com/huggingface/pytorch-image-models
"""

import math
from functools import partial
from typing import Any

from torch import Tensor, nn

from hybrid_swin.cost import Grid
from hybrid_swin.errors import InputError
from hybrid_swin.interop.surgery.host import Host, attention_weights, dropout_note, plain_attention
from hybrid_swin.spec.block_words import BlockWord, Part
from hybrid_swin.spec.window_rules import lay_windows, window_of

_BLOCK = ("norm1", "attn", "drop_path1", "norm2", "mlp", "drop_path2", "shift_size")
_ATTENTION = ("qkv", "proj", "num_heads", "relative_position_bias_table")


class TimmBlock(nn.Module):
    """timm's block around a mixer of ours. (B, H, W, C) -> (B, H, W, C)."""

    def __init__(self, block: Any, mixer: nn.Module) -> None:
        super().__init__()
        for name, child in block._modules.items():  # in their order, so names stay in theirs
            self.add_module(name, mixer if name == "attn" else child)
        self.proj_drop = getattr(block.attn, "proj_drop", nn.Identity())
        self.training = block.training

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        theirs: Any = self  # whose modules have timm's names
        x = x + theirs.drop_path1(self.proj_drop(theirs.attn(theirs.norm1(x))))
        out: Tensor = x + theirs.drop_path2(theirs.mlp(theirs.norm2(x)))
        return out

    def set_input_size(self, *arguments: Any, **options: Any) -> None:
        """What timm calls for another window. Raises InputError: it is not for our mixers."""
        raise InputError(
            "the windows of replaced blocks cannot be changed; call undo() on the replacement, set "
            "the input size again, then replace again (other image sizes work as they are)"
        )


def is_swin(model: nn.Module) -> bool:
    """Whether this is a SwinTransformer of timm, or what ``features_only=True`` makes of one."""
    try:
        blocks = stages(model)
    except (AttributeError, TypeError):
        return False
    return bool(blocks) and all(map(_is_block, blocks[0]))


def _is_block(block: nn.Module) -> bool:
    return isinstance(block, TimmBlock) or (
        all(hasattr(block, name) for name in _BLOCK)
        and all(hasattr(block.attn, name) for name in _ATTENTION)
    )


def stages(model: Any) -> list[list[nn.Module]]:
    """The blocks of each stage."""
    return [list(layer.blocks) for layer in _layers(model).values()]


def _layers(model: Any) -> dict[str, Any]:
    """The stages by their names, of which ``features_only`` makes ``layers_0``."""
    if hasattr(model, "layers"):
        return {f"layers.{index}": layer for index, layer in enumerate(model.layers)}
    return {name: child for name, child in model.named_children() if name.startswith("layers_")}


def host(model: Any, stage: int, index: int) -> Host:
    """One block. Raises InputError where a mixer of ours cannot take its place."""
    layer, parent = [(name, layer.blocks) for name, layer in _layers(model).items()][stage]
    name, block = f"{layer}.blocks.{index}", parent[index]
    if isinstance(block, TimmBlock):
        raise InputError(f"{name} is replaced already; call undo() on that replacement first")
    dim, resolution = block.dim, tuple(block.input_resolution)
    window, shift = tuple(block.window_size), tuple(block.shift_size)
    part, caution = _attention(resolution, window, shift)
    grid = max(resolution[0], window[0]), max(resolution[1], window[1])
    return Host(
        name,
        dim,
        block.attn.num_heads,
        window_of(window),
        grid,
        mixer=block.attn,
        word=BlockWord((part,)),
        weights=attention_weights(
            name, dim, [block.attn.qkv], block.attn.proj, block.attn.relative_position_bias_table
        ),
        window=window,
        parent=parent,
        key=str(index),
        old=block,
        wrap=partial(TimmBlock, block),
        caution=caution or _scale_caution(block.attn),
        note=dropout_note(block.attn.attn_drop.p),
    )


def _attention(resolution: Grid, window: Grid, shift: Grid) -> tuple[Part, str]:
    """Our attention for a block, and what it does differently if there is none like it."""
    fixed = {"small_map": "fixed", "shift": "fixed"}
    always = {"small_map": "pad", "shift": "always"}  # always_partition
    for laying in (fixed, always):
        part = plain_attention(any(shift), **laying, roll="bare")
        rules: dict[str, Any] = {"shift": "axis"} | part.kwargs if any(shift) else part.kwargs
        laid = lay_windows(resolution, window, **rules)
        if (laid.window, laid.shift) == (window, shift):
            return part, ""
    part = plain_attention(any(shift), **fixed, roll="bare")
    return part, f"its windows of {window[0]}x{window[1]} are shifted by {shift[0]}x{shift[1]}"


def _scale_caution(attention: Any) -> str:
    scale = getattr(attention, "scale", None)
    usual = (attention.qkv.weight.shape[0] // (3 * attention.num_heads)) ** -0.5
    if scale is None or math.isclose(scale, usual, rel_tol=1e-6):
        return ""
    return f"its queries are scaled by {scale:g}, ours by {usual:g}"

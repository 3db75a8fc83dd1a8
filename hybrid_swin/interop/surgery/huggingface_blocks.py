"""Blocks of Hugging Face's Swin (transformers 4.x and 5.x), known by their attributes.

Source: Transformers, https://github.com/huggingface/transformers
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.surgery.host import Host, attention_weights, dropout_note, plain_attention
from hybrid_swin.spec.block_words import BlockWord


class HuggingFaceBlock(nn.Module):
    """Hugging Face's block around a mixer of ours. (B, HW, C) -> (B, HW, C) in a tuple.

    The tuple's second item, where they have attention maps, is None, as it is without `eager`.
    """

    def __init__(self, block: Any, mixer: nn.Module) -> None:
        super().__init__()
        for name, child in block._modules.items():  # in their order, so names stay in theirs
            self.add_module(name, mixer if name == "attention" else child)
        # 5.x drops after the attention as after the MLP, 4.x inside the attention.
        self.mixer_dropout = block.dropout if _is_5(block) else block.attention.output.dropout
        self.training = block.training

    def forward(
        self, hidden_states: Tensor, input_dimensions: tuple[int, int], *_: Any, **__: Any
    ) -> tuple[Tensor, None]:
        """(B, HW, C), (H, W) -> (B, HW, C), None."""
        theirs: Any = self  # whose modules have Hugging Face's names
        size = tuple(input_dimensions)
        x_BHWC = torch.unflatten(theirs.layernorm_before(hidden_states), 1, size)
        mixed = self.mixer_dropout(theirs.attention(x_BHWC).flatten(1, 2))
        x = hidden_states + theirs.drop_path(mixed)
        inner = theirs.layernorm_after(x)
        if _is_5(self):
            return x + theirs.dropout(theirs.mlp(inner)), None
        return x + theirs.output(theirs.intermediate(inner)), None


def _is_5(block: nn.Module) -> bool:
    """Whether this is a block of 5.x, which has one module for its MLP and not two."""
    return hasattr(block, "mlp")


def is_swin(model: nn.Module) -> bool:
    """Whether this is a Swin of Hugging Face, of the first version."""
    config: Any = getattr(model, "config", None)
    return getattr(config, "model_type", None) == "swin" and hasattr(_core(model)[1], "encoder")


def _core(model: Any) -> tuple[str, Any]:
    """The part with the encoder, which heads and backbones call ``swin``, and its prefix."""
    return ("swin.", model.swin) if hasattr(model, "swin") else ("", model)


def stages(model: nn.Module) -> list[list[nn.Module]]:
    """The blocks of each stage."""
    return [list(layer.blocks) for layer in _core(model)[1].encoder.layers]


def host(model: nn.Module, stage: int, index: int) -> Host:
    """One block. Raises InputError where a mixer of ours cannot take its place."""
    prefix, core = _core(model)
    name = f"{prefix}encoder.layers.{stage}.blocks.{index}"
    parent = core.encoder.layers[stage].blocks
    block = parent[index]
    if isinstance(block, HuggingFaceBlock):
        raise InputError(f"{name} is replaced already; call undo() on that replacement first")
    attention, dim = block.attention, len(block.layernorm_before.weight)
    if _is_5(block):
        inner, biased, proj = attention, attention.relative_position_bias, attention.o_proj
        qkv = [attention.q_proj, attention.k_proj, attention.v_proj]
        dropped = attention.attention_dropout
    else:
        inner, biased, proj = attention.self, attention.self, attention.output.dense
        qkv = [inner.query, inner.key, inner.value]
        dropped = inner.dropout.p
    table = biased.relative_position_bias_table
    side = (math.isqrt(len(table)) + 1) // 2
    height, width = block.input_resolution
    part = plain_attention(bool(block.shift_size), **_laying(model))
    return Host(
        name,
        dim,
        inner.num_attention_heads,
        side,
        (max(height, side), max(width, side)),
        mixer=attention,
        word=BlockWord((part,)),
        weights=attention_weights(name, dim, qkv, proj, table),
        window=(side, side),
        parent=parent,
        key=str(index),
        old=block,
        wrap=partial(HuggingFaceBlock, block),
        note=dropout_note(dropped),
    )


def _laying(model: nn.Module) -> dict[str, str]:
    """How windows lie; a backbone always shifts and pads."""
    if hasattr(model, "hidden_states_norms"):
        return {"small_map": "pad", "shift": "always"}
    return {"shift": "map"}

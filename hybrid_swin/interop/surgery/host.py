"""A block of a user's model, as far as a mixer of ours must know it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Grid, Window
from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import BlockWord, Part


@dataclass(frozen=True)
class Host:
    """What the mixer must fit, what it takes over and where it is put."""

    name: str
    dim: int
    num_heads: int
    window_size: Window
    grid_size: Grid
    mixer: nn.Module
    """What the block mixes with now."""
    word: BlockWord
    """Our word for that, with the options by which its library lays windows."""
    weights: Mapping[str, Tensor]
    """Its weights by our names."""
    window: Grid
    """The window that its bias table is for."""
    parent: nn.Module
    key: str
    old: nn.Module
    """What stands at ``key`` of ``parent``."""
    wrap: Callable[[nn.Module], nn.Module]
    """Makes of a mixer what stands there instead."""
    caution: str = ""
    """Why the same weights compute something else in our mixer, where they do."""
    note: str = ""

    @property
    def like(self) -> Tensor:
        """A tensor of the number type and on the device that a new mixer is to have."""
        return next(self.mixer.parameters(), next(self.parent.parameters()))


def attention_weights(
    where: str, dim: int, qkv: Sequence[nn.Module], proj: nn.Module, table: Tensor
) -> dict[str, Tensor]:
    """Weights of a published window attention by our names; qkv in one layer or in three."""
    parts = [_linear(where, layer) for layer in qkv]
    qkv_weight, qkv_bias = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    if qkv_weight.shape != (3 * dim, dim):
        raise InputError(
            f"{where}: its heads together have {len(qkv_weight) // 3} channels where the block has "
            f"{dim}; ours have as many as the block"
        )
    proj_weight, proj_bias = _linear(where, proj)
    return {
        "qkv.weight": qkv_weight,
        "qkv.bias": qkv_bias,
        "proj.weight": proj_weight,
        "proj.bias": proj_bias,
        "relative_position_bias_table": table.detach(),
    }


def dropout_note(rate: float) -> str:
    """What is to be said of a rate at which attention weights are dropped in training."""
    return f"its dropout of attention weights ({rate:g}) is left out" if rate else ""


def _linear(where: str, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias, zeros where there is none."""
    if not isinstance(layer, nn.Linear):
        raise InputError(
            f"{where}: its attention has a {type(layer).__name__} where Swin has a Linear; merge "
            "or remove what was put around it first"
        )
    weight, bias = layer.weight.detach(), layer.bias
    return weight, weight.new_zeros(len(weight)) if bias is None else bias.detach()


def plain_attention(shifted: bool, **laying: str) -> Part:
    """Our window attention for a block of a plain Swin, by its library's rules."""
    name = "sw_msa" if shifted else "w_msa"
    options = {k: v for k, v in laying.items() if shifted or k == "small_map"}
    return Part(name, tuple(sorted(options.items())))

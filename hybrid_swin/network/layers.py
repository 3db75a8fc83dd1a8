"""Layers over maps whose channels lie last, as blocks pass them."""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_module

from hybrid_swin.network.tracing import is_plain, sides
from hybrid_swin.spec.window_rules import Window, sides_of


def depthwise_conv(dim: int, kernel: Window, bias: bool) -> nn.Conv2d:
    """A k x k convolution of each channel alone that keeps the grid (zero padding)."""
    height, width = sides_of(kernel)
    around = height // 2, width // 2
    return nn.Conv2d(dim, dim, (height, width), padding=around, groups=dim, bias=bias)


def convolve(conv: nn.Module, x: Tensor) -> Tensor:
    """Apply it without a copy: the permuted map is channels-last. (B, H, W, C) -> (B, H, W, C)."""
    if x.is_cpu and is_bare(conv, nn.Conv2d):
        conv = cast(nn.Conv2d, conv)
        zeros = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        (height, width), kernel = sides(x), conv.kernel_size
        if zeros and (height < kernel[0] or width < kernel[1]):
            # Where the map is smaller than the kernel, oneDNN's backward pass leaves its fast path
            # and takes fifteen times as long; padded beforehand it does not.
            below, right = cast(tuple[int, int], conv.padding)
            x = F.pad(x, (0, 0, right, right, below, below)).permute(0, 3, 1, 2)
            how = conv.stride, 0, conv.dilation, conv.groups
            return F.conv2d(x, conv.weight, conv.bias, *how).permute(0, 2, 3, 1)
    return conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over all axes but the last. (..., C) -> (..., C).

    In training it needs more than one value per channel: pooled maps fail at a batch of 1.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = super().forward(input.flatten(0, -2))
        return out.view_as(input)


def channel_norm(kind: Literal["layer", "batch"], dim: int) -> nn.Module:
    """A layer norm, or a batch norm, of the last axis."""
    return nn.LayerNorm(dim) if kind == "layer" else BatchNorm(dim)


def is_bare(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a layer is of this very class, and a call runs nothing but the class's ``forward``.

    Only then may its formula stand in for the call. It may not where others have hooks on the
    layer, have replaced its class or its ``forward``, or compute its weight (LoRA, pruning, weight
    norm, parametrisations).
    """
    own = layer.__dict__
    return (
        type(layer) is kind
        and not ("forward" in own or "weight" in own or "bias" in own)
        and not (layer._forward_hooks or layer._forward_pre_hooks)
        and not (layer._backward_hooks or layer._backward_pre_hooks)
        and layer._compiled_call_impl is None
        and not _hooked_everywhere()
    )


def _hooked_everywhere() -> bool:
    """Whether hooks of all modules exist; the compiler looks at them itself."""
    return not torch.compiler.is_compiling() and bool(
        torch_module._has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def is_unwatched() -> bool:
    """Whether no mode, tracer or transform sees each operation and what it gives."""
    return is_plain() and not torch._C._len_torch_function_stack()

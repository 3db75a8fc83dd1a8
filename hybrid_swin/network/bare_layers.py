"""Whether anybody would notice that a layer is not called, or that its output is overwritten."""

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from hybrid_swin.network.tracing import is_plain


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

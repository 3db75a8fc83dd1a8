"""What differs while something else than plain PyTorch runs a network.

Compilers, tracers, dispatch modes and functorch's transforms make tensors that are good only as
long as they last: fake ones, wrapped ones, nodes of a graph. They must neither be kept for later
calls nor meet what was kept.

``torch.jit.trace`` sees sizes as tensors and records whatever is computed. It compares recordings
with and without gradients, so a traced network takes one path whether gradients are on or off; it
is the one that inference takes, but for operations in place.
"""

import torch
from torch import Tensor
from torch.autograd import forward_ad

from hybrid_swin.window_rules import Grid


def is_traced() -> bool:
    """Whether ``torch.jit.trace`` is recording."""
    # What torch.jit.is_tracing() asks, but typed; the compiler must not look at it.
    return not torch.compiler.is_compiling() and bool(torch._C._get_tracing_state())


def is_plain() -> bool:
    """Whether tensors made now are ordinary ones, which later calls can use as well.

    False under ``torch.compile``, ``torch.export`` and ``torch.jit.trace``, under any dispatch mode
    (``FakeTensorMode``, ``make_fx``, counters) and inside any transform of ``torch.func``.
    """
    # The first stands alone: the compiler must not look at the others.
    return not torch.compiler.is_compiling() and not (
        torch._C._get_tracing_state()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._functorch.peek_interpreter_stack()
    )


def is_transformed() -> bool:
    """Whether ``torch.func`` or forward-mode differentiation is at work.

    Fused kernels of attention have no derivative beyond the first, and none forwards.
    """
    return not torch.compiler.is_compiling() and bool(
        forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack()
    )


def sides(x: Tensor, first: int = 1) -> Grid:
    """Two sides of a map from axis ``first`` on, as whole numbers.

    To a tracer they become constants, with torch's warning: a traced network is of one size.
    """
    height, width = x.shape[first], x.shape[first + 1]
    return (int(height), int(width)) if is_traced() else (height, width)

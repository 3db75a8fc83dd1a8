"""What differs while ``torch.jit.trace`` records a network.

A tracer sees sizes as tensors and records whatever is computed. It compares recordings with and
without gradients, so a traced network takes one path whether gradients are on or off; it is the
one that inference takes, but for operations in place.
"""

import torch
from torch import Tensor

from hybrid_swin.window_rules import Grid


def is_traced() -> bool:
    """Whether ``torch.jit.trace`` is recording."""
    # What torch.jit.is_tracing() asks, but typed; the compiler must not look at it.
    return not torch.compiler.is_compiling() and bool(torch._C._get_tracing_state())


def is_recorded() -> bool:
    """Whether any recorder is at work: what it makes must not be kept for later calls."""
    return bool(torch.compiler.is_compiling()) or is_traced()


def sides(x: Tensor, first: int = 1) -> Grid:
    """Two sides of a map from axis ``first`` on, as whole numbers.

    To a tracer they become constants, with torch's warning: a traced network is of one size.
    """
    height, width = x.shape[first], x.shape[first + 1]
    return (int(height), int(width)) if is_traced() else (height, width)

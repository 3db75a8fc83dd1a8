"""What differs while something else than plain PyTorch runs a network.

Compilers, tracers, dispatch modes and functorch's transforms make tensors that are good only as
long as they last: fake ones, wrapped ones, nodes of a graph. They must neither be kept for later
calls nor meet what was kept.

``torch.jit.trace`` sees sizes as tensors and records whatever is computed. It compares recordings
with and without gradients, so a traced network takes one path whether gradients are on or off; it
is the one that inference takes, but for operations in place.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from hybrid_swin.spec.window_rules import Grid


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


def made_like(like: Tensor, make: Callable[[], Tensor]) -> Tensor:
    """What ``make`` makes, as operations with ``like`` need it.

    Fake and distributed tensors carry their mode with them, active or not, and meet only their own
    kind: beside a fake one it is made fake, and beside a distributed one each rank holds all of it.
    """
    if type(like) in (Tensor, nn.Parameter) or torch.compiler.is_compiling():
        return make()
    from torch._subclasses.fake_tensor import FakeTensor  # half a second, which most never need

    if isinstance(like, FakeTensor):
        with like.fake_mode:
            return make()
    if is_distributed(like):
        from torch.distributed.tensor import DTensor, Replicate

        mesh = cast(DTensor, like).device_mesh
        return DTensor.from_local(make(), mesh, [Replicate()] * mesh.ndim, run_check=False)
    return make()


def is_distributed(x: Tensor) -> bool:
    """Whether each rank holds a part of it, or a copy, as a ``DTensor``."""
    if type(x) in (Tensor, nn.Parameter) or torch.compiler.is_compiling():
        return False
    if not torch.distributed.is_available():
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(x, DTensor)


def is_unfused(x: Tensor) -> bool:
    """Whether attention needs plain products: for other than first derivatives backwards.

    So do distributed tensors on a CPU: torch splits its fused kernel there into operations, and
    searches their layouts for minutes.
    """
    return is_transformed() or (is_distributed(x) and x.is_cpu)


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

"""What a built module costs, counted while it runs: the check on the closed forms."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from hybrid_swin.cost import Cost

_PRODUCTS = {
    torch.ops.aten.mm,
    torch.ops.aten.addmm,
    torch.ops.aten.bmm,
    torch.ops.aten.baddbmm,
    torch.ops.aten.convolution,
}


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is untyped
    """Counts what matrix products and convolutions compute, and the elements that they write."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is untyped
        self.flops, self.written = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out, packet = func(*args, **kwargs), func._overloadpacket
        if packet in flop_registry:
            self.flops += flop_registry[packet](*args, **kwargs, out_val=out)
        if packet in _PRODUCTS and isinstance(out, Tensor):
            self.written += out.numel()
        return out


def counted_cost(module: nn.Module, shape: tuple[int, ...], device: str = "meta") -> Cost:
    """Run a module on one input of this shape, without its batch dimension, and count.

    On the meta device nothing is computed. On the CPU small modules are counted faster, because
    torch's meta kernels are Python. The module is left as it is: a copy runs.
    """
    module = copy.deepcopy(module).to(device).eval()
    x = torch.zeros(1, *shape, device=device)
    # Fused attention hides its two products from the counters. Gradients prevent it on meta.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _Products() as products:
        module(x)
    parameters = sum(p.numel() for p in module.parameters())
    return Cost(parameters, products.flops // 2, products.written)

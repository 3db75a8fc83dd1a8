"""Lion."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from hybrid_swin.training.optimizers import Limits, OptimizerFactory, ParameterGroup


class Lion(OptimizerFactory):
    """Steps of one size, in the direction of the sign of an average gradient.

    ::

        c <- beta1 m + (1 - beta1) g
        w <- w - lr (sign(c) + weight_decay w)
        m <- beta2 m + (1 - beta2) g

    The paper trains with a learning rate 3 to 10 times smaller than AdamW's, and a weight decay as
    many times larger.

    Source: Symbolic Discovery of Optimization Algorithms, 2023, https://arxiv.org/abs/2302.06675
    (algorithm 2)

    Args:
        beta1: share of the average gradient in the direction of a step.
        beta2: decay per step of the average gradient.
    """

    limits: ClassVar[Limits] = {"beta1": (0, 0.99999), "beta2": (0, 0.99999)}

    def __init__(self, beta1: float = 0.9, beta2: float = 0.99) -> None:
        self._betas = {"beta1": beta1, "beta2": beta2}

    def make(self, groups: Sequence[ParameterGroup], *, fused: bool) -> Optimizer:
        """Lion of these groups."""
        return _SignOfMomentum([group.for_torch for group in groups], self._betas)


class _SignOfMomentum(Optimizer):
    """The steps of Lion, over all parameters of a group at once."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            gradients = [cast(Tensor, p.grad) for p in weights]
            momenta = [self._momentum(p) for p in weights]
            directions = torch._foreach_lerp(momenta, gradients, 1 - group["beta1"])
            torch._foreach_sign_(directions)
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(weights, directions, alpha=-group["lr"])
            torch._foreach_lerp_(momenta, gradients, 1 - group["beta2"])
        return loss

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return cast(Tensor, state["momentum"])

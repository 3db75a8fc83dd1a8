"""AdamW."""

from collections.abc import Sequence
from typing import ClassVar

from torch.optim import AdamW as TorchAdamW

from hybrid_swin.training.optimizers import Limits, OptimizerFactory, ParameterGroup


class AdamW(OptimizerFactory):
    """Adam, with weight decay beside its step instead of in its gradient.

    ::

        m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
        w <- w - lr (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay w)

    Source: Decoupled Weight Decay Regularization, 2017, https://arxiv.org/abs/1711.05101

    Args:
        beta1: decay per step of the average gradient.
        beta2: decay per step of the average squared gradient.
        eps: added to its root.
    """

    limits: ClassVar[Limits] = {
        "beta1": (0, 0.99999),
        "beta2": (0, 0.99999),
        "eps": (1e-15, 1),  # at 0 a parameter without gradient becomes 0 / 0
    }

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self._betas, self._eps = (beta1, beta2), eps

    def make(self, groups: Sequence[ParameterGroup], *, fused: bool) -> TorchAdamW:
        """AdamW of torch."""
        # `fused=False` would also turn foreach off; None leaves the choice to torch.
        return TorchAdamW(
            [group.for_torch for group in groups],
            betas=self._betas,
            eps=self._eps,
            fused=fused or None,
        )

"""Muon for the matrices inside the blocks, AdamW for all other parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from hybrid_swin.training.optimizers import Limits, OptimizerFactory, ParameterGroup


class Muon(OptimizerFactory):
    """Steps along an average gradient whose singular values are all made about 1.

    For each matrix (A, B) inside a block, with NS the five steps of Newton-Schulz::

        m <- momentum m + (1 - momentum) g
        o <- NS((1 - momentum) g + momentum m)       (nesterov; else NS(m))
        w <- w - lr (0.2 sqrt(max(A, B)) o + weight_decay w)

    The factor gives steps the size of AdamW's, so that one learning rate and one weight decay serve
    both. Stem, head, biases, norms, bias tables and convolutions have no such matrix: AdamW trains
    them.

    Source: Muon: An optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon/; the factor: Muon is Scalable for LLM Training, 2025,
    https://arxiv.org/abs/2502.16982; computed by torch's ``Muon``

    Args:
        momentum: decay per step of the average gradient.
        nesterov: whether a step looks ahead.
        beta1: of AdamW.
        beta2: of AdamW.
    """

    needs_torch = "2.9"
    limits: ClassVar[Limits] = {
        "momentum": (0, 0.99999),
        "beta1": (0, 0.99999),
        "beta2": (0, 0.99999),
    }

    def __init__(
        self,
        momentum: float = 0.95,
        nesterov: bool = True,
        beta1: float = 0.9,
        beta2: float = 0.999,
    ) -> None:
        self._momentum, self._nesterov = momentum, nesterov
        self._betas = beta1, beta2

    def make(self, groups: Sequence[ParameterGroup], *, fused: bool) -> Optimizer:
        """Muon and AdamW, as one."""
        hidden = [_picked(group, True) for group in groups]
        others = [_picked(group, False) for group in groups]
        parts: list[Optimizer] = []
        if matrices := [group.for_torch for group in hidden if group.parameters]:
            parts.append(
                torch.optim.Muon(
                    matrices,
                    momentum=self._momentum,
                    nesterov=self._nesterov,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if rest := [group.for_torch for group in others if group.parameters]:
            parts.append(AdamW(rest, betas=self._betas, fused=fused or None))
        return _Together(parts)


def _picked(group: ParameterGroup, hidden: bool) -> ParameterGroup:
    """Those parameters of a group that are, or are not, matrices inside a block."""
    parameters = {
        name: parameter
        for name, parameter in group.parameters.items()
        if _is_hidden(name, parameter, group) == hidden
    }
    return replace(group, parameters=parameters)


def _is_hidden(name: str, parameter: nn.Parameter, group: ParameterGroup) -> bool:
    return parameter.ndim == 2 and name.startswith("layers.") and not group.exempt


class _Together(Optimizer):
    """Several optimizers that step as one. Their groups are its groups."""

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self._parts = list(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Let what is changed in a group, such as the learning rate, be changed in its part's."""
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of each."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Those of the parts."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()

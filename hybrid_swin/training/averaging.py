"""An average of the weights over the steps of a training, which stands for them in validation."""

from collections.abc import Mapping
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor

Weights = dict[str, Tensor]


class WeightAverage(L.Callback):
    """An exponential moving average of all weights, updated after each optimizer step.

    ::

        average <- decay * average + (1 - decay) * weights

    It starts as the first weights. Running statistics of batch norm are averaged likewise; whole
    numbers, such as how often they were updated, are taken over. timm's ``ModelEmaV3`` without its
    own warm-up.

    Source: Acceleration of Stochastic Approximation by Averaging, 1992,
    https://doi.org/10.1137/0330046; timm/utils/model_ema.py in
    https://github.com/huggingface/pytorch-image-models
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._average: Weights = {}
        self._steps = 0

    @property
    def weights(self) -> Weights:
        """The average by name, as ``state_dict`` of the module gives the weights."""
        return self._average

    def restore(self, saved: Mapping[str, Tensor], module: L.LightningModule) -> None:
        """Go on from ``weights`` of a state that was saved."""
        own = module.state_dict()
        self._average = {name: saved[name].to(tensor.device) for name, tensor in own.items()}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin with the first weights."""
        self._steps = trainer.global_step
        if not self._average:
            self._average = copied(pl_module.state_dict())

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Update it, if this batch has ended a step."""
        if trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        weights = pl_module.state_dict()
        real = [name for name, tensor in weights.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(
            [self._average[name] for name in real],
            [weights[name] for name in real],
            1 - self._decay,
        )
        for name in weights.keys() - {*real}:
            self._average[name].copy_(weights[name])

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the average into the module, and keep its weights meanwhile."""
        self._exchange(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put its weights back."""
        self._exchange(pl_module)

    @torch.no_grad()
    def _exchange(self, module: L.LightningModule) -> None:
        for name, tensor in module.state_dict().items():
            own = tensor.clone()
            tensor.copy_(self._average[name])
            self._average[name].copy_(own)


def copied(weights: Mapping[str, Tensor]) -> Weights:
    """Copies that further training does not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}

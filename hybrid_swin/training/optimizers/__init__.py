"""Optimizers, one file each. A file's name is the optimizer's word in a recipe.

To add one, write a file here (or a plug-in anywhere) with one class that derives from
``OptimizerFactory``. Any ``torch.optim.Optimizer`` will do, of torch, of a library or your own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from torch.optim import Optimizer

from hybrid_swin.spec.options import Limits as Limits


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters, by their names in the model, that learn alike."""

    parameters: dict[str, nn.Parameter]
    learning_rate: float
    weight_decay: float
    exempt: bool = False  # from weight decay: biases, norms, bias tables and the like

    @property
    def for_torch(self) -> dict[str, Any]:
        """As torch's optimizers take it."""
        return {
            "params": [*self.parameters.values()],
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
        }


class OptimizerFactory(ABC):
    """Makes a torch optimizer.

    Options are typed keyword arguments of ``__init__`` with literal defaults. The class attributes
    are stated in the class's own body, since they are read without running it.
    """

    limits: ClassVar[Limits] = {}
    """The least and the largest value of each option that has any: refused before any training."""

    unused: ClassVar[tuple[str, ...]] = ()
    """Fields of a recipe that it does not use: ``weight_decay``, if any."""

    needs_torch: ClassVar[str] = ""
    """The first version of torch that it runs with, such as 2.9."""

    @abstractmethod
    def make(self, groups: Sequence[ParameterGroup], *, fused: bool) -> Optimizer:
        """The optimizer of these groups.

        Each group of the optimizer keeps its ``lr``, since the schedule multiplies it. ``fused``
        says whether torch's fused step may be used. All of the state is in ``state_dict``.
        """

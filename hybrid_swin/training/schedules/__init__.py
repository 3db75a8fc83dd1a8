"""Schedules of the learning rate, one file each. A file's name is the schedule's word in a recipe.

To add one, write a file here (or a plug-in anywhere) with one class that derives from ``Schedule``.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from hybrid_swin.spec.options import Limits as Limits


class Schedule(ABC):
    """The learning rate of each step behind the warm-up, which is the same for all.

    Options are typed keyword arguments of ``__init__`` with literal defaults. ``limits`` gives the
    least and the largest value of those that have any.
    """

    limits: ClassVar[Limits] = {}

    unused: ClassVar[tuple[str, ...]] = ()
    """Fields of a recipe that it does not use: of ``warmup_epochs``, ``warmup_learning_rate`` and
    ``min_learning_rate``. Without ``warmup_epochs`` its steps are those of the whole training.
    Stated in the class's own body, since it is read without running it."""

    @abstractmethod
    def learning_rate(self, step: int, steps: int, peak: float, least: float) -> float:
        """The learning rate of step ``step`` of ``steps``, from 0 to ``steps``.

        ``peak`` is the recipe's ``learning_rate``, ``least`` its ``min_learning_rate``. No step is
        taken with the rate of step ``steps``.
        """

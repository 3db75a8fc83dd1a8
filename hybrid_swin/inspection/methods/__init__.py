"""Ways of looking into a network, one file each. A file's name is the inspection's name.

To add one, write a file here (or a plug-in anywhere) with one class that derives from
``Inspection``. Numbers first, a figure second.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from hybrid_swin.inspection.subject import BranchPlace, Place, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BranchPlace", "Inspection", "Place", "Subject"]


class Inspection(ABC):
    """One way of looking into a network.

    Options are typed keyword arguments of ``__init__`` with literal defaults.
    """

    needs_labels: ClassVar[bool] = False
    """Whether it asks how right the network is; stated in the class's own body, since it is read
    without running it."""

    @abstractmethod
    def measure(self, subject: Subject) -> dict[str, Any]:
        """The numbers: plain, ready for JSON, without NaN.

        Returns:
            A dict with at least ``what`` (one sentence), ``units``, ``rows`` (a list of dicts),
            ``undefined`` (dicts of block, branch and reason) and ``notes`` (sentences). Where there
            are rows, ``summary`` may tell the main numbers in one line. The model is left as it
            was, bit for bit and without hooks.

        Raises:
            InputError: the subject cannot be looked into in this way; says why.
        """

    @abstractmethod
    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """Draw what ``measure`` gave, where there are rows, onto an empty figure."""

"""`mistakes`: the images that a network is surest of, and wrong."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hybrid_swin.data.display import Display
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.answers import names_of, probabilities_of
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 200  # pictures of a figure
_COLUMNS = 6
_LONGEST = 16  # letters of a name above a picture


@final
class Mistakes(Inspection):
    """Wrong answers, the most certain ones first, with their images.

    How certain is the network's own probability, before any calibration. A wrong label of an image
    shows here as well as a weakness of the network. The figure shows the images themselves.

    Args:
        count: how many mistakes are listed and drawn.
    """

    needs_labels = True

    def __init__(self, count: int = 24) -> None:
        if not 1 <= count <= _MOST:
            raise InputError(f"mistakes: count {count} must be from 1 to {_MOST}")
        self.count = count
        self._pictures: list[NDArray[Any]] = []  # of the rows measured last

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one per mistake, with the image's name, class, answer and their probabilities."""
        names, labels = names_of(subject), cast(Tensor, subject.labels)
        p_NK = probabilities_of(subject)
        certain, best = p_NK.max(dim=1)
        wrong = np.flatnonzero((best != labels).numpy())
        order = wrong[np.argsort(-certain.numpy()[wrong], kind="stable")][: self.count]
        cfg = subject.model.pretrained_cfg
        display = Display(cfg["mean"], cfg["std"], subject.images)
        self._pictures = display.images(subject.images[order])
        rows = [
            {
                "image": subject.ids[index] if subject.ids else str(index),
                "class": names[int(labels[index])],
                "answer": names[int(best[index])],
                "probability": float(certain[index]),
                "probability_of_class": float(p_NK[index, labels[index]]),
            }
            for index in order
        ]
        numbers: dict[str, Any] = {
            "what": "The images that the network is surest of, and wrong.",
            "units": "probability, not calibrated",
            "images": len(labels),
            "mistakes": len(wrong),
            "rows": rows,
            "undefined": [],
            "notes": [],
        }
        if not rows:
            reason = f"all {len(labels)} images are answered right; give more --images"
            numbers["undefined"].append({"block": "all", "branch": None, "reason": reason})
            return numbers
        first = rows[0]
        surest = f"{first['image']}, {first['class']} as {first['answer']}"
        certainty = f"{certain[order[0]]:.0%}, not calibrated"
        summary = f"{len(wrong)} of {len(labels)} wrong; surest: {surest} ({certainty})"
        return numbers | {"summary": summary}

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """The images with class, answer and probability above each; of older numbers no image."""
        rows = numbers["rows"]
        pictures = self._pictures if len(self._pictures) == len(rows) else [None] * len(rows)
        columns = min(_COLUMNS, len(rows))
        lines = -(-len(rows) // columns)
        figure.set_layout_engine("constrained")
        figure.set_size_inches(1.5 * columns + 0.2, 1.75 * lines + 0.4)
        for place, (row, picture) in enumerate(zip(rows, pictures, strict=True), 1):
            axes = figure.add_subplot(lines, columns, place)
            if picture is not None:
                axes.imshow(picture, interpolation="nearest", vmin=0, vmax=1)
            axes.set_xticks([])
            axes.set_yticks([])
            answer = f"{_short(row['answer'])}, {row['probability']:.0%}"
            axes.set_title(f"{_short(row['class'])}\nas {answer}", fontsize="x-small")
        figure.supxlabel(
            f"the surest {len(rows)} of {numbers['mistakes']} mistakes in {numbers['images']} "
            "images: class, answer, probability (not calibrated)",
            fontsize="small",
        )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."

"""`confusion`: which classes a network takes for which."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from torch import Tensor

from hybrid_swin.errors import few
from hybrid_swin.inspection.measures.answers import names_of, probabilities_of
from hybrid_swin.inspection.measures.intervals import proportion
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAIRS = 3  # that are named in the summary
_WRITTEN = 20  # classes, up to which counts stand in the cells
_NAMED = 60  # classes, up to which each has its name on the axes
_LONGEST = 18  # letters of a name on an axis


@final
class Confusion(Inspection):
    """How often images of one class are taken for another: the confusion matrix.

    Recall is the share of a class's images that are answered right, with Wilson's 95% interval;
    precision is the share of its answers that are right. ``--images`` says how many images are
    read; each class needs some.
    """

    needs_labels = True

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one per class with images, with ``answers``, the number of them for each class."""
        names = names_of(subject)
        labels = cast(Tensor, subject.labels).numpy()
        best = probabilities_of(subject).argmax(dim=1).numpy()
        counts = np.zeros((len(names), len(names)), np.int64)
        np.add.at(counts, (labels, best), 1)
        numbers: dict[str, Any] = {
            "what": "How often images of a class (row) get each answer (column).",
            "units": "images; recall and precision as shares",
            "images": len(labels),
            "classes": list(names),
            "rows": [],
            "undefined": [],
            "notes": [],
        }
        for index, name in enumerate(names):
            count, right = int(counts[index].sum()), int(counts[index, index])
            if not count:
                reason = f"class {name}: no image among the {len(labels)}; give more --images"
                numbers["undefined"].append({"block": "all", "branch": None, "reason": reason})
                continue
            answered = int(counts[:, index].sum())
            numbers["rows"].append(
                {
                    "class": name,
                    "images": count,
                    **proportion(right, count).named("recall"),
                    "precision": right / answered if answered else None,
                    "answers": counts[index].tolist(),
                }
            )
        return numbers | {"summary": _summary(numbers)}

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """A heat map of each row's shares, with counts where there are few classes."""
        names, rows = numbers["classes"], numbers["rows"]
        counts = np.array([row["answers"] for row in rows])
        shares = counts / counts.sum(axis=1, keepdims=True)
        side = min(12.0, 2.5 + 0.35 * len(names))
        figure.set_layout_engine("constrained")
        figure.set_size_inches(side + 1, side)
        axes = figure.add_subplot()
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        step = -(-len(names) // _NAMED)
        size = "small" if len(names) <= _WRITTEN else "xx-small"
        short = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..." for name in names]
        axes.set_xticks(range(0, len(names), step), short[::step], rotation=90, fontsize=size)
        labels = [short[names.index(row["class"])] for row in rows]
        axes.set_yticks(range(0, len(rows), step), labels[::step], fontsize=size)
        if len(names) <= _WRITTEN:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    colour = "white" if shares[row, column] > 0.5 else "black"
                    axes.text(column, row, str(count), ha="center", va="center", color=colour)
        axes.set_xlabel("answer")
        axes.set_ylabel("class")
        axes.set_title(f"{numbers['images']} images", fontsize="medium")
        figure.colorbar(image, ax=axes, label="share of the class's images", shrink=0.8)


def _summary(numbers: Mapping[str, Any]) -> str:
    """Accuracy, and the pairs that are confused most often."""
    names, rows = numbers["classes"], numbers["rows"]
    right = sum(row["answers"][names.index(row["class"])] for row in rows)
    pairs = [
        (count, row["class"], name, row["images"])
        for row in rows
        for name, count in zip(names, row["answers"], strict=True)
        if count and name != row["class"]
    ]
    text = f"{right} of {numbers['images']} right"
    if not pairs:
        return text
    most = sorted(pairs, key=lambda pair: (-pair[0], pair[1:3]))[:_PAIRS]
    named = few((f"{one} as {other} ({n} of {of})" for n, one, other, of in most), _PAIRS)
    return f"{text}; most confused: {named}"

"""Which test images a finalist got right: the seeds x images matrix behind a test interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import few
from hybrid_swin.system.files import replacing

PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True)
class Correctness:
    """Right (1) or wrong (0) for each seed and test image; rows as in ``seed_indices``."""

    seed_indices: tuple[int, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None
    matrix: NDArray[np.float64]

    @property
    def unit(self) -> str:
        """What of it is independent: ``images``, or ``groups of images``."""
        return "groups of images" if self.groups else "images"

    def of_seeds(self, seed_indices: Sequence[int]) -> NDArray[np.float64]:
        """The rows of these seeds, in this order."""
        return self.matrix[[self.seed_indices.index(s) for s in seed_indices]]


def read_correctness(
    folders: dict[int, Path], accuracies: dict[int, float], lost: list[str] | None = None
) -> Correctness | None:
    """Read the predictions of one candidate's seeds.

    Args:
        folders: run folder of each seed index.
        accuracies: the accuracy that each of these runs reported.
        lost: collects why there is no answer, naming the file.

    Returns:
        None if a file is missing or torn, where the seeds saw different images, or where a file
        tells another accuracy than was reported: then an interval over seeds alone must do.
    """
    seeds = tuple(sorted(folders))
    read = [_read_one(folders[seed] / PREDICTIONS_FILE) for seed in seeds]
    files = [file for file in read if file is not None]
    lost = [] if lost is None else lost
    if not files or len(files) != len(read):
        bad = [folders[seed] for seed, file in zip(seeds, read, strict=True) if file is None]
        places = ["/".join((*folder.parts[-3:], PREDICTIONS_FILE)) for folder in bad]
        lost.append(f"{few(places, 2)} cannot be read")
        return None
    ids, groups, _ = files[0]
    for seed, (other_ids, other_groups, correct) in zip(seeds, files, strict=True):
        place = "/".join((*folders[seed].parts[-3:], PREDICTIONS_FILE))
        if other_ids != ids or other_groups != groups:
            lost.append(f"{place} is of other test images than the other seeds")
            return None
        if abs(float(correct.mean()) - accuracies[seed]) > 1e-4:
            lost.append(f"{place} tells another accuracy than its run's result")
            return None
    return Correctness(seeds, ids, groups, np.stack([correct for _, _, correct in files]))


def write_predictions(run_folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write a run's labels and logits, whole or not at all, with ids and groups where known."""
    with replacing(run_folder / PREDICTIONS_FILE) as file:
        np.savez_compressed(file, **arrays)


def has_predictions(run_folder: Path) -> bool:
    """Whether the predictions of a run can be read."""
    return _read_one(run_folder / PREDICTIONS_FILE) is not None


def read_labels(run_folder: Path) -> NDArray[np.int64] | None:
    """Labels of the test images that a run answered; None if they cannot be read."""
    try:
        with (run_folder / PREDICTIONS_FILE).open("rb") as opened:
            labels = np.load(opened, allow_pickle=False)["labels"]
    except Exception:  # a damaged archive may fail anywhere in zipfile, zlib or numpy
        return None
    whole = labels.ndim == 1 and labels.dtype.kind in "iu" and len(labels) > 0
    return labels.astype(np.int64) if whole and labels.min() >= 0 else None


def _read_one(
    path: Path,
) -> tuple[tuple[str, ...], tuple[str, ...] | None, NDArray[np.float64]] | None:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            ids = tuple(str(name) for name in file["ids"])
            groups = tuple(str(g) for g in file["groups"]) if "groups" in file else ()
            labels, logits = file["labels"], file["logits"]
            whole = labels.ndim == 1 and logits.dtype.kind == "f"
    except Exception:  # a damaged archive may fail anywhere in zipfile, zlib or numpy
        return None
    if not whole or len(ids) == 0 or logits.ndim != 2 or not len(ids) == len(labels) == len(logits):
        return None
    # a row with a NaN names no class
    correct = (logits.argmax(axis=1) == labels) & np.isfinite(logits).all(axis=1)
    return ids, groups if len(groups) == len(ids) else None, correct.astype(float)

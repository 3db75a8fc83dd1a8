"""Which validation images a run got right: packed bits beside a hash of the images.

A few hundred bytes, so that every training may keep them, those of the search too. Differences on
validation are told for new images by them, where the images are one: finalists validate on images
of their own for each seed unless the splits were given.
"""

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid_swin.system.files import write_bytes_atomically
from search.records.predictions import Correctness

VALIDATION_FILE = "validation.npz"
ACCURACY = "val/accuracy"  # the score that these are the images of
_CLOSE = 1e-4  # a score in float32, or in the bfloat16 of a network's own metric


@dataclass(frozen=True, eq=False)
class Answers:
    """What one run answered on its validation split."""

    images: str  # a hash of the images' names and groups, in their order
    groups: tuple[str, ...] | None  # number of each image's group; None if images have none
    right: NDArray[np.bool_]  # for each image


def save_answers(
    folder: Path, right: ArrayLike, ids: Sequence[str], groups: Sequence[str] | None = None
) -> None:
    """Write which images (by name, in their order) a run got right into its folder.

    Raises ValueError if there is not one answer for each image.
    """
    answers = np.asarray(right, dtype=bool)
    if answers.shape != (len(ids),):
        raise ValueError(f"{answers.shape} answers for {len(ids)} images")
    content: dict[str, NDArray[Any]] = {
        "right": np.packbits(answers),
        "count": np.array(len(ids)),
    }
    known = "\0".join(ids)
    if groups is not None:
        known += "\1" + "\0".join(groups)
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
        content["groups"] = numbers.astype(np.min_scalar_type(len(ids)))
    content["images"] = np.array(hashlib.sha256(known.encode()).hexdigest()[:16])
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **content)
    write_bytes_atomically(folder / VALIDATION_FILE, packed.getbuffer())


def read_answers(folder: Path) -> Answers | None:
    """What a run answered on validation; None if that is not there or cannot be read."""
    try:
        with (
            (folder / VALIDATION_FILE).open("rb") as opened,
            np.load(opened, allow_pickle=False) as file,
        ):
            count, images = int(file["count"]), str(file["images"])
            right = np.unpackbits(file["right"], count=count).astype(bool)
            groups = tuple(map(str, file["groups"])) if "groups" in file else None
    except Exception:  # a damaged archive may fail anywhere in zipfile, zlib or numpy
        return None
    whole = len(right) == count > 0 and (groups is None or len(groups) == count)
    return Answers(images, groups, right) if whole else None


def read_validated(
    folders: Mapping[int, Path],
    scores: Mapping[int, float],
    monitor: str,
    lost: list[str] | None = None,
    kept: bool = False,
) -> Correctness | None:
    """Right (1) or wrong (0) for each run and image, where all runs saw the same images.

    Args:
        folders: run folder of each seed index.
        scores: the score that each of these runs reported.
        monitor: what it is a score of.
        lost: collects why answers cannot be used that a study has kept, naming the file.
        kept: whether results of these runs say that they have kept them.

    Returns:
        None if scores are not means over images, a file is missing or torn (runs of the first
        versions have none, and have lost none), tells another score, or is of other images than
        the first.
    """
    if monitor != ACCURACY or not folders:
        return None
    by_seed = {seed: read_answers(folders[seed]) for seed in sorted(folders)}
    reasons = []
    for seed, answers in by_seed.items():
        place = "/".join((*folders[seed].parts[-3:], VALIDATION_FILE))
        if answers is None:
            reasons.append(f"{place} cannot be read")
        elif abs(float(answers.right.mean()) - scores[seed]) > _CLOSE:
            reasons.append(f"{place} tells another accuracy than its run's result")
    kept = kept or any(os.path.lexists(f / VALIDATION_FILE) for f in folders.values())
    if lost is not None and kept:
        lost += reasons
    whole = [answers for answers in by_seed.values() if answers is not None]
    if reasons or len({answers.images for answers in whole}) > 1:
        return None
    matrix = np.stack([answers.right for answers in whole]).astype(float)
    return Correctness(tuple(by_seed), (whole[0].images,), whole[0].groups, matrix)

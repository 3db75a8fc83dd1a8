"""The 8 candidates of the tabular benchmark that were trained over 20 seeds and read test."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import InputError
from search.leaderboard.rows.comparison import compare_rows
from search.leaderboard.rows.evidence import RowEvidence
from search.leaderboard.rows.row import Row
from search.records.predictions import Correctness

SEEDS = Path(__file__).parent / "seeds.npz"


@dataclass(frozen=True)
class Repeats:
    """Validation accuracy (candidates, seeds); test images got right (candidates, seeds, images).

    Raises:
        InputError: shapes that do not belong together, or an accuracy that is none.
    """

    labels: tuple[str, ...]
    validation: NDArray[np.float64]
    correct: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = self.validation.shape
        if (
            self.correct.shape[:2] != shape
            or len(self.labels) != shape[0]
            or self.correct.ndim != 3
        ):
            raise InputError(f"validation is {shape}, test {self.correct.shape}; make them again")
        if not ((self.validation >= 0) & (self.validation <= 1)).all():
            raise InputError("a validation accuracy is not between 0 and 1; make them again")

    @classmethod
    def read(cls, file: Path = SEEDS) -> Self:
        """What ``train_table.py`` wrote."""
        with np.load(file, allow_pickle=False) as found:
            images = int(found["images"])
            correct = np.unpackbits(found["correct"], axis=-1, count=images).astype(float)
            labels = tuple(str(label) for label in found["labels"])
            return cls(labels, found["validation"].astype(float), correct)

    @property
    def seeds(self) -> int:
        """How many each candidate has."""
        return int(self.validation.shape[1])

    @property
    def images(self) -> int:
        """How many test has."""
        return int(self.correct.shape[2])


def board(
    validation: Sequence[NDArray[np.float64]],
    correct: Sequence[NDArray[np.float64]],
    search: Sequence[float] | None = None,
) -> list[Row]:
    """The leaderboard's rows of these candidates: scores by seed, and images got right.

    Args:
        validation: of each candidate, one score a seed.
        correct: of each candidate (seeds, images).
        search: the score of another training of each, by which the leaderboard chooses the row that
            others are compared with; left out, that is the first one, fixed beforehand.
    """
    ids = tuple(str(image) for image in range(correct[0].shape[1]))
    rows = []
    for place, (scores, right) in enumerate(zip(validation, correct, strict=True)):
        seeds = tuple(range(len(scores)))
        tests = dict(zip(seeds, right.mean(axis=1).tolist(), strict=True))
        row = Row(
            label=str(place),
            variant_id="",
            candidate_id=str(place),
            origin=str(place),
            fidelity="final",
            is_baseline=False,
            state="complete",
            seeds=len(seeds),
            seeds_asked=len(seeds),
            validation_mean=float(scores.mean()),
            search_score=None if search is None else float(search[place]),
        )
        draws = {seed: (seed, "") for seed in seeds}  # shared by place, as rows of one study are
        rows.append((row, RowEvidence(tests, Correctness(seeds, ids, None, right), draws)))
    return compare_rows(rows, "val/accuracy", "max")

"""What stands behind a row, for comparisons: its test scores, its images, its trainings."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from search.records.predictions import Correctness, read_correctness
from search.records.runs import FinishedRun
from search.records.validation import read_validated


@dataclass(frozen=True)
class Images:
    """How many images a split has, and groups of them: the fewest over a row's runs.

    Images of one group (a patient, a photograph) are not independent, so that where there are
    groups they are what a score is a share of: the split's *items*. 0 images: unknown; 0 groups:
    images have none.
    """

    validation: int = 0
    test: int = 0
    validation_groups: int = 0
    test_groups: int = 0

    @classmethod
    def of(cls, runs: Iterable[FinishedRun]) -> Self:
        """Of these runs."""
        results = [result for _, result in runs]
        return cls(
            min((r.validation_images for r in results), default=0),
            min((r.test_images for r in results), default=0),
            min((r.validation_groups for r in results), default=0),
            min((r.test_groups for r in results), default=0),
        )

    @property
    def validation_items(self) -> int:
        """Groups of the validation split, or images without groups."""
        return self.validation_groups or self.validation

    @property
    def test_items(self) -> int:
        """The same of the test split."""
        return self.test_groups or self.test


@dataclass(frozen=True)
class RowEvidence:
    """What a comparison on test needs of a row.

    Args:
        scores: by seed index.
        correct: the images got right, where scores are means over images.
        draws: by seed index what two rows share that share a seed: the seed itself, and the split.
        units: the trainings behind the row, as by `units_of`.
        images: how many its scores are of.
        lost: why it is not known which images were right, though scores are means over images.
        validated: the validation images got right, by seed index, where all seeds validated on the
            same ones.
        lost_validated: why kept answers on validation cannot be used.
    """

    scores: dict[int, float]
    correct: Correctness | None
    draws: dict[int, tuple[int, str]] = field(default_factory=dict)
    units: frozenset[tuple[Any, ...]] = frozenset()
    images: Images = Images()
    lost: tuple[str, ...] = ()
    validated: Correctness | None = None
    lost_validated: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path, whole: Sequence[FinishedRun], monitor: str) -> Self:
        """Of runs that came to their end, in a study's folder."""
        metric = monitor.replace("val/", "test/", 1)
        scores = {
            spec.seed_index: result.test[metric]
            for spec, result in whole
            if result.test is not None and math.isfinite(result.test.get(metric, math.nan))
        }
        draws = {s.seed_index: (s.seed, r.split_hash) for s, r in whole if s.seed_index in scores}
        correct, lost = None, list[str]()
        if metric == "test/accuracy" and scores:  # only accuracy is a mean over images
            folders = {s.seed_index: folder / s.key for s, _ in whole if s.seed_index in scores}
            correct = read_correctness(folders, scores, lost)
        runs = {s.seed_index: (s, r) for s, r in whole}
        validated, lost_validated = validated_of(folder, runs, monitor)
        return cls(
            scores,
            correct,
            draws,
            units_of(whole),
            Images.of(whole),
            tuple(lost),
            validated,
            lost_validated,
        )


def validated_of(
    folder: Path, runs: Mapping[int, FinishedRun], monitor: str
) -> tuple[Correctness | None, tuple[str, ...]]:
    """The validation images that retrained runs, by a number each, got right.

    And why answers that they kept cannot be used.
    """
    final = {n: (s, r) for n, (s, r) in runs.items() if s.stage == "final" and r.score is not None}
    scores = {number: result.score or 0.0 for number, (_, result) in final.items()}
    folders = {number: folder / spec.key for number, (spec, _) in final.items()}
    lost: list[str] = []
    kept = any(result.answers for _, result in final.values())
    return read_validated(folders, scores, monitor, lost, kept), tuple(lost)


def fresh_splits(runs: Iterable[FinishedRun]) -> bool | None:
    """Whether retrained runs validated on other images than the search did."""
    splits: dict[str, set[str]] = {"search": set(), "final": set()}
    for spec, result in runs:
        if spec.kind != "reference" and result.state == "complete":
            splits[spec.stage].add(result.split_hash)
    searched, retrained = splits["search"], splits["final"]
    if not retrained or "" in searched | retrained:
        return None
    if len(retrained) > 1 or (searched and not retrained <= searched):
        return True
    return False if searched else None


def units_of(runs: Iterable[FinishedRun]) -> frozenset[tuple[Any, ...]]:
    """What makes two trainings one, so that they must not be counted as two.

    Candidate, seed, images, splits and code, or, where the code differs (in a comment, say), the
    same scores to the last digit. Two sets with a member in common have a training in common.
    Runs whose images are unknown have none.
    """
    units: set[tuple[Any, ...]] = set()
    for spec, result in runs:
        if result.state == "complete" and result.data_hash:
            same = (spec.candidate_id, spec.seed, result.data_hash, result.split_hash)
            units |= {(*same, result.code_hash), (*same, result.score, str(result.test))}
    return frozenset(units)


def lost_notes(evidence: Iterable[RowEvidence]) -> list[str]:
    """One sentence for each file that is lost, without which an interval cannot cover images."""
    rows = list(evidence)
    reasons = dict.fromkeys(reason for one in rows for reason in one.lost)
    validated = dict.fromkeys(reason for one in rows for reason in one.lost_validated)
    return [
        *(
            f"{reason}: intervals and p values of its row on test are over seeds alone, not over "
            "images; the command that began the study makes the file again."
            for reason in reasons
        ),
        *(
            f"{reason}: differences of its row on validation are over seeds alone, not over "
            "images; the command that began the study makes the file again (a missing one of an "
            "earlier version it does not)."
            for reason in validated
        ),
    ]

"""What guessing scores on test, and whether an arm is shown to be better than that.

Symbols: S seeds, K classes, q the share of the commonest class among the test labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.05
_SHARES = {"accuracy": 1, "top5": 5}  # answers that an image may be right with
_RATES = ("balanced_accuracy", "f1", "auroc")


@dataclass(frozen=True)
class Chance:
    """A guess's score, and what an arm's seeds say against it.

    Args:
        metric: which score: the objective's, or accuracy where the objective has no such bound.
        score: what the best guess gets that does not look at the image.
        beaten: whether the arm is shown to be better.
    """

    metric: str
    score: float
    beaten: bool


def judge(
    monitor: str,
    tests: Sequence[Mapping[str, float]],
    labels: NDArray[Any] | None,
    images: int,
    classes: int,
) -> Chance | None:
    """Whether any seed of an arm is shown to be better than a guess.

    Of shares of images: an exact binomial test of each seed against the share that is right when
    the commonest class (of top5: the five commonest) is always answered, at .05 / S. So an arm that
    learnt in one seed of several is not at chance. Of F1, balanced accuracy and AUROC: the
    one-sided t test over seeds against 1 / K (which no guess of a macro F1 passes) or one half.
    A loss and a calibration error have no guess to be held against: accuracy stands in; so it does
    for rates that are the same in all seeds, whose t test has no spread to judge by.

    Args:
        monitor: the objective.
        tests: test metrics of each seed that completed.
        labels: of the test images; None if unknown: then every class is as frequent.
        images: test images that are independent of each other.
        classes: K.

    Returns:
        None if nothing was read on test, or too few seeds.
    """
    name = monitor.rpartition("/")[2]
    metric = name if name in (*_SHARES, *_RATES) else "accuracy"
    scores = [test[f"test/{metric}"] for test in tests if f"test/{metric}" in test]
    scores = [score for score in scores if np.isfinite(score)]
    if not scores or not images or classes < 2:
        return None
    guess = _guess(metric, labels, classes)
    if metric in _SHARES:
        p_values = stats.binom.sf(np.rint(np.multiply(scores, images)) - 1, images, guess)
        return Chance(metric, guess, bool((p_values < LEVEL / len(scores)).any()))
    if len(scores) < 2:
        return None
    if np.ptp(scores) < 1e-12:  # a t test has no spread to judge by, so images must tell
        by_accuracy = judge("val/accuracy", tests, labels, images, classes)
        return by_accuracy or (None if scores[0] > guess else Chance(metric, guess, beaten=False))
    p_value = float(stats.ttest_1samp(scores, guess, alternative="greater").pvalue)
    return Chance(metric, guess, p_value < LEVEL)


def _guess(metric: str, labels: NDArray[Any] | None, classes: int) -> float:
    """The score of the best guess that does not look at the image."""
    counts = np.ones(classes) if labels is None or not len(labels) else np.bincount(labels)
    shares = np.sort(counts / counts.sum())[::-1]
    if metric in _SHARES:
        return float(min(1.0, shares[: _SHARES[metric]].sum()))
    if metric == "auroc":
        return 0.5
    return 1 / classes

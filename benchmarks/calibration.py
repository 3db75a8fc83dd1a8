"""How much one temperature, fitted on validation, mends the probabilities for test images.

Command::

    python -m benchmarks.calibration runs/halves_photographs runs/swin-shift-and-bias

Reads studies or comparisons that are finished: each finalist's validation images are answered again
for the temperature, and its test answers are those that the study kept, so no test split is read.
Prints the expected calibration error (15 equal bins) on test before and after, over networks.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.training.prediction.calibration import calibration_error
from hybrid_swin.training.prediction.trained_calibration import calibrated


def errors_of(study: Path) -> NDArray[np.float64]:
    """Temperature, test error before and after, of each finalist that kept its answers. (N, 3)."""
    rows = []
    for run in sorted({file.parent for file in study.glob("finalists/*/*/predictions.npz")}):
        calibration, reason = calibrated(run, "cpu")
        if calibration is None:
            print(f"{run}: {reason}")
            continue
        with np.load(run / "predictions.npz") as kept:
            logits, labels = kept["logits"], kept["labels"]
        t = calibration.temperature
        rows.append((t, calibration_error(logits, labels), calibration_error(logits / t, labels)))
    return np.array(rows).reshape(-1, 3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    print("| study | networks | temperature | test error before | after | smaller in |")
    print("|---|---|---|---|---|---|")
    for study in parser.parse_args(arguments).studies:
        rows = errors_of(study)
        if not len(rows):
            continue
        low, middle, high = np.quantile(rows[:, 0], [0, 0.5, 1])
        before, after = rows[:, 1:].mean(axis=0)
        print(
            f"| {study.name} | {len(rows)} | {middle:.2f} ({low:.2f} to {high:.2f}) "
            f"| {before:.1%} | {after:.1%} | {(rows[:, 2] < rows[:, 1]).sum()} |"
        )


if __name__ == "__main__":
    main()

"""The reference: a logistic regression on the pixels, which every network should beat."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import adaptive_avg_pool2d

from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.training.fit import Evaluation
from hybrid_swin.training.metrics import measure
from search.execution.reference_size import reduced_size

_MOST_IMAGES = 20_000  # of the train split; more would cost memory and change little
_REGULARISATIONS = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Reference:
    """A fitted reference: its validation metrics with the objective, and its test reading."""

    validation: dict[str, float]
    reading: Evaluation
    score: float | None


def fit_reference(data: ImageData, monitor: str) -> Reference:
    """Fit on the train split; validation chooses the regularisation, test is read once.

    Of a large train split it takes the first images of an epoch, whose order is random.
    """
    train, train_labels = _pixels(data.train_dataloader(), _MOST_IMAGES)
    validation, validation_labels = _pixels(data.val_dataloader())
    best: Any = None
    for strength in _REGULARISATIONS:
        model = LogisticRegression(C=strength, max_iter=500)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # good enough for a reference
            model.fit(train, train_labels)
        accuracy = float(model.score(validation, validation_labels))
        if best is None or accuracy > best[0]:
            best = (accuracy, model)
    model = best[1]
    test, test_labels = _pixels(data.test_dataloader())
    logits = _logits(model, test, data.num_classes)
    metrics = _metrics(_logits(model, validation, data.num_classes), validation_labels, "val/")
    reading = Evaluation(_metrics(logits, test_labels, "test/"), logits, test_labels)
    return Reference(metrics, reading, metrics.get(monitor))


def _metrics(logits: np.ndarray, labels: np.ndarray, prefix: str) -> dict[str, float]:
    metrics = measure(torch.from_numpy(logits), torch.from_numpy(labels))
    values = {f"{prefix}{name}": float(value) for name, value in metrics.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _logits(model: LogisticRegression, pixels: np.ndarray, classes: int) -> np.ndarray:
    """Log probabilities for all classes, also those that the train split lacks."""
    logits = np.full((len(pixels), classes), -30.0, dtype=np.float32)
    with np.errstate(divide="ignore"):  # of a probability that is 0 in floating point
        logits[:, model.classes_] = model.predict_log_proba(pixels).clip(min=-30.0)
    return logits


def _pixels(loader: Any, most: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
    """A split, or about its first ``most`` images, as (N, pixels) and labels."""
    images, labels, count = [], [], 0
    for batch, target in loader:
        height, width = batch.shape[-2:]
        images.append(adaptive_avg_pool2d(batch, reduced_size((height, width))).flatten(1).numpy())
        labels.append(target.numpy())
        count += len(target)
        if count >= most:
            break
    return np.concatenate(images), np.concatenate(labels)

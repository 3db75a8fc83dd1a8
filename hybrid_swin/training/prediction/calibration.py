"""Probabilities that mean what they say: one temperature for all logits, fitted on validation.

    p = softmax(z / T),   T = argmin over T > 0 of the mean of -log p[label]

No answer changes, since the order of the logits stays; only how sure the network says to be does.

Source: On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599

Shapes: N images, K classes.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import find_checkpoint, weights_hash
from hybrid_swin.system.files import read_json, write_json_atomically
from hybrid_swin.system.schema import SchemaError, build
from hybrid_swin.training.metrics import CALIBRATION_BINS

CALIBRATION_FILE = "calibration.json"  # beside the checkpoint
SCHEMA_VERSION = 1
_LOWEST, _HIGHEST = 0.02, 50.0  # a temperature beyond says that the images do not tell one


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it did on the images that it was fitted on.

    Args:
        temperature: what logits are divided by; 1 changes nothing.
        images: validation images.
        error_before: expected calibration error (15 equal bins) of the network's own probabilities.
        error_after: the same with the temperature, on the same images, so it flatters a little.
        loss_before: mean of -log of the label's probability.
        loss_after: the same with the temperature.
        weights: hash of the weights that it is of.
    """

    temperature: float
    images: int
    error_before: float
    error_after: float
    loss_before: float
    loss_after: float
    weights: str

    @property
    def is_any(self) -> bool:
        """Whether the images told a temperature."""
        return self.temperature != 1.0

    def __str__(self) -> str:
        if not self.is_any:
            return f"none: {self.images} validation images tell no temperature"
        return (
            f"temperature {self.temperature:.3g} from {self.images} validation images: "
            f"calibration error {self.error_before:.1%} -> {self.error_after:.1%} on them"
        )

    def save(self, folder: Path) -> None:
        """Write it beside the checkpoint. Raises FileError if the system refuses."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        write_json_atomically(folder / CALIBRATION_FILE, content)

    @classmethod
    def of(cls, logits: NDArray[Any], labels: NDArray[np.int64], checkpoint: Path) -> Self:
        """Fit it to what a network answered on validation. (N, K) and (N,)."""
        temperature = fit_temperature(logits, labels)
        return cls(
            temperature=temperature,
            images=len(labels),
            error_before=calibration_error(logits, labels),
            error_after=calibration_error(logits / temperature, labels),
            loss_before=_loss(logits, labels),
            loss_after=_loss(logits / temperature, labels),
            weights=weights_hash(checkpoint),
        )


def read_calibration(checkpoint: str | Path) -> Calibration | None:
    """The calibration beside a checkpoint; None if there is none, or that of other weights.

    Numbers that no fit gives are those of a damaged file, and count as none.
    """
    try:
        file = find_checkpoint(checkpoint)
        calibration = build(Calibration, read_json(file.parent / CALIBRATION_FILE))
    except (InputError, SchemaError):
        return None
    numbers = [v for v in asdict(calibration).values() if isinstance(v, int | float)]
    sound = _LOWEST <= calibration.temperature <= _HIGHEST and calibration.images > 0
    sound = sound and all(map(math.isfinite, numbers))
    return calibration if sound and calibration.weights == weights_hash(file) else None


def fit_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature of the least loss; 1 if there is none between 0.02 and 50.

    If every image is answered right, the loss falls for ever as the temperature does. The loss is
    convex in b = 1 / T, and its slope

        mean over images of (sum over k of p_k z_k) - z_label,   p = softmax(b z)

    is halved down to zero. Raises InputError for logits that are not finite, or no image.
    """
    z = np.asarray(logits, np.float64)
    if not len(z) or not np.isfinite(z).all():
        raise InputError("a temperature needs validation images with finite logits; there are none")
    z = z - z.max(axis=1, keepdims=True)
    own = z[np.arange(len(z)), labels]

    def slope(b: float) -> float:
        p = np.exp(b * z)
        p /= p.sum(axis=1, keepdims=True)
        return float(((p * z).sum(axis=1) - own).mean())

    low, high = 1 / _HIGHEST, 1 / _LOWEST
    if not slope(low) < 0 < slope(high):
        return 1.0
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def probabilities(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[np.float64]:
    """softmax(z / T) of each image. (N, K) -> (N, K)."""
    z = np.asarray(logits, np.float64) / temperature
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def calibration_error(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Expected calibration error, 15 equal bins, as the metric of that name."""
    probs = torch.from_numpy(probabilities(logits)).float()
    truth = torch.from_numpy(np.asarray(labels))
    error = multiclass_calibration_error(
        probs, truth, num_classes=probs.shape[1], n_bins=CALIBRATION_BINS, validate_args=False
    )
    return float(error)


def _loss(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    p = probabilities(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(p, 1e-300)).mean())

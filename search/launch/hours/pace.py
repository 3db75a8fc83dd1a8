"""How fast this machine trains: seconds of a training from a few timed pilots."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

_FORWARD = 1 / 3  # of a training step: the backward pass costs two forward passes
_FINAL = 1.5  # seconds in which a retrained network is timed and its answers are written


class PilotTiming(NamedTuple):
    """A timed pilot training."""

    macs: int  # of its network, for one image
    images: int  # of one of its epochs
    validation: int  # images that judge each epoch
    epochs: int  # that it had
    epoch: float  # seconds of one of them, after the first
    total: float  # seconds of the training with start and end

    @property
    def passes(self) -> float:
        """Images of an epoch, those that only go forward as a third."""
        return self.images + _FORWARD * self.validation


@dataclass(frozen=True)
class Pace:
    """Seconds of a training on one worker, while all workers are busy.

    An epoch of n train and v validation images takes e + (n + v / 3)(i + m MACs): a fixed part, a
    part for every image whatever the network, and one for the network's products.

    Source: AI and Compute, 2018, https://openai.com/research/ai-and-compute (a training step costs
    three forward passes)
    """

    per_epoch: float  # e, seconds
    per_image: float  # i, seconds
    per_mac: float  # m, seconds
    around: float  # before the first and after the last epoch
    start: float  # until a worker is ready
    slots: int  # workers

    def training(
        self, macs: int, epochs: float, images: int, validation: int, test: int = 0
    ) -> float:
        """Seconds of one training; with ``test``, of one that reads so many test images."""
        each = self.per_image + self.per_mac * macs
        epoch = self.per_epoch + (images + _FORWARD * validation) * each
        final = _FORWARD * test * each + _FINAL if test else 0.0
        return epochs * epoch + self.around + final

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, rounded to what a pilot can tell."""
        return {k: v if k == "slots" else float(f"{v:.4g}") for k, v in asdict(self).items()}


def pace_of(timings: Sequence[PilotTiming], start: float, slots: int) -> Pace:
    """The pace that explains the pilots best: no part is negative, all errors count as shares."""
    parts_P3 = np.array([[1.0, t.passes, t.passes * t.macs] for t in timings])
    seconds_P = np.array([max(t.epoch, 1e-6) for t in timings])
    scale_3 = parts_P3.max(axis=0)  # MACs and seconds differ by ten digits
    solution_3, _ = nnls(parts_P3 / scale_3 / seconds_P[:, None], np.ones(len(timings)))
    per_epoch, per_image, per_mac = (float(x) for x in solution_3 / scale_3)
    around = statistics.median(max(0.0, t.total - t.epochs * t.epoch) for t in timings)
    return Pace(per_epoch, per_image, per_mac, around, start, slots)

"""How long and how to train on so many images: rules for batch, steps, epochs and rates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.launch.proposal.network import NetworkSize

_BATCHES = (16, 32, 64, 128)
_STEPS_OF_AN_EPOCH = 10  # at least, for which the batch becomes smaller
_EPOCHS = (10, 300)  # least and most; Swin: 300
_RATE, _RATE_BATCH = 0.002, 64
_WARMUP = 0.1  # share of the epochs; Swin: 20 of 300
_LONG = 1500  # steps from which stochastic depth is used


@dataclass(frozen=True)
class Schedule:
    """How long a training is."""

    batch: int  # images in a step
    epochs: int  # passes over ``epoch_images``
    epoch_images: int  # images of an epoch
    whole: bool  # whether these are the whole train split

    @property
    def steps(self) -> int:
        """Of the training."""
        return self.epochs * math.ceil(self.epoch_images / self.batch)


def batch_size(train: int) -> int:
    """Images in a step: the largest power of two from 16 to 128 that leaves 10 steps per epoch.

    Source: Revisiting Small Batch Training for Deep Neural Networks, 2018,
    https://arxiv.org/abs/1804.07612 (small batches generalise best; large ones only save time)
    """
    return next((b for b in reversed(_BATCHES) if b * _STEPS_OF_AN_EPOCH <= train), _BATCHES[0])


def schedule(train: int, steps: int, given: Mapping[str, Any] | None = None) -> Schedule:
    """The epochs that come to about so many steps, from 10 to 300.

    What counts is the number of steps, so few images are seen in many epochs and many in few. Where
    ten passes over all images are too many steps, an epoch is part of them, drawn anew each time,
    so that validation still tells how the training went. What the command line gives as one number
    stands, and the rest follows it.

    Source: Train longer, generalize better, 2017, https://arxiv.org/abs/1705.08741 (steps, not
    epochs, decide)
    """
    given = given or {}
    recipe, data = given.get("recipe", {}), given.get("data", {})
    batch = _number(recipe.get("batch_size")) or batch_size(train)
    images = min(train, _number(data.get("epoch_images")) or train)
    least, most = _EPOCHS
    each = math.ceil(images / batch)
    epochs = min(most, round(steps / each)) if each * least <= steps else least
    if each * least > steps and "epoch_images" not in data:
        images = min(train, batch * max(1, steps // least))
    epochs = _number(recipe.get("epochs")) or epochs
    return Schedule(batch, epochs, images, whole=images == train)


def _number(value: Any) -> int | None:
    """A setting that is one number; None for a choice, or if it is left out."""
    return value if isinstance(value, int) and value > 0 else None


def learning_rate(batch: int) -> float:
    """AdamW's, which grows with the square root of the batch: 0.002 at 64 images.

    The 0.002 is ours, from the bundled studies (0.001 at 128 images of 64 pixels to 0.005 at 64 of
    8); a study searches half and twice of it.

    Source: On the SDEs and Scaling Rules for Adaptive Gradient Algorithms, 2022,
    https://arxiv.org/abs/2205.10287 (square root rule)
    """
    return float(f"{_RATE * math.sqrt(batch / _RATE_BATCH):.1g}")


def recipe(network: NetworkSize, plan: Schedule, learning: Any) -> dict[str, Any]:
    """The recipe's settings.

    Source: Swin's appendix A2.1 (label smoothing, warm-up)
    """
    return {
        "epochs": plan.epochs,
        "batch_size": plan.batch,
        "learning_rate": learning,
        "warmup_epochs": max(1, round(plan.epochs * _WARMUP)),
        "label_smoothing": 0.1,
        "drop_path": 0.1 if plan.steps >= _LONG else 0.0,
        **augmentations(network),
    }


def augmentations(network: NetworkSize) -> dict[str, Any]:
    """How train images are changed, by the recipe's names.

    Colour images are flipped, grey ones are not: these are often letters, digits or scans, in which
    left and right differ. Images are shifted by an eighth of the shorter side.

    Source: Deep Residual Learning, 2016, https://arxiv.org/abs/1512.03385 (4 of 32 pixels, flips)
    """
    return {
        "shift": max(1, min(network.image_size) // 8),
        "flip": "horizontal" if network.channels > 1 else "none",
    }

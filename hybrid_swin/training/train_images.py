"""Train images on their way from the loader to the network: augmented, then mixed.

Augmentations come in the recipe's order, then shift and flip, then mixup or CutMix, in float32 on
the device that holds the batch.

In a share of a batch the images are those of the whole batch: every draw is made for the whole, and
the images that lie opposite, which are mixed in, come with the share.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from hybrid_swin.data.pixel_values import check_values, needs_values
from hybrid_swin.errors import InputError
from hybrid_swin.network.whole_batch import Share, as_whole, drawn_again
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.augmentation import augment
from hybrid_swin.training.augmentations import Augmentation, Pixels
from hybrid_swin.training.mixing import draw_mix, mixed


class TrainBatch(NamedTuple):
    """Images as the network gets them, with their labels."""

    images: Tensor  # (B, C, H, W)
    labels: Tensor  # (B,)
    opposite: Tensor | None = None  # labels of the images that were mixed in; None for no mixing
    kept: float = 1.0  # the share of an image's own label


class TrainImages:
    """What a recipe does to train images.

    Args:
        recipe: its augmentations and its mixing.
        channels: of the images.
    """

    def __init__(self, recipe: Recipe, channels: int) -> None:
        self._recipe, self._channels = recipe, channels
        self._augmentations: list[Augmentation] = []
        self._pixels = Pixels(torch.zeros(channels, 1, 1), torch.ones(channels, 1, 1))

    def prepare(self, data: Any) -> None:
        """Load the augmentations, and learn from the data module what numbers in images mean.

        Raises:
            InputError: an augmentation works on pixel values, and the module has no ``mean`` and
                ``std``, or its images have values below 0 or above 1.
        """
        parts = self._recipe.augmentation_parts
        made = {part.name: registry.load("augmentation", part.name) for part in parts}
        self._augmentations = [made[part.name](**part.kwargs) for part in parts]
        if (needing := needs_values(self._recipe)) is not None:
            self._pixels = _pixels_of(data, self._channels, needing)
            check_values(data, [self._recipe])

    def __call__(self, images: Tensor, labels: Tensor, share: Share | None = None) -> TrainBatch:
        """A batch, or a share of one, as the network gets it."""
        recipe = self._recipe
        if not recipe.augmentations and not recipe.mixes:
            with as_whole(share):
                return TrainBatch(augment(images, recipe.shift, recipe.flip), labels)
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            return self._changed(images, labels, share)

    def _changed(self, images: Tensor, labels: Tensor, share: Share | None) -> TrainBatch:
        recipe = self._recipe
        mix = None
        if recipe.mixes:
            how = recipe.mixup, recipe.cutmix, recipe.mix_probability, recipe.mix_switch_probability
            mix = draw_mix(*how)
        others = other_labels = None
        if share is not None and share.with_opposite:
            images, others = images.tensor_split(2)
            labels, other_labels = labels.tensor_split(2)
            if mix is not None:
                with drawn_again(images.device), as_whole(share.opposite):
                    others = self._augmented(others)
        with as_whole(share):
            images = self._augmented(images)
        if mix is None:
            return TrainBatch(images, labels)
        others = images if others is None else others
        other_labels = labels if other_labels is None else other_labels
        images, kept = mixed(images, others.flip(0), mix)
        return TrainBatch(images, labels, other_labels.flip(0), kept)

    def _augmented(self, images: Tensor) -> Tensor:
        if self._pixels.mean.device != images.device:
            self._pixels = self._pixels.to(images.device)
        for augmentation in self._augmentations:
            images = augmentation(images, self._pixels)
        return augment(images, self._recipe.shift, self._recipe.flip)


def _pixels_of(data: Any, channels: int, name: str) -> Pixels:
    """How a data module normalises, by its ``mean`` and ``std``."""
    try:
        mean, std = (
            torch.as_tensor(getattr(data, fact), dtype=torch.float32).flatten().expand(channels)
            for fact in ("mean", "std")
        )
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"augmentation {name} works on pixel values from 0 to 1, but the data module does not "
            f"say how it normalises them; give it mean and std, with a number for each of the "
            f"{channels} channels, or leave {name} out"
        ) from error
    return Pixels(mean[:, None, None], std[:, None, None])

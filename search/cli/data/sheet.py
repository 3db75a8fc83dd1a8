"""The images of a contact sheet: of each class as they are loaded, and as a network is fed them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hybrid_swin.data.display import Display
from hybrid_swin.data.loading import LoadedData
from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.train_images import TrainImages
from search.cli.data.options import DataOptions

MOST_ROWS = 40  # classes on a sheet
_BATCH = 128  # images that are augmented together, as in a training

Rows = dict[str, list[NDArray[Any]]]  # images of each class, (H, W, 3) from 0 to 1


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images to be shown.

    Args:
        loaded: as they are loaded.
        fed: the same as they are fed; empty if nothing changes them.
        augmented_by: what changes them, in words.
        fed_range: the smallest and the largest value that the network gets.
        shown_range: the values, in full scales, that are shown as black and white.
    """

    loaded: Rows
    fed: Rows
    augmented_by: list[str]
    fed_range: tuple[float, float]
    shown_range: tuple[float, float]


def fill_sheet(data: LoadedData, recipe: Recipe | None, options: DataOptions) -> Sheet:
    """Draw images of each class, and augment those of the train split as a training does.

    Mixup and CutMix take the other images of a batch, so a batch is as in a training: those of the
    sheet, and others up to 128. ``recipe`` is None if nothing is to be augmented. Raises InputError
    for a split without images.
    """
    rng = np.random.default_rng(options.draw_seed)
    indices = getattr(data.splits, options.split)
    labels = data.images.labels[indices]
    chosen: dict[str, NDArray[np.int64]] = {}
    for label, name in enumerate(data.images.class_names[:MOST_ROWS]):
        own = indices[labels == label]
        chosen[name] = np.sort(rng.permutation(own)[: options.columns])
    index = np.concatenate(list(chosen.values()))
    if not len(index):
        raise InputError(f"--split {options.split}: it holds no image; choose another")
    normalised = data.normalised.take(index)
    by = _changes(recipe) if options.split == "train" and recipe is not None else []
    fed = normalised
    if by and recipe is not None:
        others = rng.permutation(np.setdiff1d(indices, index))[: max(0, _BATCH - len(index))]
        batch = torch.cat([normalised, data.normalised.take(others)])
        fed = _augmented(batch, data, recipe, options.draw_seed)[: len(index)]
    display = Display(data.mean, data.std, normalised)
    return Sheet(
        _by_class(chosen, display.images(normalised)),
        _by_class(chosen, display.images(fed)) if by else {},
        by,
        (float(fed.min()), float(fed.max())),
        display.limits,
    )


def _augmented(batch: torch.Tensor, data: LoadedData, recipe: Recipe, seed: int) -> torch.Tensor:
    train_images = TrainImages(recipe, batch.shape[1])
    train_images.prepare(data)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        labels = torch.zeros(len(batch), dtype=torch.int64)
        return train_images(batch, labels).images


def _changes(recipe: Recipe) -> list[str]:
    """What changes train images, in the order in which it does."""
    words = [str(word) for word in recipe.augmentations]
    words += [f"shift {recipe.shift}"] * bool(recipe.shift)
    words += [f"flip {recipe.flip}"] * (recipe.flip != "none")
    words += [f"mixup {recipe.mixup:g}"] * bool(recipe.mixes and recipe.mixup)
    return words + [f"cutmix {recipe.cutmix:g}"] * bool(recipe.mixes and recipe.cutmix)


def _by_class(chosen: dict[str, NDArray[np.int64]], images: list[NDArray[Any]]) -> Rows:
    left = iter(images)
    return {name: [next(left) for _ in indices] for name, indices in chosen.items()}

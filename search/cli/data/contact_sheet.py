"""The contact sheet: images of each class as they are loaded, and as they are fed to a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hybrid_swin.data.loading import LoadedData
from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.figure_files import write_figure
from hybrid_swin.training.train_images import TrainImages
from search.cli.data.options import DataOptions

_MOST_ROWS = 40  # classes on a sheet
_TILE = 64  # pixels of a side that an image has on the sheet, about
_GAP = 2  # pixels between images
_INCHES = 0.62  # of an image's longer side
_LABEL_INCHES, _SPACE_INCHES, _TITLE_INCHES = 1.4, 0.35, 2.6
_BATCH = 128  # images that are augmented together, as in a training


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images to be shown, (H, W, 3) from 0 to 1, by class.

    Args:
        loaded: images of each class as they are loaded.
        fed: the same as they are fed; empty where nothing changes them.
        augmented_by: what changes them, in words.
        fed_range: the smallest and the largest value that the network gets.
        left_out: classes that the sheet has no room for.
    """

    loaded: dict[str, list[NDArray[Any]]]
    fed: dict[str, list[NDArray[Any]]]
    augmented_by: list[str]
    fed_range: tuple[float, float]
    left_out: int


def fill_sheet(loaded: LoadedData, recipe: Recipe | None, options: DataOptions) -> Sheet:
    """Draw images of each class, and augment those of the train split as a training does.

    Mixup and CutMix take the other images of a batch, so a batch is as in a training: those of the
    sheet, and others up to 128. ``recipe`` is None if nothing is to be augmented.
    """
    rng = np.random.default_rng(options.draw_seed)
    indices = getattr(loaded.splits, options.split)
    labels = loaded.images.labels[indices]
    names = loaded.images.class_names
    chosen: dict[str, NDArray[np.int64]] = {}
    for label, name in enumerate(names[:_MOST_ROWS]):
        own = indices[labels == label]
        chosen[name] = np.sort(rng.permutation(own)[: options.columns])
    index = np.concatenate(list(chosen.values()))
    if not len(index):
        raise InputError(f"--split {options.split}: it holds no image; choose another")
    normalised = loaded.normalised.take(index)
    by = _changes(recipe) if options.split == "train" and recipe is not None else []
    fed = normalised
    if by and recipe is not None:
        others = rng.permutation(np.setdiff1d(indices, index))[: max(0, _BATCH - len(index))]
        batch = torch.cat([normalised, loaded.normalised.take(others)])
        fed = _augmented(batch, loaded, recipe, options.draw_seed)[: len(index)]
    scale = _Scale(loaded, normalised)
    return Sheet(
        _by_class(chosen, scale.display(normalised)),
        _by_class(chosen, scale.display(fed)) if by else {},
        by,
        (float(fed.min()), float(fed.max())),
        max(0, len(names) - _MOST_ROWS),
    )


def draw_sheet(file: Path, sheet: Sheet) -> None:
    """Write the sheet as a picture. Raises InputError where it cannot be written."""

    def draw(figure: Figure) -> None:
        columns = max(len(images) for images in sheet.loaded.values())
        titles = {"as loaded": sheet.loaded}
        if sheet.fed:
            titles[f"as fed: {_short(sheet.augmented_by)}"] = sheet.fed
        mosaics = [_mosaic(part, columns) for part in titles.values()]
        # All in inches, so that an image has the same size on every sheet.
        rows, first = len(sheet.loaded), next(_images(sheet.loaded))
        longest = max(first.shape[:2])
        height = _INCHES * rows * first.shape[0] / longest
        width = max(_INCHES * columns * first.shape[1] / longest, _TITLE_INCHES)
        whole = _LABEL_INCHES + len(mosaics) * (width + _SPACE_INCHES), height + 2 * _SPACE_INCHES
        figure.set_size_inches(*whole)
        for number, (title, mosaic) in enumerate(zip(titles, mosaics, strict=True)):
            left = _LABEL_INCHES + number * (width + _SPACE_INCHES)
            place = left / whole[0], 0.4 * _SPACE_INCHES / whole[1]
            axes = figure.add_axes((*place, width / whole[0], height / whole[1]))
            axes.imshow(mosaic, interpolation="nearest", aspect="equal")
            axes.set_anchor("NW")
            axes.set_title(title, fontsize=8, loc="left")
            axes.set_xticks([])
            names = [] if number else [_cut(name) for name in sheet.loaded]
            middles = [mosaic.shape[0] / rows * (row + 0.5) for row in range(len(names))]
            axes.set_yticks(middles, names)
            axes.tick_params(length=0, labelsize=7)
            for side in axes.spines.values():
                side.set_visible(False)

    try:
        write_figure(file, draw)
    except OSError as error:
        raise InputError(
            f"{quote(str(file), 120)} cannot be written: {error.strerror or error}; give another "
            "--out"
        ) from error


class _Scale:
    """How normalised values are shown: as the source has them, from black to white.

    What is not within 0 to 1 in full scales, such as floats of any range, is stretched between its
    smallest and largest value on the sheet.
    """

    def __init__(self, loaded: LoadedData, normalised: torch.Tensor) -> None:
        self._mean = torch.tensor(loaded.mean, dtype=torch.float32).view(-1, 1, 1)
        self._std = torch.tensor(loaded.std, dtype=torch.float32).view(-1, 1, 1)
        values = normalised * self._std + self._mean
        self._low, self._high = 0.0, 1.0
        if loaded.images.images.dtype.kind == "f":
            low, high = float(values.min()), float(values.max())
            if low < -1e-6 or high > 1 + 1e-6:
                self._low, self._high = low, max(high, low + 1e-12)

    def display(self, normalised: torch.Tensor) -> list[NDArray[Any]]:
        """(B, C, H, W) -> (H, W, 3) each, from 0 to 1."""
        values = (normalised * self._std + self._mean - self._low) / (self._high - self._low)
        images = values.clamp(0, 1).permute(0, 2, 3, 1).numpy()
        grey = images.shape[-1] < 3
        return [np.repeat(x[..., :1], 3, axis=-1) if grey else x[..., :3] for x in images]


def _augmented(batch: torch.Tensor, loaded: LoadedData, recipe: Recipe, seed: int) -> torch.Tensor:
    train_images = TrainImages(recipe, batch.shape[1])
    train_images.prepare(loaded)
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


def _by_class(
    chosen: dict[str, NDArray[np.int64]], images: list[NDArray[Any]]
) -> dict[str, list[NDArray[Any]]]:
    left = iter(images)
    return {name: [next(left) for _ in indices] for name, indices in chosen.items()}


def _images(rows: dict[str, list[NDArray[Any]]]) -> Iterator[NDArray[Any]]:
    return (image for images in rows.values() for image in images)


def _mosaic(rows: dict[str, list[NDArray[Any]]], columns: int) -> NDArray[Any]:
    """All images in one, a row for each class, on white."""
    first = next(_images(rows))
    times = max(1, round(_TILE / max(first.shape[:2])))
    height, width = (side * times + _GAP for side in first.shape[:2])
    whole = np.ones((height * len(rows), width * columns, 3), np.float32)
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images):
            large = image.repeat(times, axis=0).repeat(times, axis=1)
            top, left = row * height, column * width
            whole[top : top + large.shape[0], left : left + large.shape[1]] = large
    return whole


def _short(words: list[str]) -> str:
    names = [word.partition("(")[0] for word in words]
    return ", ".join(names) if len(names) < 4 else f"{', '.join(names[:3])}, ..."


def _cut(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:15]}..."

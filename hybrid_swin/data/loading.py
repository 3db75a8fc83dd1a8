"""Images loaded, split and measured, once in a process (no Lightning)."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hybrid_swin.data import pixels
from hybrid_swin.data.batches import NormalisedImages
from hybrid_swin.data.class_names import check_surplus
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import LabelledImages
from hybrid_swin.data.splits import Splits, make_splits
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry


@dataclass(frozen=True, eq=False)
class LoadedData:
    """What all trainings on the same settings share.

    Args:
        images: what the source gave, with labels, ids and groups.
        splits: image indices of train, validation and test.
        mean: of each channel in the train split, or as the settings give it; 255 counts as 1 where
            the source gives uint8.
        std: of each channel, likewise; 1 where all values are equal.
        class_counts: train images of each class.
        data_hash: ten hex digits over all pixels, labels and ids.
        normalised: the images as the network sees them.
    """

    images: LabelledImages
    splits: Splits
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_counts: tuple[int, ...]
    data_hash: str
    normalised: NormalisedImages

    @property
    def hashes(self) -> dict[str, str]:
        """Which images and which splits these are."""
        splits = self.splits
        hashes = {"split_hash": splits.hash, "test_hash": splits.test_hash}
        return {"data_hash": self.data_hash, **hashes}

    def check_classes(self, num_classes: int) -> None:
        """Raise InputError where a network of so many classes does not fit."""
        names = self.images.class_names
        if len(names) != num_classes:
            check_surplus(names, num_classes)
            raise InputError(
                f"the variant has num_classes {num_classes}, but the data has {len(names)} classes "
                f"({', '.join(names[:10])}{', ...' if len(names) > 10 else ''}); "
                f"set num_classes: {len(names)} in the variant"
            )


def load_data(
    settings: DataSettings, image_size: tuple[int, int], in_channels: int, cache: Path | None
) -> LoadedData:
    """Load and split images, or find them in this process.

    Without a ``cache`` folder decoded images are kept in memory.

    Raises:
        InputError: the images cannot be had or cannot be split.
    """
    key = json.dumps(settings.to_dict(), sort_keys=True)
    return _load(key, image_size, in_channels, cache)


def at_test_size(
    loaded: LoadedData, settings: DataSettings, side: int | None, cache: Path | None
) -> NormalisedImages:
    """The images with ``side`` pixels per side, or as they are if it is None.

    They are normalised by the same mean and standard deviation.

    Raises:
        InputError: the source cannot give them in this size.
    """
    height, width, channels = loaded.images.images.shape[1:]
    if side is None or (side, side) == (height, width):
        return loaded.normalised
    options = json.dumps(dict(settings.options), sort_keys=True)
    source = settings.source, options, (side, side), channels, cache
    try:
        are_resized, ids, images = _load_resized(*source, loaded.mean, loaded.std)
    except InputError as error:
        raise InputError(
            f"recipe.test_image_size {side}: validation and test images cannot be read in this "
            f"size; leave it out ({error})"
        ) from error
    if not are_resized or ids != tuple(loaded.images.ids):
        raise InputError(
            f"recipe.test_image_size {side}: the data source gives other images in this size than "
            f"in {height} x {width}; leave it out"
        )
    return images


@lru_cache(maxsize=1)
def _load_resized(
    source: str,
    options: str,
    image_size: tuple[int, int],
    in_channels: int,
    cache: Path | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> tuple[bool, tuple[str, ...], NormalisedImages]:
    # Past the cache of images, which would lose those of the training.
    images, _ = _load_images.__wrapped__(source, options, image_size, in_channels, cache)
    normalised = NormalisedImages(images.images, mean, std)
    return bool(images.resize), tuple(images.ids), normalised


@lru_cache(maxsize=2)  # a worker runs hundreds of trials on the same split
def _load(
    settings_json: str, image_size: tuple[int, int], in_channels: int, cache: Path | None
) -> LoadedData:
    settings = DataSettings.from_dict(json.loads(settings_json))
    options = json.dumps(dict(settings.options), sort_keys=True)
    images, data_hash = _load_images(settings.source, options, image_size, in_channels, cache)
    splits = make_splits(images, settings)
    mean, std = settings.mean, settings.std
    if mean is None or std is None:
        mean, measured = pixels.mean_and_std(images.images, splits.train)
        std = tuple(value or 1.0 for value in measured)
    elif len(mean) != images.images.shape[-1]:
        raise InputError(
            f"data.mean and data.std are of {len(mean)} channels, and the images have "
            f"{images.images.shape[-1]}; give as many"
        )
    counts = np.bincount(images.labels[splits.train], minlength=len(images.class_names))
    return LoadedData(
        images,
        splits,
        mean,
        std,
        class_counts=tuple(counts.tolist()),
        data_hash=data_hash,
        normalised=NormalisedImages(images.images, mean, std),
    )


@lru_cache(maxsize=2)  # two, for a transfer; however they are split
def _load_images(
    source: str, options: str, image_size: tuple[int, int], in_channels: int, cache: Path | None
) -> tuple[LabelledImages, str]:
    loader = registry.load("data source", source)(**json.loads(options))
    images: LabelledImages = loader.load(image_size, in_channels, cache)
    broken = pixels.first_unusable(images.images)
    if broken is not None:
        raise InputError(
            f"image {images.ids[broken]!r} holds a NaN, an infinity or a value beyond "
            f"{pixels.LARGEST:g}; fix it or take it out"
        )
    return images, _hash(images)


def _hash(images: LabelledImages) -> str:
    sha = hashlib.sha256(pixels.digest(images.images).encode())
    sha.update(images.labels.tobytes())
    sha.update("\0".join(images.ids).encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:10]

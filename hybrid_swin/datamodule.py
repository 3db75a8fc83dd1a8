"""The data of one training: our sources as a LightningDataModule, or the user's own one."""

import hashlib
import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from hybrid_swin import pixels, registry
from hybrid_swin.batches import Batch, EpochBatches, NormalisedImages, SplitImages, make_loader
from hybrid_swin.data import LabelledImages
from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.splits import Splits, make_splits
from hybrid_swin.variant import Variant


def make_datamodule(
    settings: DataSettings,
    variant: Variant,
    batch_size: int,
    seed: int,
    cache: Path | None = None,
) -> LightningDataModule:
    """The data for one training.

    Args:
        settings: which images, or which LightningDataModule.
        variant: says what images the network takes.
        batch_size: images a step.
        seed: of the order of the training images.
        cache: folder for decoded images; None to keep them in memory.

    Of a user's own module (``settings.class_path``) we use the loaders as they are. It gets
    ``batch_size`` where its ``__init__`` names it. The order of its epochs, its splits and groups,
    its normalisation and its hashes are its own: we cannot promise that a resumed or a repeated
    training sees the same images.

    Raises:
        InputError: the settings cannot work. Images are read in ``setup``.
    """
    settings.validate()
    if settings.class_path is None:
        return ImageData(settings, variant, batch_size, seed, cache)
    return _make_own(settings.class_path, dict(settings.init_args), batch_size)


@final
class ImageData(LightningDataModule):
    """Batches of (images float32 (B, C, H, W), labels int64 (B,)) from one of our sources.

    Images are normalised by each channel's mean and standard deviation in the train split. Train
    batches come in the order of ``EpochBatches``; the others in the order of ``splits``. Loading
    happens once in a process for equal settings, so that files changed since are not seen.

    One training, one process: Lightning must not be given several devices for it.

    Attributes:
        batch_size: images of a full batch. All the others are there after ``setup``.
        images: what the source gave, with ids and groups.
        splits: image indices of train, validation and test.
        class_names: one name a class.
        num_classes: number of classes.
        class_counts: train images of each class.
        left_out: (id, reason) of each image that could not be used.
        mean: of each channel; 255 counts as 1 where the source gives uint8.
        std: of each channel; 1 where all values are equal.
        data_hash: ten hex digits over all pixels, labels and ids.
    """

    batch_size: int
    images: LabelledImages
    splits: Splits
    class_names: tuple[str, ...]
    num_classes: int
    class_counts: tuple[int, ...]
    left_out: tuple[tuple[str, str], ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data_hash: str

    def __init__(
        self,
        settings: DataSettings,
        variant: Variant,
        batch_size: int,
        seed: int,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1; got {batch_size}")
        self._settings, self._variant, self._cache = settings, variant, cache
        self.batch_size, self._seed = batch_size, seed

    def setup(self, stage: str | None = None) -> None:
        """Load, split and measure the images, or find them in this process.

        Raises:
            InputError: the images cannot be had, cannot be split, or do not fit the variant.
        """
        key = json.dumps(self._settings.to_dict(), sort_keys=True)
        variant = self._variant
        loaded = _load(key, variant.image_size, variant.in_channels, self._cache)
        self.images, self.splits, self._normalised = loaded.images, loaded.splits, loaded.normalised
        self.mean, self.std = loaded.mean, loaded.std
        self.class_counts, self.data_hash = loaded.class_counts, loaded.data_hash
        self.class_names, self.left_out = loaded.images.class_names, loaded.images.left_out
        self.num_classes = len(self.class_names)
        if self.num_classes != variant.num_classes:
            raise InputError(
                f"the variant has num_classes {variant.num_classes}, but the data has "
                f"{self.num_classes} classes ({', '.join(self.class_names[:10])}"
                f"{', ...' if self.num_classes > 10 else ''}); "
                f"set num_classes: {self.num_classes} in the variant"
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the train split, in an order of their own in every epoch."""
        return self._loader(self.splits.train, self._seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the validation split, in its order."""
        return self._loader(self.splits.validation, None)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split, in its order."""
        return self._loader(self.splits.test, None)

    def _loader(self, indices: NDArray[np.int64], seed: int | None) -> DataLoader[Batch]:
        return make_loader(
            SplitImages(self._normalised, self.images.labels, indices),
            EpochBatches(len(indices), self.batch_size, seed),
            self._settings.num_workers,
        )


@dataclass(frozen=True, eq=False)
class _Loaded:
    """What trainings on the same settings share."""

    images: LabelledImages
    splits: Splits
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_counts: tuple[int, ...]
    data_hash: str
    normalised: NormalisedImages


@lru_cache(maxsize=2)  # a worker runs hundreds of trials on the same images; two, for a transfer
def _load(
    settings_json: str, image_size: tuple[int, int], in_channels: int, cache: Path | None
) -> _Loaded:
    settings = DataSettings.from_dict(json.loads(settings_json))
    source = registry.load("data source", settings.source)(**settings.options)
    images: LabelledImages = source.load(image_size, in_channels, cache)
    broken = pixels.first_not_finite(images.images)
    if broken is not None:
        raise InputError(
            f"image {images.ids[broken]!r} holds a NaN or an infinity; mend it or take it out"
        )
    splits = make_splits(images, settings)
    mean, std = pixels.mean_and_std(images.images, splits.train)
    # A spread below float32's resolution of the mean is rounding: the channel is constant.
    std = tuple(s if s > 1e-7 * abs(m) else 1.0 for m, s in zip(mean, std, strict=True))
    counts = np.bincount(images.labels[splits.train], minlength=len(images.class_names))
    return _Loaded(
        images,
        splits,
        mean,
        std,
        class_counts=tuple(counts.tolist()),
        data_hash=_hash(images),
        normalised=NormalisedImages(images.images, mean, std),
    )


def _hash(images: LabelledImages) -> str:
    sha = hashlib.sha256(pixels.digest(images.images).encode())
    sha.update(images.labels.tobytes())
    sha.update("\0".join(images.ids).encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:10]


def _make_own(class_path: str, init_args: dict[str, Any], batch_size: int) -> LightningDataModule:
    cls = _import(class_path)
    parameters = inspect.signature(cls).parameters
    if "batch_size" in init_args:
        raise InputError("data.init_args: batch_size belongs to the recipe; set it there")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in init_args:
        if name not in parameters and not takes_any:
            raise unknown(f"argument of {class_path}", name, parameters)
    if "batch_size" in parameters:
        init_args["batch_size"] = batch_size
    try:
        return cls(**init_args)
    except Exception as error:
        raise InputError(
            f"data.class_path {class_path}: cannot be made with {init_args}: "
            f"{type(error).__name__}: {error}; correct data.init_args"
        ) from error


def _import(class_path: str) -> Callable[..., LightningDataModule]:
    module_name, _, class_name = class_path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f"data.class_path {class_path}: module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}); install it, or put its folder on PYTHONPATH"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        known = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise unknown(f"class of module {module_name}", class_name, known)
    if not (inspect.isclass(cls) and issubclass(cls, LightningDataModule)):
        raise InputError(
            f"data.class_path {class_path}: {class_name} is no LightningDataModule of "
            "lightning.pytorch (pytorch_lightning has another class of that name); "
            "derive it from lightning.pytorch.LightningDataModule"
        )
    return cls

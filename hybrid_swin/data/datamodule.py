"""The data of one training: our sources as a LightningDataModule, or the user's own one."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import final

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from hybrid_swin.data.batches import (
    Batch,
    EpochBatches,
    NormalisedImages,
    SplitImages,
    make_loader,
)
from hybrid_swin.data.loading import at_test_size, load_data
from hybrid_swin.data.own_modules import made_by
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.plain_text import described
from hybrid_swin.spec.own_code.module_sources import import_from_source, module_sources
from hybrid_swin.spec.own_code.working_folder import same_working_folder
from hybrid_swin.spec.recipe import Recipe, Sampling
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.processes import import_from_working_folder


def make_datamodule(
    settings: DataSettings,
    variant: Variant,
    batch_size: int,
    seed: int,
    cache: Path | None = None,
    *,
    repeats: int = 1,
    sampling: Sampling = "shuffle",
    test_image_size: int | None = None,
) -> LightningDataModule:
    """The data for one training.

    Args:
        settings: which images, or which LightningDataModule.
        variant: says what images the network takes.
        batch_size: images per step.
        seed: of the order of the training images.
        cache: folder for decoded images; None to keep them in memory.
        repeats: how often each train image of an epoch comes.
        sampling: whether each train image comes once in an epoch, or each class equally often.
        test_image_size: pixels per side of validation and test images, if not the variant's.

    Of a user's own module (``settings.class_path``) we use the loaders as they are. It gets
    ``batch_size`` where its ``__init__`` names it. The order of its epochs, its splits and groups,
    its normalisation and its hashes are its own: we cannot promise that a resumed or a repeated
    training sees the same images. What it draws by the global generators when it is made or set up
    is drawn by ``settings.split_seed``, the same in each process.

    Raises:
        InputError: the settings cannot work. Images are read in ``setup``.
    """
    settings.validate()
    if settings.class_path is None:
        ours = repeats, sampling, test_image_size
        return ImageData(settings, variant, batch_size, seed, cache, *ours)
    of_recipe = {"repeats": repeats, "sampling": sampling, "test_image_size": test_image_size}
    given = [name for name, value in of_recipe.items() if value != getattr(Recipe, name)]
    if given:
        what = f"{given[0]} {of_recipe[given[0]]}"
        raise InputError(
            f"recipe.{what} does not reach data.class_path {settings.class_path}, whose loaders "
            "decide on order and size of its images; leave it out"
        )
    return _make_own(settings, settings.class_path, batch_size)


@final
class ImageData(LightningDataModule):
    """Batches of (images float32 (B, C, H, W), labels int64 (B,)) from one of our sources.

    Images are normalised by each channel's mean and standard deviation in the train split. Train
    batches come in the order of ``EpochBatches``, of ``settings.epoch_images`` images where that is
    not 0 (splits, class counts and normalisation are of all), each ``repeats`` times, or each class
    equally often by ``sampling``; the others in the order of ``splits``, with ``test_image_size``
    pixels per side, if given: they are read once more. Loading happens once in a process for equal
    settings, so that files changed since are not seen.

    For several devices, and for micro-batches, batches come in parts (``shares``).

    After ``setup`` it says what ``LoadedData`` does, and ``class_names``, ``num_classes`` and
    ``left_out`` of the images.
    """

    def __init__(
        self,
        settings: DataSettings,
        variant: Variant,
        batch_size: int,
        seed: int,
        cache: Path | None = None,
        repeats: int = 1,
        sampling: Sampling = "shuffle",
        test_image_size: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1; got {batch_size}")
        self._settings, self._variant, self._cache = settings, variant, cache
        self.batch_size, self._seed, self._repeats = batch_size, seed, repeats
        self._sampling, self._test_image_size = sampling, test_image_size

    def setup(self, stage: str | None = None) -> None:
        """Load, split and measure the images, or find them in this process.

        Raises:
            InputError: the images cannot be had, cannot be split, or do not fit the variant.
        """
        variant = self._variant
        loaded = load_data(self._settings, variant.image_size, variant.in_channels, self._cache)
        self.images, self.splits, self._normalised = loaded.images, loaded.splits, loaded.normalised
        self.mean, self.std = loaded.mean, loaded.std
        self.class_counts, self.data_hash = loaded.class_counts, loaded.data_hash
        self.hashes = loaded.hashes
        self.class_names, self.left_out = loaded.images.class_names, loaded.images.left_out
        self.num_classes = len(self.class_names)
        loaded.check_classes(variant.num_classes)
        self._tested = at_test_size(loaded, self._settings, self._test_image_size, self._cache)
        wanted, total = self._settings.epoch_images, len(self.splits.train)
        if wanted > total:
            raise InputError(
                f"data.epoch_images {wanted} is more than the {total} images of the train split; "
                f"choose at most {total}, or 0 for all of them"
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the train split, in an order of their own in every epoch."""
        index = self.splits.train
        balance = self.images.labels[index] if self._sampling == "balanced" else None
        batches = self._settings.epoch_images, self._repeats, balance
        return self._loader(self._normalised, index, self._seed, *batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the validation split, in its order."""
        return self._loader(self._tested, self.splits.validation, None)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split, in its order."""
        return self._loader(self._tested, self.splits.test, None)

    def _loader(
        self,
        images: NormalisedImages,
        indices: NDArray[np.int64],
        seed: int | None,
        epoch_images: int = 0,
        repeats: int = 1,
        balance: NDArray[np.int64] | None = None,
    ) -> DataLoader[Batch]:
        return make_loader(
            SplitImages(images, self.images.labels, indices),
            EpochBatches(len(indices), self.batch_size, seed, epoch_images, repeats, balance),
            self._settings.num_workers,
            self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )


def _make_own(settings: DataSettings, class_path: str, batch_size: int) -> LightningDataModule:
    cls, init_args = _import(class_path), dict(settings.init_args)
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
        return made_by(lambda: cls(**init_args), settings.split_seed)
    except Exception as error:
        raise InputError(
            f"data.class_path {class_path}: cannot be made with {init_args}: "
            f"{described(error)}; correct data.init_args"
        ) from error


def _import(class_path: str) -> Callable[..., LightningDataModule]:
    module_name, _, class_name = class_path.rpartition(".")
    import_from_working_folder()
    sources = module_sources(class_path)
    if sources is not None and module_name not in sys.modules:
        import_from_source(sources)
    try:
        with same_working_folder():
            module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f"data.class_path {class_path}: module {module_name!r} cannot be imported "
            f"({described(error)}); install it, or put its folder on PYTHONPATH"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        known = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise unknown(f"class of module {module_name}", class_name, known)
    if not (inspect.isclass(cls) and issubclass(cls, LightningDataModule)):
        raise InputError(
            f"data.class_path {class_path}: {class_name} is not a LightningDataModule of "
            "lightning.pytorch (pytorch_lightning has another class of that name); "
            "derive it from lightning.pytorch.LightningDataModule"
        )
    return cls

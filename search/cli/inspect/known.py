"""What a trained network knows of images: how it reads them, and which it has learned from."""

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hybrid_swin.data.batches import NormalisedImages
from hybrid_swin.data.loading import LoadedData, at_test_size, load_data
from hybrid_swin.data.pixels import full_scale
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.spec import registry
from search.cli.inspect.options import InspectQuestion
from search.cli.inspect.target import TargetNetwork, settings_of

_FAR = 5.0  # spreads from the mean of what was learned, or times its spread


def as_recorded(
    settings: DataSettings, target: TargetNetwork
) -> tuple[DataSettings, tuple[str, ...]]:
    """Other images are read as those of the training were, where the settings do not say how."""
    learned = target.normalisation
    if learned is None or settings.class_path is not None:
        return settings, ()
    known = registry.describe("data source", settings.source).options
    recorded = {
        name: value
        for name, value in learned.to_dict().items()
        if name in ("value_range", "resize") and name in known and name not in settings.options
        if value != known[name].default
    }
    notes = tuple(
        f"data.options.{name}: {value} as in the training" for name, value in recorded.items()
    )
    options = {**settings.options, **recorded}
    return dataclasses.replace(settings, options=options), notes


def far_off(images: Tensor) -> tuple[str, ...]:
    """A note where images are of other values than those that the network has learned from."""
    mean, spread = float(images.mean()), float(images.std())
    if abs(mean) <= _FAR and 1 / _FAR <= spread <= _FAR:
        return ()
    return (
        f"the pixels are far from those of the training (mean {mean:.3g}, spread {spread:.3g}, "
        "where it has learned from 0 and 1): look at their depth and data.options.value_range",
    )


def check_unseen(
    loaded: LoadedData, question: InspectQuestion, target: TargetNetwork, cache: Path | None
) -> None:
    """Raise InputError where the network has learned from what is to be shown as unseen.

    Images that ``--data`` names may be others; those of the training must be as they were.
    """
    from hybrid_swin.data.same_images import check_data  # Lightning takes seconds to import

    if target.checkpoint is None or not target.identity:
        return
    if question.data is None:
        hint = "give it back the images that it was trained on, or name others by --data"
        saved = {"identity": target.identity}
        check_data(saved, loaded, target.checkpoint.parent, hint)
        return
    same = target.identity.get("data") == loaded.data_hash
    if question.split == "train" or not same:
        return
    if target.identity.get("splits") == loaded.splits.hash:
        return
    shown_split = getattr(loaded.splits, question.split)
    what = "images that it was trained on may be among them"
    trained = _trained_on(target, cache)
    if trained is not None and trained.data_hash == loaded.data_hash:
        count = len(np.intersect1d(shown_split, trained.splits.train))
        if not count:
            return
        what = f"{count} of the {len(shown_split)} were trained on"
    raise InputError(
        f"these are the images of the training, but split otherwise: of the {question.split} split "
        f"{what}; leave --data out, or give the splits of the training"
    )


def _trained_on(target: TargetNetwork, cache: Path | None) -> LoadedData | None:
    """The images of the training as its settings give them; None if they give others by now."""
    variant = target.model.variant
    with suppress(InputError):
        settings = settings_of(target, target.name, trust=False)
        loaded = load_data(settings, variant.image_size, variant.in_channels, cache)
        return loaded if loaded.splits.hash == target.identity.get("splits") else None
    return None


def as_learned(
    loaded: LoadedData,
    learned: Normalisation | None,
    settings: DataSettings,
    side: int | None,
    cache: Path | None,
) -> NormalisedImages:
    """Images of so many pixels per side, normalised as the network has learned.

    Else by their own train split, and in the size in which they were loaded.
    """
    if learned is not None and (learned.mean, learned.std) != (loaded.mean, loaded.std):
        images = loaded.images.images
        _check_scale(images, learned)
        own = NormalisedImages(images, learned.mean, learned.std)
        loaded = dataclasses.replace(loaded, mean=learned.mean, std=learned.std, normalised=own)
    return at_test_size(loaded, settings, side, cache)


def _check_scale(images: np.ndarray[Any, Any], learned: Normalisation) -> None:
    """Raise InputError where whole numbers, shares of their full scale, stand for others."""
    if (learned.full_scale == 1) == (full_scale(images.dtype) == 1):
        return
    before = "floating point numbers" if learned.full_scale == 1 else "whole numbers"
    raise InputError(
        f"the network has learned from {before}, but these images are {images.dtype}, which have "
        "another scale; save them alike, or map them by data.options.value_range"
    )


def check_own(module: Any, question: InspectQuestion, target: TargetNetwork) -> None:
    """Set a module up as for training; InputError where its own network has seen other images."""
    from hybrid_swin.data.own_modules import set_up
    from hybrid_swin.data.same_images import check_data

    set_up(module)
    if target.checkpoint is not None and question.data is None:
        saved = {"identity": target.identity}
        check_data(saved, module, target.checkpoint.parent, "name other images by --data")

"""The images that `inspect` shows a network."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid_swin.cost import count_cost
from hybrid_swin.data.loading import LoadedData, load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.summary import independent
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.runner import make_inspections
from hybrid_swin.inspection.subject import Subject, make_subject
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import spell_size
from hybrid_swin.training.hardware import resolve_accelerator
from search.cli.inspect.known import as_learned, as_recorded, check_own, check_unseen, far_off
from search.cli.inspect.options import InspectQuestion
from search.cli.inspect.target import TargetNetwork, check_data_module, settings_of

_MACS_AT_ONCE = 40e9
_MOST_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class ShownImages:
    """Images as the network sees them, and what is known of them."""

    images: Tensor  # (N, C, H, W)
    labels: Tensor | None  # (N,) or None
    class_names: tuple[str, ...] | None  # one name a class, or None
    about: dict[str, Any]  # what `index.json` says of them
    settings: DataSettings | None = None  # where they come from; None for noise
    # why their classes are not the trained network's; None if they are
    why_no_labels: str | None = None
    # how they were read, where that is not as the settings say, or is odd
    notes: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None  # one name an image


def show_images(question: InspectQuestion, target: TargetNetwork) -> ShownImages:
    """The images that are asked for, drawn by the seed.

    Raises InputError if no images are known, they cannot be had, or they do not fit the network.
    """
    variant = target.model.variant
    if question.is_noise:
        generator = torch.Generator().manual_seed(question.seed)
        side = target.test_side(question.split)
        image_size = variant.image_size if side is None else (side, side)
        size = (question.images, variant.in_channels, *image_size)
        about = {"source": "noise", "split": None, "data_hash": None, "images": question.images}
        return ShownImages(torch.randn(size, generator=generator), None, None, about)
    settings = question.data or settings_of(target, question.target, question.trust)
    settings.validate()
    notes: tuple[str, ...] = ()
    if question.data is not None:
        check_data_module(settings, target, question.target, trust=True)  # it was named
        settings, notes = as_recorded(settings, target)
    images = _source_images if settings.class_path is None else _own_images
    sample = images(settings, question, target)
    return dataclasses.replace(sample, settings=settings, notes=(*notes, *sample.notes))


def make_subject_of(
    question: InspectQuestion, target: TargetNetwork, sample: ShownImages
) -> Subject:
    """Network and images together, on the device that is asked for.

    Raises InputError for a device that this machine does not have.
    """
    device = resolve_accelerator(question.device)
    height, width = sample.images.shape[-2:]
    variant = dataclasses.replace(target.model.variant, image_size=(height, width))
    macs = count_cost(variant).macs
    at_once = int(max(1, min(_MOST_AT_ONCE, _MACS_AT_ONCE // max(macs, 1))))
    return make_subject(
        target.model,
        sample.images,
        sample.labels,
        sample.class_names,
        trained=target.checkpoint is not None,
        seed=question.seed,
        batch_size=at_once,
        device=device,
        ids=sample.ids,
    )


def _source_images(
    settings: DataSettings, question: InspectQuestion, target: TargetNetwork
) -> ShownImages:
    variant = target.model.variant
    cache = None if target.home is None else target.home.parent / ".images"  # as trainings have it
    cache = cache if cache is not None and cache.is_dir() else None
    loaded = load_data(settings, variant.image_size, variant.in_channels, cache)
    check_unseen(loaded, question, target, cache)
    indices = getattr(loaded.splits, question.split)
    chosen = np.sort(_draw(len(indices), question))
    indices = indices[chosen]
    side = target.test_side(question.split)
    images = as_learned(loaded, target.normalisation, settings, side, cache).take(indices)
    notes = () if question.data is None else (*loaded.images.notes, *far_off(images))
    notes = (*notes, *_grouped(loaded, indices), *_resized(side, variant))
    labels, names = None, None
    why_not = _why_no_labels(loaded, target)
    if why_not is not None:
        _refuse_labels(why_not, question)
    elif len(loaded.images.class_names) == variant.num_classes:
        labels, names = torch.from_numpy(loaded.images.labels[indices]), loaded.images.class_names
    about = {
        "source": settings.source,
        "split": question.split,
        **loaded.hashes,
        "images": len(indices),
    }
    if side is not None:
        about["image_size"] = side
    ids = tuple(str(loaded.images.ids[index]) for index in indices)
    return ShownImages(images, labels, names, about, why_no_labels=why_not, notes=notes, ids=ids)


def _resized(side: int | None, variant: Variant) -> tuple[str, ...]:
    """In which size images are shown, if not in that of train images."""
    if side is None:
        return ()
    return (
        f"the images are shown at {side}x{side} pixels, as validation and test were read "
        f"(recipe.test_image_size); --split train shows images of {spell_size(variant.image_size)}",
    )


def _grouped(loaded: LoadedData, indices: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """What intervals over images presume where some of these belong together."""
    count = independent(loaded.images, indices)
    if loaded.images.groups is None or count == len(indices):
        return ()
    return (
        f"the {len(indices)} images are of {count} groups: intervals over images take them for "
        "independent, and are too narrow where those of one group are alike",
    )


def _why_no_labels(loaded: LoadedData, target: TargetNetwork) -> str | None:
    """Why the outputs of a trained network are not the images' classes; None if they are."""
    names, outputs = loaded.images.class_names, target.model.variant.num_classes
    if target.checkpoint is None or not outputs:
        return None
    learned = target.class_names or names
    if set(learned) != set(names):
        return (
            f"the network has learned the classes {_listed(learned)}, but the images are of "
            f"{_listed(names)}"
        )
    if len(names) != outputs:
        return (
            f"the network tells {outputs} classes apart, but the images are of {len(names)} "
            f"({_listed(names)})"
        )
    return None if learned == names else "the network has learned the classes in another order"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + ", ..." * (len(names) > 10)


def _refuse_labels(why_not: str, question: InspectQuestion) -> None:
    """Raise InputError where an inspection that needs labels was named."""
    for request, inspection in make_inspections(question.inspections or ()):
        if inspection.needs_labels:
            raise InputError(
                f"{request.name} asks how right the network is, but {why_not}; give images of the "
                "classes that it was trained on, or leave this inspection out"
            )


def _own_images(
    settings: DataSettings, question: InspectQuestion, target: TargetNetwork
) -> ShownImages:
    """Images of a LightningDataModule of the user's own, as it gives them."""
    from hybrid_swin.data.datamodule import make_datamodule
    from hybrid_swin.data.own_modules import drawn_alike

    variant = target.model.variant
    module = make_datamodule(settings, variant, 32, question.seed)
    check_own(module, question, target)
    with drawn_alike(module):
        module.setup("test" if question.split == "test" else "fit")
    loader = {
        "train": module.train_dataloader,
        "validation": module.val_dataloader,
        "test": module.test_dataloader,
    }[question.split]()
    images, labels, count = [], [], 0
    for batch_images, batch_labels in loader:
        images.append(batch_images)
        labels.append(batch_labels)
        count += len(batch_images)
        if count >= question.images:
            break
    if count < 2:
        raise InputError(f"{settings.class_path} gives {count} image(s); at least 2 are needed")
    x_BCHW = torch.cat(images)[: question.images]
    if x_BCHW.shape[1] != variant.in_channels:
        raise InputError(
            f"{settings.class_path} gives images of {x_BCHW.shape[1]} channel(s), but the network "
            f"takes {variant.in_channels}"
        )
    digest = hashlib.sha256(x_BCHW.contiguous().numpy().tobytes()).hexdigest()[:10]
    about = {
        "source": settings.class_path,
        "split": question.split,
        "data_hash": digest,
        "images": len(x_BCHW),
    }
    answers = torch.cat(labels)[: question.images].long() if variant.num_classes else None
    return ShownImages(x_BCHW, answers, None, about)


def _draw(available: int, question: InspectQuestion) -> np.ndarray[Any, Any]:
    """Which of the images of a split, so many as are asked for and there are."""
    if available < 2:
        raise InputError(
            f"the {question.split} split has {available} image(s), and at least 2 are needed; give "
            "another --split"
        )
    order = np.random.default_rng((question.seed, 1)).permutation(available)
    return order[: question.images]

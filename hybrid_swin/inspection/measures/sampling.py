"""How many images an inspection can afford, and whether it can ask how right the network is."""

import dataclasses

import numpy as np
import torch

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.subject import Subject

LEAST = 16
"""Images that are always taken: an interval over fewer says nothing."""


def affordable(subject: Subject, gmacs: float, passes: float) -> int:
    """Images that so many billions of multiply-accumulates allow, at least 16 (or all).

    ``passes`` is how often the whole network is run on each image.
    """
    variant = subject.model.variant
    nominal = variant.image_size[0] * variant.image_size[1]
    height, width = subject.images.shape[-2:]
    macs = count_cost(variant).macs * height * width / nominal
    count = int(gmacs * 1e9 / (macs * passes))
    return min(len(subject.images), max(LEAST, count))


def subset(subject: Subject, count: int) -> Subject:
    """The subject with ``count`` of its images, drawn by its seed, in their order."""
    total = len(subject.images)
    if count >= total:
        return subject
    drawn = np.random.Generator(np.random.Philox(subject.seed)).permutation(total)[:count]
    chosen = torch.from_numpy(np.sort(drawn))
    labels = None if subject.labels is None else subject.labels[chosen]
    return dataclasses.replace(subject, images=subject.images[chosen], labels=labels)


def limited_note(subject: Subject, used: Subject, option: str) -> list[str]:
    """A sentence where not all images were used, with the option that says how many."""
    if len(used.images) == len(subject.images):
        return []
    return [
        f"{len(used.images)} of {len(subject.images)} images were used, drawn by the seed; "
        f"raise {option} for more."
    ]


def why_no_accuracy(subject: Subject) -> str | None:
    """The reason why there is no accuracy to speak of, or None if there is one.

    Raises InputError for labels that the network has no class for.
    """
    if subject.labels is None:
        return "the images have no labels"
    if not subject.model.num_classes:
        return "the network has no classes"
    if not subject.trained:
        return "the network is not trained"
    lowest, highest = int(subject.labels.min()), int(subject.labels.max())
    if lowest < 0 or highest >= subject.model.num_classes:
        raise InputError(
            f"labels from {lowest} to {highest}, but the network has "
            f"{subject.model.num_classes} classes; give the data that it was trained for"
        )
    return None

"""What a network answers for the images of a subject."""

import torch
from torch import Tensor

from hybrid_swin.inspection.subject import Subject


@torch.no_grad()
def probabilities_of(subject: Subject) -> Tensor:
    """The probability of each class for each image, on the CPU. (N, K) float64."""
    logits = [subject.model(images).double().cpu() for images, _ in subject.batches()]
    return torch.cat(logits).softmax(dim=1)


def names_of(subject: Subject) -> tuple[str, ...]:
    """A name for each class: its own, else its number."""
    return subject.class_names or tuple(map(str, range(subject.model.num_classes)))

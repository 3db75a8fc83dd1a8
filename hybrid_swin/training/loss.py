"""The loss of classification, and the weights of its classes."""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from hybrid_swin.errors import InputError


def classification_loss(
    logits: Tensor,
    labels: Tensor,
    smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    opposite: Tensor | None = None,
    kept: float = 1.0,
) -> Tensor:
    """Smoothed cross entropy, weighted by each image's own class. A scalar.

    For B images with labels y, class probabilities p = softmax(logits), K classes and s =
    ``smoothing``::

        l_b  = - Σ_k t_bk log p_bk        t_bk = (1 - s) [k = y_b] + s / K
        loss = 1/B Σ_b w_{y_b} l_b

    The weight multiplies an image's whole loss, smoothing's share included. So the best answer to
    an image of class y, 1 - s + s / K for y and s / K for each other class, is the same for every
    weight. (torch's ``cross_entropy(weight=...)`` weighs each class's share of the target: a common
    class would be answered by the rare one.)

    The sum is divided by the number of images, not by the sum of their weights. With weights of
    mean 1 over the train split, an image then counts the same in every batch, of any size, and the
    mean over an epoch's images is the loss of the split. Divided by the weights, a batch of one
    class, or of one image, would undo them.

    An image that was mixed with one of class y', of which it ``kept`` the share λ, has the target
    λ t + (1 - λ) t', and likewise the weight λ w_y + (1 - λ) w_y': the best answer to it is its
    target, too.

    Logits are (B, K), labels (B,), weights (K,), all 1 if not given; ``opposite`` are the labels y'
    (B,), if images were mixed.
    """
    losses_B = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    weights_B = None if class_weights is None else class_weights[labels]
    if opposite is not None:
        # Cross entropy is linear in its target, so no target has to be built.
        others_B = functional.cross_entropy(
            logits, opposite, label_smoothing=smoothing, reduction="none"
        )
        losses_B = kept * losses_B + (1 - kept) * others_B
        if class_weights is not None and weights_B is not None:
            weights_B = kept * weights_B + (1 - kept) * class_weights[opposite]
    return losses_B.mean() if weights_B is None else (losses_B * weights_B).mean()


def check_class_numbers(what: str, numbers: Sequence[float], num_classes: int) -> None:
    """Refuse what cannot be one weight or count for each class. Raises InputError."""
    if len(numbers) != num_classes:
        raise InputError(
            f"{what}: {len(numbers)} numbers for num_classes {num_classes}; give one for each class"
        )
    if not all(0 <= number < math.inf for number in numbers) or not any(numbers):
        raise InputError(
            f"{what} must be numbers of at least 0, and one of them above 0; got "
            f"{str(numbers)[:100]}"
        )


def balanced_weights(class_counts: list[int]) -> list[float]:
    """Weights inverse to the train counts, of mean 1 over the train images.

    w_k = N / (P n_k) over the P classes that have images; 0 for one that has none.
    """
    total, present = sum(class_counts), sum(count > 0 for count in class_counts)
    return [total / (present * count) if count else 0.0 for count in class_counts]

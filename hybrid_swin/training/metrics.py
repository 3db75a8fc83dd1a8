"""What is measured on a validation or test split, one number each.

Classes are averaged with equal weight. Two classes are treated as K = 2, not as a positive class
and its absence, so that no number depends on which class is called positive.

Shapes: N images, K classes.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_recall,
)

TOP5_FROM_CLASSES = 10  # with fewer classes the five best are not an achievement
CALIBRATION_BINS = 15


def measure(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """All metrics of a split, from its logits (N, K) and labels (N,).

    ``loss`` (cross entropy without smoothing or class weights, so that it compares across recipes),
    ``accuracy``, ``top5`` (from 10 classes), ``f1`` (macro, over classes that occur as label or as
    answer), ``balanced_accuracy``, ``auroc``, ``calibration_error`` (expected, 15 equal bins).
    """
    log_probs = functional.log_softmax(logits.float(), dim=1)
    # Probabilities are passed, never logits: torchmetrics guesses from the values which of the two
    # it was given, and takes logits that happen to lie in [0, 1] for probabilities.
    probs = log_probs.exp()
    # Validation of arguments would read tensors back from the device.
    options: dict[str, Any] = {"num_classes": logits.shape[1], "validate_args": False}
    recalls = multiclass_recall(probs, labels, average="none", **options)
    scores = {
        "loss": functional.nll_loss(log_probs, labels, reduction="sum") / len(labels),
        "accuracy": multiclass_accuracy(probs, labels, average="micro", **options),
        "f1": multiclass_f1_score(probs, labels, average="macro", **options),
        # Of the classes that occur; torchmetrics' own mean counts one that is only answered as 0.
        "balanced_accuracy": recalls[labels.bincount(minlength=len(recalls)) > 0].mean(),
        "auroc": auroc(probs, labels),
        "calibration_error": multiclass_calibration_error(
            probs, labels, n_bins=CALIBRATION_BINS, **options
        ),
    }
    if logits.shape[1] >= TOP5_FROM_CLASSES:
        # torchmetrics' own spreads every image over all classes: for 50,000 images of 1,000 classes
        # it takes 10 s on one core, this 0.2 s.
        best = probs.topk(5, dim=1).indices
        scores["top5"] = (best == labels[:, None]).sum() / len(labels)
    return scores


def auroc(probs: Tensor, labels: Tensor) -> Tensor:
    """Mean over classes of the area under the ROC curve of that class against all others.

    Of a class with P images and N others it is the share of the P N pairs in which the image of the
    class has the higher probability; ties count half. Exact, no threshold grid (torchmetrics' own
    takes sixteen times as long for 1,000 classes). Only classes with an image in the split and one
    outside it enter the mean; a split of one class has none, and the value is 0.5.

    Source: On a test of whether one of two random variables is stochastically larger than the
    other, Mann and Whitney, 1947, https://doi.org/10.1214/aoms/1177730491
    """
    scores_KN, areas = probs.T.contiguous(), []
    for label in sorted(set(labels.tolist())):
        members = labels == label
        own, others = scores_KN[label, members], scores_KN[label, ~members].sort().values
        below = torch.searchsorted(others, own, right=False).sum()
        not_above = torch.searchsorted(others, own, right=True).sum()
        areas.append((below + not_above).double() / (2 * len(own) * len(others)))
    if len(areas) < 2:
        return torch.full((), 0.5, device=probs.device)
    return torch.stack(areas).mean().float()

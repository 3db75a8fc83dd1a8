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
    found = {
        "loss": functional.nll_loss(log_probs, labels, reduction="sum") / len(labels),
        "accuracy": multiclass_accuracy(probs, labels, average="micro", **options),
        "f1": multiclass_f1_score(probs, labels, average="macro", **options),
        "balanced_accuracy": balanced_accuracy(probs, labels),
        "auroc": auroc(probs, labels),
        "calibration_error": multiclass_calibration_error(
            probs, labels, n_bins=CALIBRATION_BINS, **options
        ),
    }
    if logits.shape[1] >= TOP5_FROM_CLASSES:
        # torchmetrics' own spreads every image over all classes: for 50,000 images of 1,000 classes
        # it takes 10 s on one core, this 0.2 s.
        best = probs.topk(5, dim=1).indices
        found["top5"] = (best == labels[:, None]).sum() / len(labels)
    return found


def balanced_accuracy(probs: Tensor, labels: Tensor) -> Tensor:
    """Mean of the recall over the classes that occur among the labels. (N, K) and (N,) -> ().

    A class without an image in the split is left out, as in scikit-learn; torchmetrics counts it
    as a recall of zero as soon as one image is taken for it.
    """
    counts = labels.bincount(minlength=probs.shape[1])
    hits = labels[probs.argmax(dim=1) == labels].bincount(minlength=probs.shape[1])
    occurs = counts > 0
    return (hits[occurs] / counts[occurs]).mean()


def auroc(probs: Tensor, labels: Tensor) -> Tensor:
    """Mean over classes of the area under the ROC curve of that class against all others.

    For a class with P images and N others, whose probabilities rank r_i among all (ties share
    their mean rank): AUC = (sum of r_i over the class - P (P + 1) / 2) / (P N). Exact, no threshold
    grid. Only classes with an image in the split and one outside it have an AUC and enter the mean;
    where no class has (a split of one class) there is nothing to rank and the value is 0.5.

    Source: On a test of whether one of two random variables is stochastically larger than the
    other, Mann and Whitney, 1947, https://doi.org/10.1214/aoms/1177730491
    """
    scores_KN = probs.T.contiguous()
    counts = labels.bincount(minlength=len(scores_KN))
    defined = (counts > 0) & (counts < len(labels))
    if not bool(defined.any()):
        return torch.full((), 0.5, device=probs.device)
    sums = torch.zeros(len(scores_KN), dtype=torch.float64, device=probs.device)
    sums.index_add_(0, labels, _rank_of_own_class(scores_KN, labels))
    positives = counts[defined].double()
    areas = sums[defined] - positives * (positives + 1) / 2
    return (areas / (positives * (len(labels) - positives))).mean().float()


def _rank_of_own_class(scores_KN: Tensor, labels_N: Tensor) -> Tensor:
    """Each image's rank, from 1, among all images' scores for that image's own class. (N,)."""
    ranks_N = torch.empty(len(labels_N), dtype=torch.float64, device=scores_KN.device)
    for label, row_N in enumerate(scores_KN.sort(dim=1).values):
        members = labels_N == label
        own = scores_KN[label, members]
        below = torch.searchsorted(row_N, own, right=False)
        not_above = torch.searchsorted(row_N, own, right=True)
        ranks_N[members] = (below + not_above + 1).double() / 2
    return ranks_N

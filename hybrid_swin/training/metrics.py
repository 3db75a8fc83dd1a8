"""What is measured on a validation or test split, one number each.

Every metric takes probabilities (``preds``, (B, K)), labels (``target``, (B,)) and the logits'
log-softmax (``log_probs``, (B, K)) by keyword and picks what it needs; K counts classes.
Classes are averaged with equal weight. Two classes are treated as K = 2, not as a positive class
and its absence, so that no number depends on which class is called positive.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
)
from torchmetrics.utilities import dim_zero_cat

TOP5_FROM_CLASSES = 10  # with fewer classes the five best are no achievement
CALIBRATION_BINS = 15


def make_metrics(num_classes: int) -> MetricCollection:
    """The collection, without a prefix: ``clone(prefix="val/")`` it for each split.

    ``loss`` (cross entropy without smoothing or class weights, so that it compares across recipes),
    ``accuracy``, ``top5`` (from 10 classes), ``f1`` (macro, over classes that occur as label or as
    answer), ``balanced_accuracy``, ``auroc``, ``calibration_error`` (expected, 15 equal bins).
    """
    # Validation of arguments would read tensors back from the device at every update.
    options: dict[str, Any] = {"num_classes": num_classes, "validate_args": False}
    metrics: dict[str, Metric | MetricCollection] = {
        "loss": CrossEntropy(),
        "accuracy": MulticlassAccuracy(average="micro", **options),
        "f1": MulticlassF1Score(average="macro", **options),
        "balanced_accuracy": BalancedAccuracy(num_classes),
        "auroc": Auroc(num_classes),
        "calibration_error": MulticlassCalibrationError(n_bins=CALIBRATION_BINS, **options),
    }
    if num_classes >= TOP5_FROM_CLASSES:
        metrics["top5"] = TopKAccuracy(5)
    return MetricCollection(metrics, compute_groups=True)


def update(metrics: MetricCollection, logits: Tensor, labels: Tensor) -> None:
    """Give one batch, or a whole split at once, to all metrics."""
    log_probs = functional.log_softmax(logits.float(), dim=1)
    # Probabilities are passed, never logits: torchmetrics guesses from the values which of the two
    # it was given, and takes logits that happen to lie in [0, 1] for probabilities.
    metrics.update(preds=log_probs.exp(), target=labels, log_probs=log_probs)


class CrossEntropy(Metric):
    """Mean over images of -log p(label)."""

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, log_probs: Tensor, target: Tensor) -> None:
        """Add images. (B, K) and (B,)."""
        self.total += functional.nll_loss(log_probs, target, reduction="sum").double()
        self.count += target.numel()

    def compute(self) -> Tensor:
        """The mean so far."""
        return (self.total / self.count).float()


class TopKAccuracy(Metric):
    """Share of images whose label is among the k best answers.

    torchmetrics' own spreads every image over all classes (10 s for 50,000 images of 1,000 classes
    on one core, where this takes 0.2 s).
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    hits: Tensor
    count: Tensor

    def __init__(self, top_k: int) -> None:
        super().__init__()
        self.top_k = top_k
        for name in ("hits", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add images. (B, K) and (B,)."""
        best = preds.topk(self.top_k, dim=1).indices
        self.hits += (best == target[:, None]).sum()
        self.count += target.numel()

    def compute(self) -> Tensor:
        """The share so far."""
        return self.hits / self.count


class BalancedAccuracy(Metric):
    """Mean of the recall over the classes that occur among the labels.

    A class without an image in the split is left out, as in scikit-learn; torchmetrics counts it
    as a recall of zero as soon as one image is taken for it.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    hits: Tensor
    counts: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        for name in ("hits", "counts"):
            zeros = torch.zeros(num_classes, dtype=torch.int64)
            self.add_state(name, zeros, dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add images. (B, K) and (B,)."""
        right = target[preds.argmax(dim=1) == target]
        self.hits += torch.bincount(right, minlength=self.num_classes)
        self.counts += torch.bincount(target, minlength=self.num_classes)

    def compute(self) -> Tensor:
        """The mean recall so far."""
        occurs = self.counts > 0
        return (self.hits[occurs] / self.counts[occurs]).mean()


class Auroc(Metric):
    """Mean over classes of the area under the ROC curve of that class against all others.

    For a class with P images and N others, whose probabilities rank r_i among all (ties share
    their mean rank): AUC = (sum of r_i over the class - P (P + 1) / 2) / (P N). Exact, no threshold
    grid. Only classes with an image in the split and one outside it have an AUC and enter the mean;
    where no class has (a split of one class) there is nothing to rank and the value is 0.5.

    Source: On a test of whether one of two random variables is stochastically larger than the
    other, Mann and Whitney, 1947, https://doi.org/10.1214/aoms/1177730491
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    preds: list[Tensor]
    target: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("preds", [], dist_reduce_fx="cat")
        self.add_state("target", [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add images. (B, K) and (B,)."""
        self.preds.append(preds)
        self.target.append(target)

    def compute(self) -> Tensor:
        """The mean area so far."""
        scores_KN = dim_zero_cat(self.preds).T.contiguous()
        target_N = dim_zero_cat(self.target)
        counts = torch.bincount(target_N, minlength=self.num_classes)
        defined = (counts > 0) & (counts < target_N.numel())
        if not bool(defined.any()):
            return torch.full((), 0.5, device=scores_KN.device)
        ranks_N = _rank_of_own_class(scores_KN, target_N)
        sums = torch.zeros(self.num_classes, dtype=torch.float64, device=ranks_N.device)
        sums.index_add_(0, target_N, ranks_N)
        positives = counts[defined].double()
        areas = sums[defined] - positives * (positives + 1) / 2
        return (areas / (positives * (target_N.numel() - positives))).mean().float()


def _rank_of_own_class(scores_KN: Tensor, target_N: Tensor) -> Tensor:
    """Each image's rank, from 1, among all images' scores for that image's own class."""
    sorted_KN = scores_KN.sort(dim=1).values
    order_N = target_N.argsort(stable=True)
    counts = torch.bincount(target_N, minlength=len(scores_KN))
    own_N = scores_KN.gather(0, target_N[None])[0][order_N]
    ranks = torch.empty_like(own_N, dtype=torch.float64)
    start = 0
    for row, count in zip(sorted_KN, counts.tolist(), strict=True):
        own = own_N[start : start + count]
        below = torch.searchsorted(row, own, right=False)
        not_above = torch.searchsorted(row, own, right=True)
        ranks[start : start + count] = (below + not_above + 1) / 2
        start += count
    return torch.empty_like(ranks).index_copy_(0, order_N, ranks)

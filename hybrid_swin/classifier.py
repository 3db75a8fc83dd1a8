"""The LightningModule: one variant trained by one recipe to tell classes apart."""

import math
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional
from torchmetrics import MetricCollection

from hybrid_swin.augmentation import augment
from hybrid_swin.batches import Batch
from hybrid_swin.errors import InputError
from hybrid_swin.metrics import make_metrics, update
from hybrid_swin.model import HybridSwin
from hybrid_swin.optimization import make_optimizer, make_schedule
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant

# Reading the loss back stops a GPU's queue; on a CPU it costs nothing.
STEPS_BETWEEN_LOSS_CHECKS = 50


class DivergedError(RuntimeError):
    """The loss or the logits stopped being finite."""


class Classifier(L.LightningModule):
    """Images (B, C, H, W) and labels (B,) in; cross entropy down.

    Everything logged is logged once an epoch: ``train/loss`` (as optimised: smoothed and weighted)
    and the metrics of ``make_metrics`` under ``val/`` and ``test/``.

    Args:
        variant: as ``Variant.to_dict`` gives it.
        recipe: as ``Recipe.to_dict`` gives it.
        class_weights: factor of each class's loss; none leaves it to the recipe, which weighs all
            images the same or takes the counts of the data module.

    Raises:
        InputError: fewer than two classes, or weights of another number than classes.
    """

    class_weights: Tensor | None
    _loss_sum: Tensor

    def __init__(
        self,
        variant: Mapping[str, Any],
        recipe: Mapping[str, Any],
        class_weights: list[float] | None = None,
    ) -> None:
        super().__init__()
        # Plain dicts and lists: a checkpoint with them loads with weights_only=True.
        self.save_hyperparameters(
            {"variant": dict(variant), "recipe": dict(recipe), "class_weights": class_weights}
        )
        self.variant = Variant.from_dict(variant)
        self.recipe = Recipe.from_dict(recipe)
        check_classes(self.variant, class_weights)
        self.model = HybridSwin(self.variant, self.recipe.drop_path, self.recipe.weight_init)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        metrics = make_metrics(self.variant.num_classes)
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        # Sums of the epoch so far; on the device, so that a step needs no transfer.
        self.register_buffer("_loss_sum", torch.zeros(()), persistent=False)
        self._images_seen = 0
        self._read: list[dict[str, Tensor]] = []

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes)."""
        logits: Tensor = self.model(images)
        return logits

    def setup(self, stage: str) -> None:
        """Agree with the data module: its classes, and its counts where the recipe balances them.

        Raises:
            InputError: another number of classes, or no ``class_counts`` to balance by.
        """
        data = getattr(self.trainer, "datamodule", None)
        classes = getattr(data, "num_classes", self.variant.num_classes)
        if classes != self.variant.num_classes:
            raise InputError(
                f"num_classes {self.variant.num_classes} does not fit the data's {classes} "
                f"classes; set num_classes: {classes}"
            )
        if stage != "fit" or self.recipe.class_weights == "none" or self.class_weights is not None:
            return
        counts = getattr(data, "class_counts", None)
        if counts is None:
            raise InputError(
                "class_weights 'balanced' needs a data module with class_counts (train images of "
                "each class); add them or choose class_weights 'none'"
            )
        weights = balanced_weights([int(count) for count in counts])
        self.class_weights = torch.tensor(weights, device=self._loss_sum.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step's loss. Raises DivergedError where it is not finite."""
        images, labels = batch
        logits = self.model(augment(images, self.recipe.shift, self.recipe.flip))
        loss = functional.cross_entropy(
            logits.float(),
            labels,
            weight=self.class_weights,
            label_smoothing=self.recipe.label_smoothing,
        )
        self._loss_sum.add_(loss.detach(), alpha=len(labels))
        self._images_seen += len(labels)
        last = self.trainer.is_last_batch
        if last or loss.device.type == "cpu" or batch_idx % STEPS_BETWEEN_LOSS_CHECKS == 0:
            self._check_loss()
        if last:  # here, so that callbacks see it in their own on_train_epoch_end
            self._log_train_loss()
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the loss of an epoch that a callback cut short."""
        if self._images_seen:
            self._log_train_loss()

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """``logits`` in float32 (B, num_classes) and ``labels`` (B,)."""
        return self._read_batch(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """``logits`` in float32 (B, num_classes) and ``labels`` (B,)."""
        return self._read_batch(batch)

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted reading left."""
        self._read.clear()

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted reading left."""
        self._read.clear()

    def on_validation_epoch_end(self) -> None:
        """Log the validation split's metrics."""
        self._log_metrics(self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Log the test split's metrics."""
        self._log_metrics(self.test_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, and its schedule stepped once an optimiser step."""
        steps = self.trainer.estimated_stepping_batches  # -1 or infinite where unknown
        if not 0 <= steps < math.inf:
            raise InputError(
                "the train loader has no length, so the learning rate cannot be scheduled; "
                "give it a __len__"
            )
        if steps == 0:
            raise InputError("the train loader gives no batch; there is nothing to train on")
        steps_per_epoch = max(1, int(steps) // max(1, self.trainer.max_epochs or 1))
        # A fused step saves about 1 ms on a CPU, but Lightning refuses to clip its gradients under
        # automatic mixed precision.
        fused = self.trainer.precision == "32-true" and self.device.type in ("cpu", "cuda")
        optimizer = make_optimizer(self.model, self.recipe, fused=fused)
        schedule = make_schedule(optimizer, self.recipe, steps_per_epoch)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _read_batch(self, batch: Batch) -> dict[str, Tensor]:
        images, labels = batch
        read = {"logits": self.model(images).float(), "labels": labels}
        self._read.append(read)
        return read

    def _log_metrics(self, metrics: MetricCollection) -> None:
        """All metrics, once over the split: each batch would cost them as much as the network."""
        logits = torch.cat([read["logits"] for read in self._read])
        labels = torch.cat([read["labels"] for read in self._read])
        self._read.clear()
        if not bool(torch.isfinite(logits).all()):
            raise DivergedError("the network's answers are not finite")
        update(metrics, logits, labels)
        self.log_dict(metrics.compute(), batch_size=len(labels))
        metrics.reset()

    def _check_loss(self) -> None:
        if not torch.isfinite(self._loss_sum).item():
            raise DivergedError(f"the train loss is not finite in epoch {self.current_epoch + 1}")

    def _log_train_loss(self) -> None:
        self.log(
            "train/loss",
            self._loss_sum / self._images_seen,
            on_step=False,
            on_epoch=True,
            batch_size=1,
            sync_dist=True,
        )
        self._loss_sum.zero_()
        self._images_seen = 0


def check_classes(variant: Variant, class_weights: list[float] | None = None) -> None:
    """Refuse what cannot be classified. Raises InputError."""
    if variant.num_classes < 2:
        raise InputError(
            f"num_classes {variant.num_classes} leaves nothing to tell apart; choose at least 2 "
            "(two classes are num_classes 2, not 1)"
        )
    if class_weights is not None and len(class_weights) != variant.num_classes:
        raise InputError(
            f"{len(class_weights)} class weights for num_classes {variant.num_classes}; "
            "give one for each class"
        )


def balanced_weights(class_counts: list[int]) -> list[float]:
    """Weights inverse to the train counts, of mean 1 over the train images.

    w_k = N / (P n_k) over the P classes that have images; 0 for one that has none.
    """
    total, present = sum(class_counts), sum(count > 0 for count in class_counts)
    return [total / (present * count) if count else 0.0 for count in class_counts]

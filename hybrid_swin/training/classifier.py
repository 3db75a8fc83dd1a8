"""The LightningModule: one variant trained by one recipe to tell classes apart."""

import math
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from hybrid_swin.data.batches import Batch
from hybrid_swin.data.own_modules import count_classes
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.whole_batch import Generators, Share, as_whole
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.freezing import freeze, hold
from hybrid_swin.training.loss import balanced_weights, check_class_numbers, classification_loss
from hybrid_swin.training.metrics import measure
from hybrid_swin.training.optimization import make_optimizer, make_schedule
from hybrid_swin.training.train_images import TrainImages

SharedBatch = tuple[Tensor, Tensor, Share]  # a share's images and labels, and which it is

# Reading the loss back stops a GPU's queue, and several devices must wait for each other to do it;
# on one CPU it costs nothing.
STEPS_BETWEEN_LOSS_CHECKS = 50


class DivergedError(RuntimeError):
    """The loss or the logits stopped being finite."""


class Classifier(L.LightningModule):
    """Images (B, C, H, W) and labels (B,) in; cross entropy down.

    Everything logged is logged once an epoch: ``train/loss`` (as optimised: smoothed and weighted)
    and the metrics of ``measure`` under ``val/`` and ``test/``.

    Args:
        variant: as ``Variant.to_dict`` gives it.
        recipe: as ``Recipe.to_dict`` gives it.
        class_weights: factor of the loss of each class's images; not given, the recipe decides:
            all the same, or from the counts of the data module.

    Raises:
        InputError: fewer than two classes, weights of another number than classes, or weights that
            are negative, not finite or all zero.
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
        self.model = HybridSwin(
            self.variant,
            self.recipe.drop_path,
            self.recipe.weight_init,
            zero_init_residual=self.recipe.zero_init_residual,
        )
        self._weights = class_weights
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self._counted: list[int] = []  # train images by class, where the weights are theirs
        # Sums of the epoch so far; on the device, so that a step needs no transfer.
        self.register_buffer("_loss_sum", torch.zeros(()), persistent=False)
        self._images_seen = 0
        self._read: list[dict[str, Tensor]] = []
        self._places: list[Tensor] = []  # in the split, of what was read
        self._generators = Generators()
        self._train_images = TrainImages(self.recipe, self.variant.in_channels)
        self.from_file: frozenset[str] = frozenset()  # names of the model's first weights
        self._held: list[torch.nn.Module] = []  # of which nothing trains

    def start_from(self, names: frozenset[str]) -> None:
        """Say which of the model's weights came from a file; those of frozen stages stay."""
        self.from_file = names
        self._held = freeze(self.model, self.recipe.freeze, names)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes)."""
        logits: Tensor = self.model(images)
        return logits

    def setup(self, stage: str) -> None:
        """Agree with the data module: its classes, and its counts where the recipe balances them.

        Raises InputError for other classes, or no usable ``class_counts`` to balance by.
        """
        data = getattr(self.trainer, "datamodule", None)
        for name, classes in count_classes(data):
            if classes != self.variant.num_classes:
                raise InputError(
                    f"num_classes {self.variant.num_classes} does not fit the data's {classes} "
                    f"classes ({name} of the data module); set num_classes: {classes}"
                )
        if stage == "fit":
            self._train_images.prepare(data)
        if stage != "fit" or self.recipe.class_weights == "none" or self.class_weights is not None:
            return
        counts = getattr(data, "class_counts", None)
        if counts is None:
            raise InputError(
                "class_weights 'balanced' needs a data module with class_counts (train images of "
                "each class); add them or choose class_weights 'none'"
            )
        self._counted = [int(count) for count in counts]
        check_class_numbers(
            "class_counts of the data module", self._counted, self.variant.num_classes
        )
        self._weights = balanced_weights(self._counted)
        self.class_weights = torch.tensor(self._weights, device=self._loss_sum.device)

    def on_train_start(self) -> None:
        """Fill the buffers that no checkpoint holds, which a strategy may have emptied."""
        self._loss_sum.zero_()
        if self._weights is not None:
            self.class_weights = torch.tensor(self._weights, device=self._loss_sum.device)

    def on_train_epoch_start(self) -> None:
        """Hold frozen parts, which validation or a strategy may have set to train."""
        hold(self._held)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the variant that the network has by now, such as with a source's rules."""
        kept = checkpoint.get("hyper_parameters", {})
        checkpoint["hyper_parameters"] = dict(kept) | {"variant": self.model.variant.to_dict()}

    def training_step(self, batch: Batch | SharedBatch, batch_idx: int) -> Tensor:
        """One step's loss; of a share of a batch, times the share's weight.

        Raises:
            DivergedError: it is not finite.
            InputError: an image of a class that ``class_counts`` says has none; its weight would
                be 0, and it would not be learned.
        """
        images, labels, share = _parts(batch)
        if 0 in self._counted:
            self._check_labels(labels)
        if share is not None:
            self._generators.turn(share, images.device)
        given = self._train_images(images, labels, share)
        with as_whole(share):
            logits = self.model(given.images)
        loss = classification_loss(
            logits.float(),
            given.labels,
            self.recipe.label_smoothing,
            self.class_weights,
            given.opposite,
            given.kept,
        )
        count = len(labels) if share is None else share.size
        self._loss_sum.add_(loss.detach(), alpha=count)
        self._images_seen += count
        last = self.trainer.is_last_batch
        is_free = loss.device.type == "cpu" and self.trainer.world_size == 1
        if last or is_free or batch_idx % STEPS_BETWEEN_LOSS_CHECKS == 0:
            self._check_loss()
        if last:  # here, so that callbacks see it in their own on_train_epoch_end
            self._log_train_loss()
        if share is not None:
            loss = loss * share.weight
        if self.recipe.accumulate_batches > 1:
            turns = 1 if share is None else share.turns
            batches = int(self.trainer.num_training_batches) // turns
            loss = loss * step_weight(self.recipe.accumulate_batches, batch_idx // turns, batches)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the loss of an epoch that a callback cut short."""
        if self._images_seen:
            self._log_train_loss()

    def validation_step(self, batch: Batch | SharedBatch, batch_idx: int) -> dict[str, Tensor]:
        """``logits`` in float32 (B, num_classes) and ``labels`` (B,)."""
        if batch_idx == 0:  # what an interrupted reading left
            self._read.clear()
            self._places.clear()
        images, labels, share = _parts(batch)
        logits = self.model(images).float()
        if share is not None:
            logits, labels = logits[: share.size], labels[: share.size]
            first = share.before + share.begin
            self._places.append(torch.arange(first, first + share.size, device=logits.device))
        read = {"logits": logits, "labels": labels}
        self._read.append(read)
        return read

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Log the validation split's metrics."""
        self._log_metrics("val/")

    def on_test_epoch_end(self) -> None:
        """Log the test split's metrics."""
        self._log_metrics("test/")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The recipe's optimizer, and its schedule stepped once an optimiser step."""
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
        optimizer = make_optimizer(self.model, self.recipe, fused=fused, from_file=self.from_file)
        schedule = make_schedule(optimizer, self.recipe, steps_per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _log_metrics(self, prefix: str) -> None:
        """All metrics, once over the split: each batch would cost them as much as the network."""
        logits, labels = (
            self._of_all_devices(torch.cat([read[name] for read in self._read]))
            for name in ("logits", "labels")
        )
        if self._places:  # in the split's order, as one device reads it
            order = self._of_all_devices(torch.cat(self._places)).argsort()
            logits, labels = logits[order], labels[order]
        self._read.clear()
        self._places.clear()
        if not bool(torch.isfinite(logits).all()):
            raise DivergedError("the network's answers are not finite")
        metrics = {f"{prefix}{name}": value for name, value in measure(logits, labels).items()}
        self.log_dict(metrics, batch_size=len(labels))

    def _check_labels(self, labels: Tensor) -> None:
        for label in set(labels.tolist()):
            if not self._counted[label]:
                raise InputError(
                    f"class_counts of the data module says that class {label} has no train image, "
                    "but its train loader gave one; correct class_counts"
                )

    def _check_loss(self) -> None:
        """On all devices at once: one that went on alone would wait for the others for ever."""
        if not torch.isfinite(self._over_devices(self._loss_sum)).item():
            raise DivergedError(f"the train loss is not finite in epoch {self.current_epoch + 1}")

    def _log_train_loss(self) -> None:
        seen: Tensor | int = self._images_seen
        if self.trainer.world_size > 1:
            seen = self._over_devices(torch.tensor(float(seen), device=self._loss_sum.device))
        loss = self._over_devices(self._loss_sum) / seen
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=1)
        self._loss_sum.zero_()
        self._images_seen = 0

    def _over_devices(self, number: Tensor) -> Tensor:
        """The sum of a number that each device has."""
        if self.trainer.world_size == 1:
            return number
        total: Tensor = self.trainer.strategy.reduce(number.clone(), reduce_op="sum")
        return total

    def _of_all_devices(self, rows: Tensor) -> Tensor:
        """The rows that each device has of a split, together."""
        if self.trainer.world_size == 1:
            return rows
        return torch.cat(gather_all_tensors(rows))


def _parts(batch: Batch | SharedBatch) -> tuple[Tensor, Tensor, Share | None]:
    images, labels, *share = batch
    return images, labels, share[0] if share else None


def step_weight(full: int, batch: int, batches: int) -> float:
    """Factor of a batch's loss that makes a step's gradient the mean of its batches' gradients.

    Lightning divides by ``full``, which is how many batches a step has. The last step of an epoch
    of ``batches`` may have fewer. ``batch`` counts from 0.
    """
    return full / min(full, batches - batch // full * full)


def check_classes(variant: Variant, class_weights: list[float] | None = None) -> None:
    """Refuse what cannot be classified. Raises InputError."""
    if variant.num_classes < 2:
        raise InputError(
            f"num_classes {variant.num_classes} leaves nothing to tell apart; choose at least 2 "
            "(two classes are num_classes 2, not 1)"
        )
    if class_weights is not None:
        check_class_numbers("class weights", class_weights, variant.num_classes)

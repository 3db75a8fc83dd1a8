"""What a training answered on validation and test, kept in its attempt's folder by the worker."""

from pathlib import Path
from typing import Any, cast

import lightning.pytorch as L
import numpy as np
import torch

from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.training.fit import Evaluation, evaluate
from hybrid_swin.training.prediction.calibration import Calibration
from search.records.predictions import write_predictions
from search.records.validation import save_answers


class ValidationAnswers(L.Callback):
    """Keeps which images the last reading of the validation split got right.

    Args:
        calibrates: whether the temperature of the network's probabilities is wanted as well, for
            which logits are kept until the end.
    """

    def __init__(self, calibrates: bool = False) -> None:
        self._calibrates = calibrates
        self._batches: list[torch.Tensor] = []
        self._logits: list[torch.Tensor] = []
        self._labels: list[torch.Tensor] = []

    def forget(self) -> None:
        """Let the split be read again."""
        for kept in (self._batches, self._logits, self._labels):
            kept.clear()

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget the epoch before."""
        self.forget()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Take a batch's answers."""
        self._batches.append(outputs["logits"].argmax(dim=1) == outputs["labels"])
        if self._calibrates:
            self._logits.append(outputs["logits"].float().cpu())
            self._labels.append(outputs["labels"].cpu())

    def save(
        self,
        folder: Path,
        checkpoint: Path,
        data: L.LightningDataModule,
        accelerator: str,
        micro_batches: int = 1,
    ) -> None:
        """Write them into an attempt's folder, and a calibration, unless the images have no names.

        They are read again where this callback has not seen them all: the training ended in an
        earlier attempt, several devices shared the split, or an earlier epoch's weights are kept.
        """
        if not isinstance(data, ImageData):
            return
        index, images = data.splits.validation, data.images
        right = np.array([one for batch in self._batches for one in batch.tolist()], dtype=bool)
        if len(right) != len(index):
            how: dict[str, Any] = {"accelerator": accelerator, "micro_batches": micro_batches}
            reading = evaluate(checkpoint, data, "validation", **how)
            right = reading.logits.argmax(axis=1) == reading.labels
            logits, labels = reading.logits, reading.labels
        elif self._calibrates:
            logits, labels = (torch.cat(x).numpy() for x in (self._logits, self._labels))
        if self._calibrates:
            Calibration.of(logits, labels, checkpoint).save(checkpoint.parent)
        groups = None if images.groups is None else [str(images.groups[i]) for i in index]
        save_answers(folder, right, [str(images.ids[i]) for i in index], groups)


def save_test_answers(folder: Path, data: L.LightningDataModule, reading: Evaluation) -> None:
    """Logits of the test split in the attempt's folder, with ids and groups if they are known."""
    known: dict[str, Any] = {}
    if isinstance(data, ImageData):
        index = data.splits.test
        known["ids"] = np.array([data.images.ids[i] for i in index])
        if data.images.groups is not None:
            known["groups"] = np.array([data.images.groups[i] for i in index])
    else:
        known["ids"] = np.array([str(i) for i in range(len(reading.labels))])
    arrays = {"labels": reading.labels, "logits": cast(Any, reading.logits), **known}
    write_predictions(folder, arrays)

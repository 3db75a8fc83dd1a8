"""When a training ends early, and which epoch it keeps."""

from types import SimpleNamespace

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.training.early_stopping import EarlyStopping

NAN = float("nan")


def epochs(scores, patience, mode="max", stopping=None, first=0):
    """Tell it one score after another until it ends the training."""
    weight = torch.zeros(1)
    stopping = stopping or EarlyStopping(patience, "val/x", mode, lambda module: {"w": weight})
    trainer = SimpleNamespace(should_stop=False, strategy=SimpleNamespace(broadcast=bool))
    for epoch, score in enumerate(scores[first:], start=first):
        weight.fill_(epoch + 1)
        trainer.current_epoch = epoch
        trainer.callback_metrics = {"val/x": torch.tensor(score)}
        stopping.on_train_epoch_end(trainer, None)
        if trainer.should_stop:
            return stopping, epoch + 1
    return stopping, None


@pytest.mark.parametrize(
    ("scores", "patience", "mode", "kept", "ended"),
    [
        ([1, 2, 3, 4], 1, "max", 4, None),
        ([1, 3, 2, 2.5, 4], 2, "max", 2, 4),
        ([1, 3, 2, 4, 2, 2], 2, "max", 4, 6),
        ([1, 3, 3, 3, 3], 3, "max", 2, 5),  # an equal score is not a better one
        ([3, 1, 2], 1, "min", 2, 3),
        ([NAN, NAN, 1, NAN], 3, "min", 3, None),
        ([NAN, NAN, NAN], 2, "max", 1, 3),
    ],
)
def test_it_counts_epochs_without_a_better_score(scores, patience, mode, kept, ended):
    stopping, last = epochs(scores, patience, mode)
    assert (stopping.epoch, last) == (kept, ended)
    assert stopping.weights["w"].item() == kept and stopping.has_ended == (ended is not None)


def test_it_goes_on_from_its_state_as_if_never_interrupted():
    scores = [1, 3, 2, 2.5, 4]
    saved = epochs(scores[:3], 2)[0].state()
    weight = torch.zeros(1)
    again = EarlyStopping(2, "val/x", "max", lambda module: {"w": weight})
    again.restore(saved)
    assert epochs(scores, 2, stopping=again, first=3)[1] == 4
    assert again.weights["w"].item() == 2


def test_a_metric_that_is_not_logged_is_said():
    stopping = EarlyStopping(1, "val/y", "max", dict)
    trainer = SimpleNamespace(current_epoch=0, callback_metrics={"train/loss": 1.0})
    with pytest.raises(InputError, match=r"early_stopping watches 'val/y'.*train/loss"):
        stopping.on_train_epoch_end(trainer, None)

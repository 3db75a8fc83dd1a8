"""Metrics against scikit-learn and against definitions written out."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from hybrid_swin.training.metrics import measure


def measured(logits, labels):
    return {name: float(value) for name, value in measure(logits, labels).items()}


def example(num_classes, images=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, num_classes, generator=generator) * 2
    labels = torch.randint(num_classes, (images,), generator=generator)
    logits[torch.arange(images), labels] += 1.0
    return logits, labels


def calibration_error(probabilities, labels):
    confidence, answer = probabilities.max(1), probabilities.argmax(1)
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            gap = (answer == labels)[inside].mean() - confidence[inside].mean()
            total += inside.mean() * abs(gap)
    return total


@pytest.mark.parametrize("num_classes", [2, 3, 12])
def test_agrees_with_scikit_learn(num_classes):
    logits, labels = example(num_classes)
    got = measured(logits, labels)
    p, y = logits.double().softmax(1).numpy(), labels.numpy()
    answer = p.argmax(1)
    expected = {
        "loss": reference.log_loss(y, p),
        "accuracy": reference.accuracy_score(y, answer),
        "f1": reference.f1_score(y, answer, average="macro"),
        "balanced_accuracy": reference.balanced_accuracy_score(y, answer),
        "auroc": reference.roc_auc_score(y, p[:, 1] if num_classes == 2 else p, multi_class="ovr"),
        "calibration_error": calibration_error(p, y),
    }
    if num_classes >= 10:
        expected["top5"] = reference.top_k_accuracy_score(y, p, k=5)
    assert got == pytest.approx(expected, abs=1e-6)


def test_two_classes_do_not_depend_on_which_is_called_first():
    logits, labels = example(2)
    assert measured(logits.flip(1), 1 - labels) == pytest.approx(measured(logits, labels))


def test_a_class_that_is_absent_is_left_out():
    logits, labels = example(4)
    labels[labels == 3] = 0  # though some answers are 3
    got = measured(logits, labels)
    p, y = logits.double().softmax(1).numpy(), labels.numpy()
    recalls = [(p.argmax(1) == k)[y == k].mean() for k in range(3)]
    areas = [reference.roc_auc_score(y == k, p[:, k]) for k in range(3)]
    assert (p.argmax(1) == 3).any()
    assert got["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert got["auroc"] == pytest.approx(np.mean(areas))


def test_a_split_of_one_class_gives_no_warning_and_finite_numbers():
    logits, _ = example(3, 20)
    got = measured(logits, torch.ones(20, dtype=torch.int64))
    assert got["auroc"] == 0.5
    assert all(np.isfinite(value) for value in got.values())


def test_one_image():
    got = measured(torch.tensor([[0.0, 5.0]]), torch.tensor([1]))
    assert got["accuracy"] == got["balanced_accuracy"] == 1.0
    assert all(np.isfinite(value) for value in got.values())


def test_ties_count_half():
    labels = torch.tensor([0, 0, 1, 1])
    assert measured(torch.zeros(4, 2), labels)["auroc"] == 0.5
    half = torch.tensor([[0.0, 0], [0, 0], [0, 0], [0, 1]])  # one of two positives is above
    assert measured(half, labels)["auroc"] == pytest.approx(0.75)


def test_logits_between_0_and_1_are_still_logits():
    logits = torch.tensor([[0.2, 0.9], [0.8, 0.1]])
    got = measured(logits, torch.tensor([1, 0]))
    confidence = logits.softmax(1).max(1).values
    assert got["calibration_error"] == pytest.approx(float((1 - confidence).mean()))

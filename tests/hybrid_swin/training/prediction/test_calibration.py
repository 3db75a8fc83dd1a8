"""Temperatures: the least loss, and nothing where images tell none."""

import json

import numpy as np
import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.training.prediction.calibration import (
    CALIBRATION_FILE,
    Calibration,
    calibration_error,
    fit_temperature,
    probabilities,
    read_calibration,
)
from hybrid_swin.training.prediction.trained_calibration import calibrated


def answered(count=4000, classes=5, temperature=1.0, seed=0):
    """Logits, and labels drawn from their probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    p = probabilities(logits, temperature)
    labels = (p.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return logits.astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_it_finds_the_temperature_that_labels_were_drawn_at(temperature):
    logits, labels = answered(temperature=temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


def test_no_other_temperature_has_less_loss():
    logits, labels = answered(300, temperature=2.0)
    best = fit_temperature(logits, labels)
    rows = np.arange(len(labels))

    def loss(t):
        return -np.log(probabilities(logits, t)[rows, labels]).mean()

    assert loss(best) < min(loss(best * factor) for factor in (0.5, 0.99, 1.01, 2))


def test_error_falls_and_answers_stay(tmp_path):
    logits, labels = answered(temperature=3.0)
    temperature = fit_temperature(logits, labels)
    before = calibration_error(logits, labels)
    after = calibration_error(logits / temperature, labels)
    assert before > 0.2 and after < 0.03
    assert (probabilities(logits, temperature).argmax(1) == logits.argmax(1)).all()


def test_where_all_are_right_nothing_is_changed():
    logits = np.eye(4, dtype=np.float32).repeat(3, axis=0)
    assert fit_temperature(logits, np.arange(4).repeat(3)) == 1.0
    assert fit_temperature(logits, np.roll(np.arange(4), 1).repeat(3)) == 1.0  # all wrong


@pytest.mark.parametrize("logits", [np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_what_tells_nothing_is_refused(logits):
    with pytest.raises(InputError, match="finite logits"):
        fit_temperature(logits, np.zeros(len(logits), np.int64))


def test_a_training_is_calibrated_once_and_for_its_weights(trained, monkeypatch):
    calibration, reason = calibrated(trained, "cpu")
    assert isinstance(calibration, Calibration) and not reason
    assert calibration.images == 18
    monkeypatch.setattr(
        "hybrid_swin.training.prediction.trained_calibration.evaluate", lambda *_: 1 / 0
    )
    assert calibrated(trained, "cpu") == (calibration, "")
    file = trained / CALIBRATION_FILE
    content = json.loads(file.read_text())
    try:
        changes = [("temperature", value) for value in (0.0, 1e-320, 1e9, "x")]
        changes += [("weights", "0" * 10), ("images", 0), ("error_after", 1e999)]
        for name, value in changes:
            change = {name: value}
            file.write_text(json.dumps(content | change))
            assert read_calibration(trained) is None
    finally:
        file.write_text(json.dumps(content))

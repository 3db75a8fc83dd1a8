"""When a training was still improving at its end."""

import math

import numpy as np
import pytest

from search.statistics.undertraining import undertrained


def curve(values, monitor="val/accuracy"):
    return [{"epoch": e + 1, monitor: float(v)} for e, v in enumerate(values)]


def test_undertrained():
    rising, flat = np.linspace(0.2, 0.9, 30), np.full(30, 0.9)
    saturated = 0.95 - 0.6 * np.exp(-np.arange(30) / 3)
    assert undertrained(curve(rising), "val/accuracy", "max", 200) is True
    assert undertrained(curve(flat), "val/accuracy", "max", 200) is False
    assert undertrained(curve(saturated), "val/accuracy", "max", 200) is False
    assert undertrained(curve(rising[::-1]), "val/accuracy", "max", 200) is False
    falling_loss = curve(np.linspace(3, 1, 30), "val/loss")
    assert undertrained(falling_loss, "val/loss", "min", 200) is True
    assert undertrained(falling_loss, "val/loss", "max", 200) is False


def test_undertrained_needs_a_gain_beyond_one_reading_of_the_split():
    slow = curve(np.linspace(0.80, 0.86, 30))  # gains .0124 in its last fifth
    assert undertrained(slow, "val/accuracy", "max", 100) is False  # noise .035
    assert undertrained(slow, "val/accuracy", "max", 10_000) is True  # noise .0035


def test_undertrained_is_open_for_short_or_broken_curves():
    assert undertrained(curve([0.1, 0.5, 0.7, 0.8]), "val/accuracy", "max", 100) is None
    assert undertrained([], "val/accuracy", "max", 100) is None
    assert undertrained(curve([0.5] * 9 + [math.nan]), "val/accuracy", "max", 100) is None
    assert undertrained(curve([0.5] * 9), "val/f1", "max", 100) is None


def test_a_training_that_its_patience_ended_is_not_undertrained():
    ended = [0.1, 0.5, 0.9, 0.89, 0.9]  # an equal score is not a better one
    assert undertrained(curve(ended[:4]), "val/accuracy", "max", 100) is None
    assert undertrained(curve(ended), "val/accuracy", "max", 100, patience=2) is False
    assert undertrained(curve(ended[:4]), "val/accuracy", "max", 100, patience=2) is None
    rising = [*np.linspace(0.1, 0.9, 19), 0.89]  # reached its last epoch while improving
    assert undertrained(curve(rising), "val/accuracy", "max", 200, patience=2) is True
    assert undertrained(curve(rising), "val/accuracy", "max", 200, patience=1) is False
    losses = curve([2.0, 1.0, math.nan, 1.1], "val/loss")
    assert undertrained(losses, "val/loss", "min", 0, patience=2) is False
    assert undertrained(curve([math.nan] * 4), "val/accuracy", "max", 100, patience=1) is None


@pytest.mark.parametrize("epochs", [10, 30, 100])
def test_noise_alone_is_rarely_called_improvement(epochs):
    rng = np.random.default_rng(epochs)
    noise = rng.normal(1.0, 0.1, (1000, epochs))
    called = [undertrained(curve(v, "val/loss"), "val/loss", "min", 0) for v in noise]
    assert np.mean(called) < 0.09

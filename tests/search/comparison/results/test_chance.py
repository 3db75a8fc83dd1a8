import numpy as np
import pytest
from scipy import stats

from search.comparison.results.chance import judge

EVEN = np.arange(200) % 10
SKEWED = np.repeat([0, 1, 2], [140, 40, 20])


def seeds(metric, *scores):
    return [{f"test/{metric}": score} for score in scores]


@pytest.mark.parametrize(
    ("monitor", "labels", "classes", "expected"),
    [
        ("val/accuracy", EVEN, 10, 0.1),
        ("val/accuracy", SKEWED, 3, 0.7),
        ("val/accuracy", None, 4, 0.25),
        ("val/loss", SKEWED, 3, 0.7),  # accuracy stands in
        ("val/calibration_error", EVEN, 10, 0.1),
        ("val/top5", EVEN, 10, 0.5),
        ("val/balanced_accuracy", SKEWED, 3, 1 / 3),
        ("val/auroc", SKEWED, 3, 0.5),
        ("val/f1", SKEWED, 3, 1 / 3),
    ],
)
def test_what_a_guess_scores(monitor, labels, classes, expected):
    name = monitor.partition("/")[2]
    metric = "accuracy" if name in ("loss", "calibration_error") else name
    tests = [t | {"test/loss": 1.0} for t in seeds(metric, expected, expected - 0.01)]
    found = judge(monitor, tests, labels, 200, classes)
    assert (found.metric, found.score) == (metric, pytest.approx(expected))
    assert not found.beaten
    better = judge(monitor, seeds(metric, 0.97, 0.98), labels, 200, classes)
    assert better.beaten


def test_shares_of_images_are_tested_exactly():
    least = int(stats.binom.isf(0.05 / 3, 200, 0.1)) + 1  # for one of three seeds
    for right, beaten in ((least - 1, False), (least, True)):
        found = judge("val/accuracy", seeds("accuracy", 0.1, right / 200, 0.1), EVEN, 200, 10)
        assert found.beaten == beaten


def test_equal_guesses_are_called_learnt_in_one_of_twenty():
    rng = np.random.default_rng(0)
    tests = rng.binomial(200, 0.1, (2000, 5)) / 200
    beaten = [judge("val/accuracy", seeds("accuracy", *t), EVEN, 200, 10).beaten for t in tests]
    assert np.mean(beaten) <= 0.06


def test_always_the_commonest_class_has_learnt_nothing():
    assert not judge("val/accuracy", seeds("accuracy", *[0.7] * 5), SKEWED, 200, 3).beaten
    assert not judge("val/auroc", seeds("auroc", 0.5, 0.5, 0.5), SKEWED, 200, 3).beaten


def test_one_seed_that_learns_is_no_guess():
    found = judge("val/accuracy", seeds("accuracy", 0.5, 0.5, 0.99), np.arange(200) % 2, 200, 2)
    assert found.beaten


def test_without_a_reading_nothing_is_known():
    assert judge("val/accuracy", [], EVEN, 200, 10) is None
    assert judge("val/accuracy", [{}], EVEN, 200, 10) is None
    assert judge("val/auroc", seeds("auroc", 0.7), EVEN, 200, 10) is None


def test_rates_without_spread_are_no_certainty():
    """Three seeds a hair above chance alike: whether that is luck the images tell."""
    for accuracy, beaten in ((0.12, False), (0.9, True)):
        tests = [{"test/balanced_accuracy": 0.104, "test/accuracy": accuracy}] * 3
        found = judge("val/balanced_accuracy", tests, EVEN, 200, 10)
        assert (found.metric, found.beaten) == ("accuracy", beaten)
    assert judge("val/f1", seeds("f1", 0.2, 0.2), EVEN, 200, 10) is None  # nothing tells

import pytest

from search.statistics.formatting import (
    count_text,
    interval_text,
    p_text,
    points,
    range_text,
    score_text,
    seconds_text,
    unit,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0"),
        (812, "812"),
        (999, "999"),
        (1000, "1.0K"),
        (4_512, "4.5K"),
        (999_960, "1.0M"),
        (28_288_354, "28.3M"),
        (6_000_000_000, "6.0G"),
    ],
)
def test_counts(count, text):
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (8.24, "8.2 s"), (41.4, "41 s"), (700, "12 min"), (12_240, "3.4 h")],
)
def test_times(seconds, text):
    assert seconds_text(seconds) == text


def test_shares_are_in_percent_and_other_metrics_are_not():
    assert score_text(0.9512, "val/accuracy") == "95.1"
    assert score_text(0.9512, "val/loss") == "0.951"
    assert score_text(None, "val/loss") == "-"


def test_an_interval():
    assert range_text(0.9, 0.972, "val/accuracy") == "[90.0, 97.2]"
    assert range_text(-0.1, 1.02, "val/loss") == "[-0.100, 1.020]"
    assert range_text(None, None, "val/accuracy") == ""


def test_points():
    assert points(0.0123, "val/accuracy") == "+1.2"
    assert points(-0.0123, "val/accuracy", sign=False) == "-1.2"
    assert points(-0.0001, "val/accuracy") == "0.0"
    assert points(0.0123, "val/loss") == "+0.012"
    assert (unit("val/accuracy"), unit("val/loss")) == (" points", "")


def test_interval_text():
    assert interval_text(-0.011, 0.02, "val/accuracy") == "[-1.1, +2.0]"
    assert interval_text(None, None, "val/accuracy") == ""


def test_p_text():
    assert [p_text(p) for p in (None, 0.0, 0.0004, 0.012, 0.9999, 1.0)] == [
        "-",
        "<.001",
        "<.001",
        ".012",
        "1",
        "1",
    ]

import numpy as np
import pytest

from hybrid_swin.inspection.measures.intervals import (
    mean_interval,
    paired_change,
    proportion,
    relative_accuracy,
)


def test_wilsons_interval_is_the_textbooks():
    # Newcombe 1998, table I: 81 of 263
    assert proportion(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=1e-4)
    assert proportion(0, 10).low == 0
    assert proportion(10, 10).high == 1
    assert proportion(10, 10).low < 0.75
    with pytest.raises(ValueError, match="at least one"):
        proportion(0, 0)


def test_the_mean_has_students_interval():
    found = mean_interval([1.0, 2.0, 3.0, 4.0])
    assert found.value == 2.5
    assert found.high - 2.5 == pytest.approx(3.182446 * np.sqrt(5 / 3) / 2, abs=1e-5)
    alone = mean_interval([7.0])  # one image tells nothing of others
    assert alone.value == 7.0 and np.isnan([alone.low, alone.high]).all()


def test_the_paired_change_by_hand():
    before = [1] * 6 + [0] * 4
    after = [1] * 4 + [0] * 2 + [1] + [0] * 3  # two turn wrong, one turns right
    found = paired_change(before, after)
    assert found.value == pytest.approx(-0.1)
    p01, p10 = 2 / 12, 3 / 12
    half = 1.959964 * np.sqrt((p01 + p10 - (p01 - p10) ** 2) / 12)
    assert (found.low, found.high) == pytest.approx((p01 - p10 - half, p01 - p10 + half))
    # images that all agree leave doubt
    assert paired_change([1, 1], [1, 1]).high > 0
    assert paired_change([1] * 9, [0] * 9).value == -1
    with pytest.raises(ValueError, match="2 images before and 1 after"):
        paired_change([1, 0], [1])


@pytest.mark.parametrize("count", [20, 60])
def test_the_paired_interval_covers(count):
    rng = np.random.default_rng(count)
    before = rng.random((4000, count)) < 0.8
    after = np.where(before, rng.random((4000, count)) < 0.85, rng.random((4000, count)) < 0.2)
    true = 0.2 * 0.2 - 0.8 * 0.15
    found = [paired_change(x, y) for x, y in zip(before, after, strict=True)]
    covered = np.mean([f.low <= true <= f.high for f in found])
    assert 0.93 <= covered <= 0.995  # safe, rather than sorry, at 20 images


def test_the_relative_accuracy_covers_and_knows_its_ends():
    rng = np.random.default_rng(0)
    before = rng.random((4000, 60)) < 0.9
    after = np.where(before, rng.random((4000, 60)) < 0.6, rng.random((4000, 60)) < 0.1)
    true = (0.9 * 0.6 + 0.1 * 0.1 - 0.25) / (0.9 - 0.25)
    found = [relative_accuracy(x, y, 0.25) for x, y in zip(before, after, strict=True)]
    covered = np.mean([f.low <= true <= f.high for f in found])
    assert 0.93 <= covered <= 0.985
    x = np.array([1, 1, 1, 0])
    assert relative_accuracy(x, x, 0.25).value == 1
    assert relative_accuracy(x, [1, 0, 0, 0], 0.25).value == 0
    with pytest.raises(ValueError, match="chance"):
        relative_accuracy(x, x, 0.75)

import pytest

from search.statistics.multiplicity import holm, holm_with_missing, simultaneous_confidence


def test_simultaneous_intervals_share_the_level():
    assert simultaneous_confidence(1) == 0.95
    assert simultaneous_confidence(10) == pytest.approx(0.995)
    assert simultaneous_confidence(0) == 0.95


def test_holm_by_hand():
    # sorted .01, .02, .03, .04 times 4, 3, 2, 1 = .04, .06, .06, .04 -> running maximum
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.7, 0.8]) == (1.0, 1.0)


def test_a_missing_p_value_counts_as_1():
    adjusted = holm_with_missing([0.04, None, 0.01, None])
    assert adjusted == (pytest.approx(0.12), None, pytest.approx(0.04), None)
    assert holm_with_missing([None]) == (None,)

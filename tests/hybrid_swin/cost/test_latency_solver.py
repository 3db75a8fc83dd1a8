"""Matching by a clock; here the clock is a formula."""

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.latency_solver import Measured, match_latency
from hybrid_swin.errors import InputError
from hybrid_swin.spec.published import published

SWIN, DUAL = published("swin_t"), published("hybrid_mdta_t")


class Clock:
    """Milliseconds by MACs, with an overhead; remembers what it measured."""

    def __init__(self, noise=0.0, wrong=()):
        self.noise, self.wrong, self.measured = noise, wrong, []

    def __call__(self, variant):
        self.measured.append(variant.id)
        wrong = self.wrong[len(self.measured) - 1] if len(self.measured) <= len(self.wrong) else 1
        return Measured((40 + count_cost(variant).macs / 1e8) * wrong, self.noise)


@pytest.mark.parametrize("target", [45, 60, 84, 85, 150, 400])
def test_a_time_is_met_with_few_measurements(target):
    clock = Clock()
    found, time = match_latency(DUAL, target, clock, tolerance=0.02)
    assert time == Clock()(found.variant)
    assert abs(time.value / target - 1) <= 0.02
    assert found.residuals == {"latency": pytest.approx(time.value / target - 1)}
    assert len(clock.measured) == len(set(clock.measured)) <= 6


def test_the_other_costs_are_compared_with_a_reference():
    found, _ = match_latency(DUAL, 60, Clock(), reference=count_cost(SWIN))
    assert found.residuals["macs"] == pytest.approx(found.cost.macs / count_cost(SWIN).macs - 1)
    assert found.adjuster.startswith("widths 80-160-336-672 to ")
    assert found.variant.mlp_ratio == DUAL.mlp_ratio


def test_what_takes_that_already_stays():
    found, _ = match_latency(SWIN, 85, Clock())
    assert (found.variant, found.adjuster) == (SWIN, "nothing")


def test_a_clock_that_errs_once_is_survived():
    _, time = match_latency(DUAL, 60, Clock(wrong=(1, 1.5)), tolerance=0.02)
    assert abs(time.value / 60 - 1) <= 0.02


def test_noise_excuses_a_residual():
    def constant(variant):
        return Measured(100, 12)

    assert match_latency(SWIN, 95, constant, tolerance=0.01)[1] == Measured(100, 12)
    with pytest.raises(InputError, match=r"cannot be brought to a time of 50 within 1\.00%"):
        match_latency(SWIN, 50, constant, tolerance=0.01)


def test_a_time_below_the_overhead_is_refused():
    clock = Clock()
    with pytest.raises(InputError, match=r"measured from 40\.\d* to 84\.91, the nearest 40"):
        match_latency(SWIN, 20, clock)
    assert len(clock.measured) <= 10


@pytest.mark.parametrize("target", [0, -3, float("inf"), float("nan")])
def test_what_is_no_time_is_refused(target):
    with pytest.raises(InputError, match="must be a number above 0"):
        match_latency(SWIN, target, Clock())

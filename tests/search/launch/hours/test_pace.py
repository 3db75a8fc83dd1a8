"""The pace that pilots tell, on pilots that follow it exactly."""

import pytest

from search.launch.hours.pace import Pace, PilotTiming, pace_of

TRUE = Pace(per_epoch=0.2, per_image=1e-3, per_mac=2e-10, around=1.5, start=8.0, slots=2)


def pilot(macs, images, validation=30, true=TRUE):
    epoch = true.training(macs, 1, images, validation) - true.around
    return PilotTiming(macs, images, validation, 5, epoch, 5 * epoch + true.around)


def test_a_pace_is_found_again_from_its_own_pilots():
    found = pace_of([pilot(2_000_000, 64), pilot(2_000_000, 640), pilot(20_000_000, 640)], 8.0, 2)
    assert found.to_dict() == TRUE.to_dict()


def test_no_part_is_negative_where_pilots_contradict_each_other():
    """The larger network was quicker, as on a busy machine: it costs nothing more then."""
    quick = pilot(20_000_000, 640)._replace(epoch=0.5)
    found = pace_of([pilot(2_000_000, 64), pilot(2_000_000, 640), quick], 8.0, 2)
    assert found.per_mac == 0
    assert min(found.per_epoch, found.per_image) >= 0


def test_one_network_alone_tells_its_own_time():
    timing = pilot(5_000_000, 100)
    found = pace_of([timing], 8.0, 1)
    assert found.training(5_000_000, 10, 100, 30) == pytest.approx(10 * timing.epoch + 1.5)


def test_a_training_costs_three_forward_passes():
    """90 train and 30 validation images cost what 100 train images do; the test the same again."""
    pace = Pace(0.0, 0.01, 0.0, 0.0, 0.0, 1)
    assert pace.training(1, 1, 90, 30) == pytest.approx(1.0)
    once, twice = (pace.training(1, 1, 90, 30, test) for test in (300, 600))
    assert twice - once == pytest.approx(1.0)

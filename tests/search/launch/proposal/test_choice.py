"""What fits the time, at a pace that is given."""

import pytest

from search.launch.hours.pace import Pace
from search.launch.proposal.choice import (
    Choice,
    choose,
    least,
    sampler_of,
    seconds_of,
)
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import network_sizes
from search.launch.proposal.presets import PRESETS

PACE = Pace(0.05, 1e-4, 3e-10, 1.0, 8.0, 2)
COUNTS = ImageCounts(5, 650, 150, 200, 200, (), 0, 200, 200)
NETWORKS = network_sizes(ImageSizes("folder", {}, (64, 64), False, 3), 5, 64, 48)
KINDS = ["study", "comparison"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_more_time_is_used_and_never_more_than_there_is(kind, preset):
    seconds = seconds_of(kind, PACE, COUNTS, preset, {})
    fewest, before = seconds(least(NETWORKS, preset, {})), None
    for times in (1.0, 1.5, 3, 10, 40, 1e9):
        found = choose(NETWORKS, preset, seconds, fewest * times, {})
        assert seconds(found) <= fewest * times
        if before is not None:
            assert found.network.macs >= before.network.macs
        for name in ("trials", "seeds", "steps"):
            span = getattr(preset, name)
            assert span.least <= getattr(found, name) <= span.most
        before = found
    assert found.network == NETWORKS[0]
    assert (found.seeds, found.steps) == (preset.seeds.most, preset.steps.most)


@pytest.mark.parametrize("kind", KINDS)
def test_less_than_the_least_is_refused(kind):
    preset = PRESETS["quick"]
    seconds = seconds_of(kind, PACE, COUNTS, preset, {})
    assert (
        choose(NETWORKS, preset, seconds, 0.99 * seconds(least(NETWORKS, preset, {})), {}) is None
    )


def test_a_larger_network_comes_before_more_trials():
    preset = PRESETS["quick"]
    seconds = seconds_of("study", PACE, COUNTS, preset, {})
    wanted = preset.trials.wanted, preset.seeds.wanted
    for time in (600, 1200, 2400):
        found = choose(NETWORKS, preset, seconds, time, {})
        larger = [n for n in NETWORKS if n.macs > found.network.macs]
        for network in larger[-1:]:
            assert seconds(Choice(network, preset.steps.wanted, *wanted)) > time


@pytest.mark.parametrize(("trials", "slots", "startup"), [(4, 2, 2), (12, 1, 4), (100, 16, 6)])
def test_no_worker_waits_and_a_third_of_the_trials_is_drawn_at_random(trials, slots, startup):
    sampler = sampler_of(trials, slots, PRESETS["quick"])
    assert (sampler.lookahead, sampler.startup_trials) == (2 * slots, startup)

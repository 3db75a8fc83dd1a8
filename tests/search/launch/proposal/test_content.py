"""A proposal's settings are a study and a comparison that can begin."""

from itertools import cycle

import pytest

from hybrid_swin.system.schema import build
from search.comparison.design.plan import make_plan
from search.launch.proposal.choice import Choice
from search.launch.proposal.content import comparison_content, data_of, study_content
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import network_sizes
from search.launch.proposal.presets import PRESETS
from search.launch.study import check
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings

COUNTS = ImageCounts(10, 1000, 200, 300, 300, (), 0, 100, 100)
SIZES = [ImageSizes("digits", {}, size, False, 3) for size in ((8, 8), (28, 28), (200, 300))]


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{sizes.size}")
def test_every_network_gives_a_study_and_a_comparison(sizes):
    """The presets take turns."""
    networks = network_sizes(sizes, 10, 64, 64)
    assert len(networks) > 2 * len(PRESETS)
    for network, preset in zip(networks, cycle(PRESETS.values()), strict=False):
        choice = Choice(network, 400, 8, 3)
        study = build(StudySettings, study_content("a", sizes, COUNTS, choice, preset, 2))
        _, candidates = check(study)
        assert candidates.baselines[0].label == "plain Swin"
        if network.width < 24:
            continue
        content = comparison_content("a", sizes, COUNTS, choice, preset)
        plan = make_plan(build(ComparisonSettings, content))
        assert len({entry.arm for entry in plan.entries}) == 6
        costs = [entry.cost.macs for entry in plan.entries]
        assert max(costs) <= 1.04 * min(costs)


@pytest.mark.parametrize(
    ("images", "shares"),
    [(0, {}), (60, {}), (25_000, {}), (50_000, {"validation_share": 0.1, "test_share": 0.1})],
)
def test_at_most_5000_images_are_held_out(images, shares):
    assert data_of(SIZES[0], images) == {"source": "digits", "options": {}, **shares}

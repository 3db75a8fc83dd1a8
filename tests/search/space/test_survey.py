import pytest
from scipy import stats

from hybrid_swin.errors import InputError
from search.space.space import Space
from search.space.survey import Share, survey

VARIANT = {"image_size": 16, "in_channels": 1, "num_classes": 4, "patch_size": 2, "window_size": 4}


def space(**recipe):
    stage = {
        "width": {"choose": [16, 24, 32]},
        "depth": 1,
        "num_heads": {"choose": [2, 3]},
        "blocks": {"choose": [["w_msa"], ["conv"]]},
    }
    return Space({**VARIANT, "stages": [stage]}, recipe)


@pytest.mark.parametrize(("count", "of"), [(0, 10), (3, 10), (10, 10), (171, 1000), (1, 1000)])
def test_shares_of_what_is_drawn_have_wilsons_interval(count, of):
    interval = stats.binomtest(count, of).proportion_ci(method="wilson")
    assert Share(count, of, False).interval == pytest.approx(tuple(interval), abs=1e-12)
    assert Share(count, of, True).interval == (count / of, count / of)


def test_a_space_is_told_as_it_is():
    found = survey(space(shift={"choose": [0, 1]}), {"parameters": 3000}, 100)
    networks = [
        (width, heads, word)
        for width in (16, 24, 32)
        for heads in (2, 3)
        for word in ("w_msa", "conv")
        if width % heads == 0
    ]
    assert found.nothing(found.networks) == Share(12 - len(networks), 12, True)
    assert found.distinct.value == 2 * len(networks)
    macs = [c.cost.macs for c in found.networks.candidates]
    assert (found.cheapest.cost.macs, found.dearest.cost.macs) == (min(macs), max(macs))
    fitting = [c for c in found.networks.candidates if c.cost.parameters <= 3000]
    assert found.fitting == Share(len(fitting), 12, True)
    assert 0 < len(fitting) < len(networks)
    assert survey(space(), {}, 100).fitting == Share(len(networks), 12, True)


def test_where_nothing_fits_there_is_nothing_to_tell():
    with pytest.raises(InputError, match="no candidate fits the budget: the lowest-cost one"):
        survey(space(), {"macs": 1}, 100)


def test_a_recipe_without_end_leaves_the_networks_exact():
    found = survey(space(learning_rate={"from": 0.001, "to": 0.1, "log": True}), {}, 20)
    assert found.distinct is None
    assert found.networks.exact
    assert found.nothing(found.parts[1]) == Share(0, 20, False)

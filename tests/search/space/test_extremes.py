"""Found by descent, against all that there are."""

import pytest

from hybrid_swin.errors import InputError
from search.space.combinations import CandidateFactory, look, network_part
from search.space.extremes import least, never_fitting, never_made, no_fit_message
from search.space.space import Space

VARIANT = {"image_size": 16, "in_channels": 1, "num_classes": 4, "patch_size": 2, "window_size": 4}
RATIOS = {"from": 1, "to": 20, "step": 1}


def space(**fields):
    """Heads that do not divide every width, so that some combinations make no network."""
    stage = {
        "width": {"choose": [16, 24, 36]},
        "depth": {"from": 1, "to": 3, "step": 1},
        "num_heads": {"choose": [2, 3]},
        "blocks": {"choose": [["w_msa"], ["conv"], ["w_msa+mdta"], ["conv+w_msa:split"]]},
    }
    return Space({**VARIANT, "mlp_ratio": {"choose": [1, 4]}, "stages": [stage | fields]}, {})


@pytest.fixture
def looked_at():
    """All networks, and a dozen drawn."""
    found = space()
    maker = CandidateFactory(found)
    every = network_part(found, maker, samples=10)
    return maker, every, look(every.parameters, "networks", maker, samples=12, most=0)


@pytest.mark.parametrize("name", ["macs", "parameters", "activations"])
@pytest.mark.parametrize("sign", [1, -1])
def test_descent_finds_what_looking_at_all_finds(looked_at, name, sign):
    maker, every, drawn = looked_at
    assert every.exact
    assert not drawn.exact

    def key(candidate):
        return sign * getattr(candidate.cost, name)

    best = min(map(key, every.candidates))
    assert key(least(every, maker, key)) == key(least(drawn, maker, key)) == best
    assert best < min(map(key, drawn.candidates))


def test_descent_starts_from_the_first_values_where_no_draw_is_a_network():
    found = space(width={"from": 16, "to": 31, "step": 1}, num_heads=16)
    maker = CandidateFactory(found)
    parameters = network_part(found, maker, samples=10).parameters
    drawn = look(parameters, "networks", maker, samples=2, most=0)
    assert drawn.candidates == ()
    assert least(drawn, maker, lambda c: c.cost.macs).params["stages.0.width"] == 16


def brute_never(every, limits):
    never = {}
    for name, most in limits.items():
        for p in every.parameters:
            for value in p.some(99):
                with_it = [c for c in every.candidates if c.params[p.path] == value]
                if with_it and min(getattr(c.cost, name) for c in with_it) > most:
                    never.setdefault(name, {}).setdefault(p.path, []).append(value)
    return never


def test_values_that_never_fit(looked_at):
    maker, every, drawn = looked_at
    wide = min(c.cost.parameters for c in every.candidates if c.params["stages.0.width"] == 36)
    deep = min(c.cost.macs for c in every.candidates if c.params["stages.0.depth"] == 3)
    for limits in ({"parameters": wide - 1}, {"parameters": wide, "macs": deep - 1}, {}):
        expected = brute_never(every, limits)
        assert never_fitting(every, maker, limits) == expected
        assert never_fitting(drawn, maker, limits) == expected
        if "macs" in limits:
            assert expected["macs"]["stages.0.depth"] == [3]
            assert "stages.0.width" not in expected.get("parameters", {})
        elif limits:
            assert expected["parameters"]["stages.0.width"] == [36]


def test_what_never_fits_is_told_with_the_cheapest():
    found = space()
    assert no_fit_message(found, {}) == ""
    assert no_fit_message(found, {"macs": 10**9}) == ""
    every = network_part(found, CandidateFactory(found), samples=10)
    least_macs = min(c.cost.macs for c in every.candidates)
    assert no_fit_message(found, {"macs": least_macs}) == ""
    message = no_fit_message(found, {"macs": least_macs - 1, "parameters": 10**9})
    assert message.startswith("no candidate fits the budget: the lowest-cost one (mlp_ratio=1, st")
    assert f"has {least_macs:,} macs, 0.0% above the {least_macs - 1:,}" in message
    assert "parameters, which fits; raise the budget or add cheaper values" in message
    assert "\n" not in message


def test_the_cheapest_is_the_one_that_exceeds_its_worst_limit_least():
    found = space()
    every = network_part(found, CandidateFactory(found), samples=10)
    limits = {"macs": 50_000, "parameters": 1_000}
    worst = min(max(c.cost.macs / 50_000, c.cost.parameters / 1_000) - 1 for c in every.candidates)
    assert f"{worst:.1%} above" in no_fit_message(found, limits)


def test_a_space_too_large_to_look_at_is_told_as_found():
    found = space(width={"from": 24, "to": 24_000, "step": 6}, num_heads=2)
    message = no_fit_message(found, {"macs": 1000})
    assert "the lowest-cost one found (mlp_ratio=1, stages.0.width=24, stages.0.depth=1" in message


def test_a_space_without_choices_has_a_cheapest():
    fixed = {"width": 16, "depth": 1, "num_heads": 2, "blocks": ["conv"]}
    found = Space({**VARIANT, "stages": [fixed]}, {})
    assert "the lowest-cost one has " in no_fit_message(found, {"macs": 10})
    with pytest.raises(InputError, match="divisible"):
        Space({**VARIANT, "stages": [fixed | {"num_heads": 3}]}, {})


def test_values_that_are_never_made_are_found_among_drawn_ones_too():
    """Images of 16 pixels are none of a study that begins with 8."""
    variant = {**VARIANT, "stages": [{"width": 16, "depth": 1, "num_heads": 2, "blocks": ["conv"]}]}
    found = Space({**variant, "image_size": {"choose": [8, 16]}, "mlp_ratio": RATIOS}, {})
    maker = CandidateFactory(found)
    every = network_part(found, maker, samples=10)
    drawn = look(every.parameters, "networks", maker, samples=12, most=0)
    assert never_made(every, maker) == never_made(drawn, maker) == {"image_size": [16]}
    assert (
        never_made(
            network_part(space(), CandidateFactory(space()), samples=10), CandidateFactory(space())
        )
        == {}
    )

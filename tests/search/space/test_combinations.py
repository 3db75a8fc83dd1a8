"""Counts against enumeration, on spaces with idle values, ties and values that make no network."""

import itertools
import math

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from search.space.combinations import CandidateFactory, Number, look, network_part, parts_of
from search.space.space import Space

VARIANT = {"image_size": 16, "in_channels": 1, "num_classes": 4, "patch_size": 2, "window_size": 4}
WORD = {
    "word": "{mixer}:{fusion}",
    "mixer": {"choose": ["w_msa", "mdta", "w_msa+mdta"]},
    "fusion": {"choose": ["sum", "gate", "split"]},
}
RECIPE = {"learning_rate": {"choose": [0.001, 0.002]}, "shift": {"from": 0, "to": 2, "step": 1}}


def stage(**fields):
    return {"width": 16, "depth": 2, "num_heads": 2, "blocks": ["conv"], **fields}


def space(*stages, recipe=RECIPE, **fields):
    return Space({**VARIANT, **fields, "stages": list(stages)}, recipe)


def idle():
    """Fusions behind one branch, norms a branch of one branch, heads that do not divide."""
    first = stage(
        blocks=[WORD],
        norm={"choose": ["pre", "post", "branch"]},
        num_heads={"choose": [2, 3, 4]},
        width={"choose": [16, 24]},
    )
    return space(first, stage(blocks=[WORD], width=32))


def factory(found):
    """The space's factory, which makes each combination once: draws repeat them."""
    maker, made = CandidateFactory(found), {}
    make = maker.make

    def once(params):
        key = repr(sorted({**maker._default, **params}.items()))
        if key not in made:
            made[key] = make(params)
        return made[key]

    maker.make = once
    return maker


@pytest.fixture(scope="module")
def counted():
    """That space with all its networks looked at, and its factory."""
    found = idle()
    maker = factory(found)
    return maker, network_part(found, maker, samples=10)


def brute(found):
    """Candidates of all combinations by their parameters, without those that make none."""
    made = {}
    for values in itertools.product(*(p.some(99) for p in found.parameters)):
        params = {p.path: v for p, v in zip(found.parameters, values, strict=True)}
        try:
            made[values] = (found.identify(params), count_cost(found.resolve(params)[0]))
        except InputError:
            continue
    return made


def test_few_combinations_are_all_looked_at():
    found = space(stage(blocks=[WORD], width={"choose": [16, 24]}, num_heads={"choose": [2, 3]}))
    made = brute(found)
    networks, recipes = parts_of(found, CandidateFactory(found), samples=10)
    assert networks.exact
    assert recipes.exact
    assert (networks.kind, networks.combinations, networks.looked_at) == ("networks", 36, 36)
    assert (recipes.combinations, len(recipes.candidates), recipes.distinct) == (6, 6, Number(6))
    assert len(networks.candidates) * 6 == len(made) < 36 * 6
    distinct = networks.distinct * recipes.distinct
    assert distinct == Number(len({identity for identity, _ in made.values()}))
    costs = {c.cost for c in networks.candidates}
    assert costs == {cost for _, cost in made.values()}


@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_meets_what_is_counted(seed, counted):
    maker, everything = counted
    assert everything.exact
    part = look(everything.parameters, "networks", maker, 800, most=0, seed=seed)
    assert not part.exact
    assert part.combinations == everything.combinations == 1458
    assert 0 < part.distinct.error < 0.2 * everything.distinct.value
    assert abs(part.distinct.value - everything.distinct.value) < 4 * part.distinct.error
    valid = len(everything.candidates) / everything.looked_at
    drawn = len(part.candidates) / part.looked_at
    assert abs(drawn - valid) < 4 * math.sqrt(valid * (1 - valid) / 800)


def test_the_standard_error_is_what_estimates_scatter_by():
    found = space(stage(blocks=[WORD]))
    maker = factory(found)
    networks = network_part(found, maker, samples=10)
    parts = [
        look(networks.parameters, "networks", maker, 200, most=0, seed=seed) for seed in range(20)
    ]
    mean = sum(p.distinct.value for p in parts) / 20
    scatter = math.sqrt(sum((p.distinct.value - mean) ** 2 for p in parts) / 19)
    told = math.sqrt(sum(p.distinct.error**2 for p in parts) / 20)
    assert 0.4 < scatter / told < 1.7  # four standard errors of a ratio with 19 degrees of freedom
    assert abs(mean - networks.distinct.value) < 4 * told / math.sqrt(20)


def test_idle_values_of_a_range_are_counted():
    """Scales behind a single branch; levels that always count."""
    focal = {"word": "focal(levels={n})", "n": {"from": 1, "to": 4, "step": 1}}
    scale = {"word": "{mixer}:scale(init={r})", "mixer": {"choose": ["w_msa", "w_msa+mdta"]}}
    first = stage(blocks=[scale | {"r": {"from": 1, "to": 40, "step": 1}}, focal], num_heads=4)
    found = space(first)
    maker = factory(found)
    networks = network_part(found, maker, samples=10)
    assert networks.distinct == Number((40 + 1) * 4)
    part = look(networks.parameters, "networks", maker, samples=400, most=0)
    assert abs(part.distinct.value - 164) < 4 * part.distinct.error


def test_windows_that_lie_alike_on_the_maps_are_one_candidate():
    """Maps of 8 and 4 tokens per side, on which windows shrink unless they pad them."""
    sizes = {"window_size": {"choose": [4, 8, 9, [9, 12]]}}
    plain = stage(blocks=["w_msa"])
    with pytest.raises(InputError, match=r"window_size: 8 and 9 and .* are the same candidate"):
        space(plain, stage(blocks=["w_msa", "grid"], width=32), **sizes)
    either = {"choose": ["w_msa", "w_msa(small_map=pad)"]}
    found = space(stage(blocks=[{"word": "{mixer}", "mixer": either}]), **sizes)
    networks = network_part(found, CandidateFactory(found), samples=10)
    assert (networks.looked_at, networks.distinct) == (8, Number(4))


BRANCHES = {"choose": ["w_msa", "mdta", "conv", "conv(kernel=5)", "pointwise"]}


@pytest.mark.parametrize(
    ("word", "names", "of_one"),
    [
        ("{a}+{b}", "ab", 5 + 10),
        ("{a}+{b}+{c}", "abc", 5 + 2 * 10 + 10),
        ("{a}+{b}:concat", "ab", None),
        ("conv+{a}+{b}", "ab", None),
    ],
)
def test_orders_of_branches_are_counted(word, names, of_one):
    block = {"word": word, **dict.fromkeys(names, BRANCHES)}
    found = space(stage(blocks=[block]))
    maker = factory(found)
    networks = network_part(found, maker, samples=10)
    part = look(networks.parameters, "networks", maker, samples=400, most=0)
    assert of_one is None or networks.distinct.value == of_one
    assert abs(part.distinct.value - networks.distinct.value) < 4 * part.distinct.error


def test_branches_of_two_blocks_are_not_exchanged_with_each_other():
    block = {"word": "{a}+{b}", "a": BRANCHES, "b": BRANCHES}
    found = space(stage(blocks=[block, block]))
    maker = factory(found)
    parameters = network_part(found, maker, samples=10).parameters
    part = look(parameters, "networks", maker, samples=600, most=0)
    assert abs(part.distinct.value - 15 * 15) < 4 * part.distinct.error


def test_a_value_between_any_two_has_no_end():
    found = space(
        stage(blocks=[WORD]), recipe={"learning_rate": {"from": 0.001, "to": 0.01, "log": True}}
    )
    networks, recipes = parts_of(found, CandidateFactory(found), samples=30)
    assert networks.exact
    assert (networks.combinations, networks.distinct) == (9, Number(5))
    assert (recipes.combinations, recipes.distinct, recipes.looked_at) == (None, None, 30)
    assert not recipes.exact
    assert len({c.id for c in recipes.candidates}) == 30


def test_a_recipe_that_is_tied_to_the_network_is_not_parted_from_it():
    for recipe, fields in (
        ({"drop_path": {"times": ["mlp_ratio", 0.1]}}, {"mlp_ratio": {"choose": [1, 2]}}),
        (
            {"drop_path": {"choose": [0.1, 0.2]}, "shift": {"choose": [0, 1]}},
            {"mlp_ratio": {"times": ["recipe.drop_path", 10]}},
        ),
        ({"drop_path": {"choose": [0, {"times": ["mlp_ratio", 0.1]}]}}, {"mlp_ratio": 2.0}),
    ):
        found = space(stage(), recipe=recipe, **fields)
        part, nothing_left = parts_of(found, CandidateFactory(found), samples=10)
        assert (nothing_left.parameters, nothing_left.distinct) == ((), Number(1))
        assert (part.kind, part.parameters) == ("candidates", found.parameters)
        assert part.distinct == Number(len({identity for identity, _ in brute(found).values()}))


@pytest.mark.parametrize(
    ("norm", "distinct"),
    [("post", [4]), ({"choose": ["pre", "post"]}, [6])],
)
def test_a_start_of_norms_counts_behind_mixers_alone(norm, distinct):
    recipe = {"learning_rate": {"choose": [0.001, 0.002]}}
    recipe |= {"zero_init_residual": {"choose": [True, False]}}
    found = space(stage(norm=norm), recipe=recipe)
    parts = [
        p.distinct.value
        for p in parts_of(found, CandidateFactory(found), samples=9)
        if p.parameters
    ]
    assert math.prod(parts) == len({identity for identity, _ in brute(found).values()})
    assert parts == distinct


def test_a_start_of_norms_is_not_to_be_chosen_where_no_norm_stands_behind_a_mixer():
    recipe = {"zero_init_residual": {"choose": [True, False]}}
    with pytest.raises(InputError, match="True and False are the same candidate whatever"):
        space(stage(norm="pre"), recipe=recipe)


def test_what_is_for_other_images_is_no_candidate():
    found = space(stage(), image_size={"choose": [16, 8]})
    networks = network_part(found, CandidateFactory(found), samples=10)
    assert (networks.looked_at, len(networks.candidates)) == (2, 1)


def test_numbers_multiply_with_their_errors():
    assert Number(3, 0.1) * Number(10) == Number(30, 1.0)
    assert (Number(3, 0.3) * Number(10, 0.4)).error == pytest.approx(math.hypot(3, 1.2))


def test_what_no_training_can_do_makes_nothing():
    maker = CandidateFactory(space(stage(), recipe={"shift": {"choose": [1, 16]}}))
    assert maker({}) is not None
    assert "moves images of 16 pixels out of sight" in maker.make({"recipe.shift": 16})

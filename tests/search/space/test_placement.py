"""The way back: the parameters with which a space makes a given network."""

import itertools

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from search.space.placement import NotInSpaceError, place_network, place_values
from search.space.space import Space

GAPS = {
    "word": "conv(kernel={kernel})+{mixer}:{fusion}",
    "kernel": {"choose": [3, 5]},
    "mixer": {"choose": ["w_msa", "mdta"]},
    "fusion": {"choose": ["sum", "gate"]},
}


def network(**changes):
    stage = {"width": 16, "depth": 2, "num_heads": 2, "blocks": ["w_msa"], **changes}
    return {"image_size": 8, "patch_size": 2, "window_size": 2, "mlp_ratio": 2, "stages": [stage]}


def space(recipe=None, mlp_ratio=2, **changes):
    return Space({**network(**changes), "mlp_ratio": mlp_ratio}, recipe or {})


SPACES = {
    "a number of several": space(width={"choose": [16, 32]}),
    "lists of words": space(blocks={"choose": [["w_msa", "sw_msa"], ["mdta"], ["w_msa+conv"]]}),
    "a choice in a list": space(blocks=["w_msa", {"choose": ["mdta", "conv"]}]),
    "words with gaps": space(blocks=[GAPS, {"choose": ["mdta", "conv"]}]),
    "a word for all": space(blocks=GAPS),
    "ties": space(width={"choose": [16, 32]}, num_heads={"times": ["stages.0.width", 0.125]}),
    "grids": space(mlp_ratio={"from": 1, "to": 3, "step": 0.5}),
    "a recipe": space({"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}}),
    "windows": Space({**network(), "window_size": {"choose": [2, 4]}}, {}),
    "whole stages": Space(
        {**network(), "stages": {"choose": [network(width=w)["stages"] for w in (16, 24)]}}, {}
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_every_candidate_of_a_space_is_found_again(name):
    held = SPACES[name]
    values = itertools.product(*(p.some(8) for p in held.parameters))
    paths = [p.path for p in held.parameters]
    for combination in values:
        params = dict(zip(paths, combination, strict=True))
        variant, recipe = held.resolve(params)
        assert held.identify(place_network(held, variant, recipe)) == held.identify(params)


def test_words_that_make_the_same_blocks_are_the_same():
    held = space(blocks={"choose": [["mdta"], ["conv+w_msa", "w_msa"]]})
    variant = Variant.from_dict(network(blocks=["w_msa+conv", "w_msa"]))
    assert place_network(held, variant, None) == {"stages.0.blocks": "conv+w_msa w_msa"}


def test_without_a_recipe_its_parameters_take_their_first_values():
    held = space({"learning_rate": {"choose": [0.003, 0.001]}}, width={"choose": [16, 32]})
    params = place_network(held, Variant.from_dict(network(width=32)), None)
    assert params == {"stages.0.width": 32, "recipe.learning_rate": 0.003}


@pytest.mark.parametrize(
    ("held", "variant", "message"),
    [
        (
            space(width={"choose": [16, 32]}),
            network(width=24),
            "stages.0.width 24 is not in the space (16, 32)",
        ),
        (
            space(mlp_ratio={"from": 1, "to": 3, "step": 1}),
            network() | {"mlp_ratio": 2.5},
            "mlp_ratio 2.5 is not in the space (from 1 to 3 in steps of 1)",
        ),
        (
            space(blocks=[GAPS]),
            network(blocks=["mdta"]),
            "stages.0.blocks.0 'mdta' is not a word that the space makes",
        ),
    ],
)
def test_what_a_space_does_not_hold_is_named(held, variant, message):
    with pytest.raises(NotInSpaceError) as refused:
        place_network(held, Variant.from_dict(variant), None)
    assert str(refused.value) == message
    assert isinstance(refused.value, InputError)


def test_text_of_a_table_is_read_as_the_parameters_values():
    held = space(
        {"learning_rate": {"from": 0.001, "to": 0.01, "log": True}},
        mlp_ratio={"choose": [1.0, 2.0]},
        blocks={"choose": [["w_msa", "sw_msa"], ["mdta"]]},
    )
    text = {
        "mlp_ratio": "2.0",
        "stages.0.blocks": "w_msa sw_msa",
        "recipe.learning_rate": "0.00163032",
    }
    values = place_values(held, text)
    assert values == {**text, "mlp_ratio": 2.0, "recipe.learning_rate": 0.00163032}
    with pytest.raises(NotInSpaceError, match="it has no value for mlp_ratio"):
        place_values(held, {})
    with pytest.raises(NotInSpaceError, match=r"recipe.learning_rate 1 is not in the space"):
        place_values(held, {**text, "recipe.learning_rate": "1"})

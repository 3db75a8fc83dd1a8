"""What a word cannot be for a stage's width or heads is refused with the variant."""

import pytest

from hybrid_swin.cost import BranchCost
from hybrid_swin.cost.stage_shapes import shapes_near
from hybrid_swin.errors import InputError
from hybrid_swin.network.fusions import BranchMaker
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import Part, parse
from hybrid_swin.spec.options import spell
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def variant(word, width, num_heads):
    return Variant(image_size=4, patch_size=1, stages=(Stage(width, 1, num_heads, (word,)),))


@pytest.mark.parametrize(
    ("word", "width", "heads", "message"),
    [
        ("deform(groups=5)", 24, 3, r"3 heads for deform, and groups=5 .* give one of 1, 3, or"),
        ("deform(groups=4)+conv:split", 16, 4, "2 heads for deform, and groups=4 does not divide"),
        ("inception_dw", 3, 1, "gives inception_dw 3 channels, and it needs at least 4"),
        ("w_msa+inception_dw:split(ratio=3-1)", 12, 4, "gives inception_dw 3 channels"),
        ("deform+inception_dw:cross", 3, 3, "half its channels, and width 3 with num_heads 3"),
    ],
)
def test_a_width_or_heads_that_are_too_few(word, width, heads, message):
    with pytest.raises(InputError, match=rf"stages\.0: .*{message}"):
        variant(word, width, heads)


@pytest.mark.parametrize(
    ("word", "width", "heads"),
    [
        ("deform(groups=2)+conv:split", 16, 4),
        ("conv+deform(groups=3):cross", 12, 3),
        ("w_msa+inception_dw:split(ratio=1-3)", 8, 4),
    ],
)
def test_just_enough(word, width, heads):
    variant(word, width, heads)


def _words(name):
    """Every value of each option alone."""
    words = [name]
    for option in registry.describe("branch", name).options.values():
        few = {bool: (True, False), int: (0, 1, 3), float: (0.5, 1.0)}.get(option.type, ())
        words += [f"{name}({option.name}={spell(v)})" for v in option.choices or few]
    return words


@pytest.mark.parametrize("name", registry.names("branch"))
def test_what_a_variant_takes_has_a_cost_and_can_be_built(name):
    """Too little width and too few heads are known from what the branch's class says."""
    for word in _words(name):
        for shape in ((3, 3), (5, 1), (2, 1)):
            try:
                variant(word, *shape)
            except InputError:
                continue
            for made in (BranchCost, BranchMaker):
                made(parse(word).branches[0], 2, (3, 2), False)(*shape)


def test_a_plug_ins_fusion_is_refused_where_it_makes_its_branches():
    for made in (BranchCost, BranchMaker):
        with pytest.raises(InputError, match="3 channels, and it needs at least 4"):
            made(Part("inception_dw"), 2, (3, 2), False)(3, 1)


def test_matched_widths_keep_what_a_word_needs():
    of_three = variant("deform(groups=3)", 24, 3)
    assert {shape.num_heads % 3 for shape in shapes_near(of_three, 0, 1.7, 20)} == {0}

"""A plug-in that is named and not used is said, with what to write."""

import pytest

from search.settings.comparison import ArmSettings, ComparisonSettings
from search.settings.study import BaselineSettings, StudySettings
from search.settings.unused_plugins import unused_plugins

FUSION = '''from hybrid_swin import Fusion


class Mean(Fusion):
    """The mean of the branches."""

    def __init__(self, dim, num_heads, makers):
        super().__init__()
'''
SOURCE = '''from hybrid_swin import Source


class Mine(Source):
    """Images of my own."""
'''
INSPECTION = '''from hybrid_swin import Inspection


class Look(Inspection):
    """A look."""
'''
PLAIN = {"choose": [["w_msa"], ["w_msa+mdta"]]}


def variant(blocks):
    return {"image_size": 8, "stages": [{"width": 8, "blocks": blocks}]}


def said(settings):
    return list(unused_plugins(settings))


def test_a_branch_that_no_block_uses_is_said(write_plugin):
    file = str(write_plugin("pool"))
    (message,) = said(StudySettings(plugins=[file], variant=variant(PLAIN)))
    assert message == (
        "plug-in pool.py: no block uses its word `pool`; add it to blocks, for example "
        "`blocks: {choose: [[w_msa], [pool]]}`"
    )
    (message,) = said(ComparisonSettings(plugins=[file], variant=variant(["w_msa"])))
    assert "add it to the arms, for example `arms: [{label: plain}, {add: pool}]`" in message


@pytest.mark.parametrize(
    "blocks",
    [
        ["pool"],
        {"choose": [["w_msa"], ["pool(kernel=3)+w_msa:gate"]]},
        [{"word": "{mixer}+conv", "mixer": {"choose": ["w_msa", "pool"]}}],
    ],
)
def test_a_branch_in_any_word_of_the_space_is_used(write_plugin, blocks):
    file = str(write_plugin("pool"))
    assert not said(StudySettings(plugins=[file], variant=variant(blocks)))


def test_a_name_that_only_contains_the_word_does_not_use_it(write_plugin):
    file = str(write_plugin("pool"))
    baseline = BaselineSettings(blocks=("pooled",), label="pool")
    assert said(StudySettings(plugins=[file], variant=variant(PLAIN), baselines=(baseline,)))


def test_baselines_arms_and_factors_use_it_too(write_plugin):
    file = str(write_plugin("pool"))
    baseline = BaselineSettings(set={"stages.0.blocks": ["pool"]})
    assert not said(StudySettings(plugins=[file], baselines=(baseline,)))
    for given in (
        {"arms": (ArmSettings(add="pool"),)},
        {"arms": (ArmSettings(blocks=("pool+w_msa",)),)},
        {"factors": {"base": [["w_msa"], ["pool"]]}},
    ):
        assert not said(ComparisonSettings(plugins=[file], **given))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("mean", FUSION, "`blocks: {choose: [[w_msa], [w_msa+conv:mean]]}`"),
        ("mine", SOURCE, "data.source is 'digits'; write `data: {source: mine}`"),
        ("look", INSPECTION, "give it to `inspect --plugin FILE --only look`"),
    ],
)
def test_other_parts_are_said_by_their_kind(write_plugin, name, text, words):
    (message,) = said(StudySettings(plugins=[str(write_plugin(name, text))]))
    assert message.startswith(f"plug-in {name}.py: ")
    assert words in message

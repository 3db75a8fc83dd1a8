import pytest

from hybrid_swin.errors import InputError
from search.space.templates import Template

PLACE = "stages.0.blocks.1"


def fill(text, **values):
    return Template(PLACE, text).fill(values)


@pytest.mark.parametrize(
    ("text", "values", "word"),
    [
        ("conv(kernel={kernel})+w_msa:{fusion}", {"kernel": 5, "fusion": "gate"}, None),
        ("mdta(depthwise={on})", {"on": False}, "mdta(depthwise=false)"),
        ("pointwise(ratio={r})", {"r": 1.5}, "pointwise(ratio=1.5)"),
        ("{a}+{a}", {"a": "conv"}, "conv+conv"),
        ("{mixer}:{fusion}", {"mixer": "w_msa+mdta", "fusion": "gate"}, "w_msa+mdta:gate"),
        ("{mixer}:{fusion}", {"mixer": "w_msa", "fusion": "gate"}, "w_msa"),
        ("{m}:{f}", {"m": "conv(kernel=5)", "f": "split(ratio=1-3)"}, "conv(kernel=5)"),
        ("{word_1}", {"word_1": "w_msa"}, "w_msa"),
        ("w_msa", {}, "w_msa"),
    ],
)
def test_gaps_are_filled(text, values, word):
    assert fill(text, **values) == (word or "conv(kernel=5)+w_msa:gate")


def test_gaps_have_names():
    assert Template(PLACE, "{b}+{a}(x={b}):{c}").gaps == ("b", "a", "c")


@pytest.mark.parametrize("place", ["blocks", "stages.0.blocks", "stages.11.blocks.3"])
def test_a_word_stands_where_blocks_do(place):
    assert Template(place, "{a}").fill({"a": "conv"}) == "conv"


@pytest.mark.parametrize("place", ["", "stages.0", "stages.0.width", "recipe.flip", "xblocks.a"])
def test_elsewhere_no_word_stands(place):
    with pytest.raises(InputError, match=f"{place}: a word with gaps stands for a block word"):
        Template(place, "{a}")


@pytest.mark.parametrize("text", [None, 3, ["w_msa"], {"choose": ["w_msa"]}])
def test_a_word_is_text(text):
    with pytest.raises(InputError, match=r"stages\.0\.blocks\.1\.word must be text with gaps; got"):
        Template(PLACE, text)


@pytest.mark.parametrize("text", ["{}", "{0}", "{a b}", "{a", "a}", "{{a}}", "{a:3}", "{a.b}"])
def test_a_brace_that_is_no_gap(text):
    with pytest.raises(InputError, match=r"blocks\.1\.word: .* is not a gap; write {name}"):
        Template(PLACE, f"conv(kernel={text})")


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("{a}:{b}", {"a": "conv"}, r"blocks\.1: .*gap {b} and no value for it; give b: beside"),
        ("{kernel}", {"kernal": 3}, r"no value for it.*\(given without a gap: kernal\)"),
        ("{a}", {"a": "conv", "b": 3}, r"blocks\.1\.b: '{a}' has no gap {b}.*its gaps: a"),
        ("conv", {"b": 3}, "its gaps: none"),
        ("{a}", {"a": None}, r"blocks\.1\.a: None is not a piece of a word"),
        ("{a}", {"a": ["conv"]}, r"is not a piece of a word; give text, a number"),
        ("{a}", {"a": {"b": 1}}, "is not a piece of a word"),
        ("{a}:{f}", {"a": "conv", "f": "gaet"}, "'conv:gaet': unknown fusion .*mean 'gate'"),
        ("{a}" * 9, {"a": "w_msa+" * 20}, "block word .* has 1,080 characters; give at most"),
        ("{a}" * 334, {"a": "w_msa"}, r"blocks\.1\.word '{a}.* has 1,002 characters; give at most"),
    ],
)
def test_values_that_fill_no_gap(text, values, message):
    with pytest.raises(InputError, match=message):
        fill(text, **values)

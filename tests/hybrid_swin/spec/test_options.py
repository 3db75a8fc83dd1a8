import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.options import Option, spell

KERNEL = Option("kernel", None, (3, 5, 7), 3)
TEXT = Option("ratio", str, (), "equal")
NUMBER = Option("ratio", float, (), 2.0)
COUNT = Option("groups", int, (), 1)
TRUTH = Option("depthwise", bool, (), True)


@pytest.mark.parametrize(
    ("option", "value", "typed"),
    [
        (KERNEL, 7, 7),
        (KERNEL, 7.0, 7),
        (Option("per", None, ("channel", "pixel"), "pixel"), "channel", "channel"),
        (TEXT, "1-3", "1-3"),
        (TEXT, 2024, "2024"),
        (TEXT, True, "true"),
        (NUMBER, 2, 2.0),
        (COUNT, 4, 4),
        (TRUTH, False, False),
        (Option("path", None, (), required=True), {"any": "thing"}, {"any": "thing"}),
        (Option("column", str, (), None), None, None),
    ],
)
def test_a_fitting_value_is_typed(option, value, typed):
    found = option.check(value, "part")
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        (KERNEL, 4, "one of 3, 5, 7"),
        (KERNEL, None, "one of 3, 5, 7"),
        (KERNEL, [3], "one of 3, 5, 7"),
        (Option("kernel", None, (1, 3), 3), True, "one of 1, 3"),
        (Option("on", None, (True, 3), 3), 1, "one of true, 3"),
        (TEXT, None, "text"),
        (TEXT, ["a"], "text"),
        (TEXT, {"a": 1}, "text"),
        (NUMBER, "2", "a number of at most 1e+12"),
        (NUMBER, True, "a number of at most 1e+12"),
        (NUMBER, float("nan"), "a number of at most 1e+12"),
        (NUMBER, float("inf"), "a number of at most 1e+12"),
        (NUMBER, 10**400, "a number of at most 1e+12"),
        (NUMBER, -1e13, "a number of at most 1e+12"),
        (COUNT, 10**20, "a whole number of at most 4,294,967,296"),
        (COUNT, 1.0, "a whole number of at most 4,294,967,296"),
        (COUNT, True, "a whole number of at most 4,294,967,296"),
        (TRUTH, 1, "true or false"),
        (TRUTH, "yes", "true or false"),
        (Option("path", str, (), required=True), None, "text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_is_allowed(option, value, allowed):
    with pytest.raises(InputError) as error:
        option.check(value, "the part")
    assert "the part" in str(error.value)
    assert option.name in str(error.value)
    assert str(error.value).endswith(f"give {allowed}")


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        (COUNT, "4", 4),
        (NUMBER, "1e-3", 0.001),
        (TRUTH, "false", False),
        (TRUTH, "maybe", "maybe"),
        (TEXT, "007", "007"),
        (TEXT, "true", "true"),
        (TEXT, "1e3", "1e3"),
        (Option("mode", None, ("7", "true"), "7"), "7", "7"),
        (Option("mode", None, ("7", "true"), "7"), "true", "true"),
        (KERNEL, "5", 5),
        (KERNEL, "5.0", 5.0),
        (KERNEL, "big", "big"),
        (COUNT, "-4", -4),
        (COUNT, "07", "07"),  # Python's int and float would read these
        (COUNT, "1_1", "1_1"),
        (COUNT, "+7", "+7"),
        (COUNT, "\N{ARABIC-INDIC DIGIT SEVEN}", "\N{ARABIC-INDIC DIGIT SEVEN}"),
        (NUMBER, "-.5", -0.5),
        (NUMBER, "1_0.5", "1_0.5"),
        (NUMBER, "inf", "inf"),
        (NUMBER, ".", "."),
        (NUMBER, "e5", "e5"),
        (COUNT, "1" * 5000, float("inf")),  # which is refused
    ],
)
def test_a_words_text_is_read_for_the_option(option, text, value):
    found = option.read(text)
    assert found == value
    assert type(found) is type(value)


def test_values_are_spelt_as_in_yaml():
    assert [spell(v) for v in (True, False, 3, 0.5, "a")] == ["true", "false", "3", "0.5", "a"]


def test_two_numbers_in_a_word_are_a_range():
    scale = Option("scale", tuple, (), (0.08, 1.0))
    words = {".5-2": (0.5, 2.0), "0-4095": (0.0, 4095.0), "1-1": (1.0, 1.0), "1e-05-1": (1e-05, 1)}
    for text, typed in {"0.08-1": (0.08, 1.0), **words}.items():
        assert scale.read(text) == typed
        assert scale.read(spell(typed)) == typed
    for text in ("1", "1-0.5", "a-b", "0.1-0.2-0.3", "-1-1"):
        with pytest.raises(InputError, match="0-4095 in a word"):
            scale.check(scale.read(text), "part")

"""Messages on one line of a bounded length, whatever they quote."""

import pytest

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.plain_text import (
    LONGEST,
    csv_cell,
    harmless,
    latex,
    markdown,
    one_line,
    visible,
)


def test_a_short_message_stays_as_it_is():
    text = "unknown branch 'w_mas'; did you mean 'w_msa'? (größer, 图像)"
    assert one_line(text) == text


@pytest.mark.parametrize(
    "value",
    ["9" * 400, "a b " * 10_000, "x" * 3_000_000, "/".join(["folder"] * 900), "\x1b[31m" * 500],
)
def test_a_long_value_leaves_what_is_wrong_and_what_to_do(value):
    text = one_line(f"recipe.epochs must be a whole number; got {value}; give at most 30")
    assert len(text) <= LONGEST
    assert text.startswith("recipe.epochs must be a whole number")
    assert text.endswith("give at most 30")
    assert "[...]" in text
    assert text.isprintable()


def test_a_long_word_goes_before_the_sentence():
    text = one_line(f"config {'y' * 500!r} cannot be read: {'so it is, ' * 10}give another")
    assert text.count("[...]") == 1
    assert text.endswith(f"{'so it is, ' * 10}give another")


def test_unseen_characters_are_spelt_out_in_messages_and_hidden_elsewhere():
    assert one_line("a\nb\x1bc\u202ed\ud800") == "a b\\x1bc\\u202ed\\ud800"
    assert visible("a\nb") == "a\\nb"
    assert harmless("a\nb\x1bc\u202ed\xa0") == "a\nb?c?d\xa0"


def test_every_input_error_is_one_line():
    for error in (InputError("a\n\x1bb" * 10_000), unknown("branch", "z" * 100_000, ["w_msa"])):
        assert len(str(error)) <= LONGEST
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        (" @SUM(A1)", "' @SUM(A1)"),
        ("-x", "'-x"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        (-0.5, "-0.5"),
        (float("nan"), ""),
        (None, ""),
        (True, "true"),
        (("a", "b"), "a b"),
        ("a\nb\x1b[31m\u202ec\u200bd\r", "a?b?[31m?c?d?"),
        ("plain, with a comma", "plain, with a comma"),
    ],
)
def test_a_cell_is_one_line_and_no_formula(value, expected):
    assert csv_cell(value) == expected


def test_markdown_and_latex_show_what_is_there():
    text = "a_b|c\n[x](http://y) <b>\u202e $"
    assert markdown(text) == "a\\_b\\|c?[x]\\(http://y) \\<b\\>? \\$"
    assert latex("50% & a_b{c}\u200b") == "50\\% \\& a\\_b\\{c\\}?"
    assert latex("[a]") == "{}[a]"

"""Messages on one line of a bounded length, whatever they quote."""

import pytest

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.plain_text import LONGEST, harmless, one_line, visible


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

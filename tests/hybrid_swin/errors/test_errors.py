import pytest

from hybrid_swin.errors import InputError, did_you_mean, unknown
from hybrid_swin.spec.recipe import Recipe


def test_it_names_the_nearest_and_all_that_are_allowed():
    error = unknown("branch", "w_mas", {"w_msa", "conv"})
    assert isinstance(error, InputError)
    assert str(error) == "unknown branch 'w_mas'; did you mean 'w_msa'? (branches: conv, w_msa)"


def test_case_and_blanks_hide_no_slip():
    assert "did you mean 'bf16-mixed'?" in did_you_mean("BF16_Mixed ", ["32-true", "bf16-mixed"])
    assert did_you_mean("tyni", ["wide", "tiny"]) == "; did you mean 'tiny'?"
    assert "did you mean 'LaTeX'?" in str(unknown("format", "latex", ["LaTeX", "csv"]))
    with pytest.raises(InputError, match=r"got 'Balanced'; did you mean 'balanced'\?"):
        Recipe(class_weights="Balanced")


def test_it_suggests_nothing_far_away():
    assert str(unknown("fusion", "zzz", ["sum"])) == "unknown fusion 'zzz' (fusions: sum)"


def test_the_noun_is_put_in_the_plural():
    assert "(options of conv: none)" in str(unknown("option of conv", "a", []))


def test_any_value_can_be_unknown():
    assert "[1]" in str(unknown("branch", [1], ["conv"]))

import pytest

from hybrid_swin.errors import InputError
from search.space.checks import check_values, settings_of
from search.space.choices import Choice, Range

FIRST = {"a": 1, "b": 1, "c": 1}


def choice(path, *values):
    return Choice(path, values)


def check(identify, *parameters):
    check_values(parameters, {p.path: p.default for p in parameters}, identify)


def test_values_that_differ_somewhere_are_taken():
    """b is idle but for one value of a in fifty, which the first values do not have."""
    a, b = choice("a", *range(50)), choice("b", 1, 2, 3)
    check(lambda p: f"{p['a']} {p['b'] if p['a'] == 37 else ''}", a, b)


def test_values_that_never_differ_are_refused():
    with pytest.raises(InputError, match=r"^b: 1 and 3 are the same candidate whatever the other"):
        check(lambda p: f"{p['a']} {p['b'] % 2}", choice("a", 1, 2), choice("b", 1, 2, 3))


def test_a_value_that_some_others_refuse_is_taken():
    def identify(params):
        if params["b"] == 2 and params["a"] < 4:
            raise InputError("too small")
        return str(params)

    check(identify, choice("a", 1, 2, 3, 4), choice("b", 1, 2))


def test_a_value_that_all_others_refuse_is_not():
    def identify(params):
        if params["b"] == 2:
            raise InputError("not 2")
        return str(params)

    with pytest.raises(InputError, match=r"^b: 2 makes no network with any other values: not 2"):
        check(identify, choice("a", 1, 2), choice("b", 1, 2, 3))


def test_settings_begin_with_the_first_values_and_those_that_differ_in_one():
    parameters = [choice("a", 1, 2), choice("b", 1, 2), Range("c", 1, 3, 1, False)]
    found = list(settings_of(parameters, FIRST))
    assert found[0] == FIRST
    assert [f for f in found[:8] if f["c"] == 3] == [{"a": 1, "b": 1, "c": 3}]
    assert {tuple(f.values()) for f in found} >= {(2, 2, 3), (2, 1, 2), (1, 2, 1)}
    assert found == list(settings_of(parameters, FIRST))

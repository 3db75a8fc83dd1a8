"""Which executor is meant, and its options."""

from dataclasses import fields

import pytest

from hybrid_swin.errors import InputError
from search.settings.executor import executor_module, executor_names
from search.settings.given import resolve_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings


def settings(source=None, **overrides):
    return resolve_settings(StudySettings, source, overrides, DEFAULT_CONFIG)[0]


def test_trainings_run_on_this_machine_unless_another_executor_is_named():
    assert settings().executor == {"name": "local"}
    assert "executor" not in settings().fixed()


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ({"name": "loacl"}, r"unknown executor 'loacl'; did you mean 'local'"),
        ({"name": "local", "adress": 1}, r"unknown option of executor local 'adress'"),
        (
            {"name": "ray", "address": "a:1\nb"},
            r"executor.address 'a:1\\nb' must be auto or HOST:PORT",
        ),
        ({"name": "ray", "address": "--x"}, r"executor.address '--x' must be auto or HOST:PORT"),
        ({"name": "ray", "resources": {"a\r": 1}}, r"executor.resources has a character"),
        ({"name": 3}, r"executor needs a name \(.*local.*\), as in executor: \{name: local\}"),
    ],
)
def test_what_is_none_is_refused_before_any_work(executor, message):
    with pytest.raises(InputError, match=message):
        settings(executor=executor)


def test_every_text_of_every_executor_is_checked():
    """No option is known that would take several lines into a script or a command."""
    for name in executor_names():
        for field in fields(executor_module(name).Options):
            given = {"name": name, field.name: "a\nb"}
            for value in ("a\nb", ["a\nb"], {"a\nb": 1.0}):
                with pytest.raises(InputError) as error:
                    settings(executor={**given, field.name: value})
                assert "\n" not in str(error.value)


def test_another_name_leaves_the_options_of_the_first_behind():
    base = {**settings().to_dict(), "executor": {"name": "another", "address": "a"}}
    assert settings(base, **{"executor.name": "local"}).executor == {"name": "local"}
    with pytest.raises(InputError, match="unknown executor 'another'"):
        settings(base, **{"executor.address": "b"})


def test_an_executor_is_a_file_with_options_and_a_start():
    assert "local" in executor_names()
    for name in executor_names():
        module = executor_module(name)
        assert module.__doc__ and module.Options() and callable(module.start)

"""Which executor is meant, and its options."""

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
        ({"name": 3}, r"executor needs a name \(.*local.*\), as in executor: \{name: local\}"),
    ],
)
def test_what_is_none_is_refused_before_any_work(executor, message):
    with pytest.raises(InputError, match=message):
        settings(executor=executor)


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

"""Which executor places the trainings, and its options.

An executor is a file in ``search/execution/executors``, and its name is the file's stem. The file
holds a dataclass ``Options`` and a function ``start(options, place)``; see
``search.execution.job``. It is imported here by its name, and imports nothing slow at its top.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.values import check_numbers, check_texts
from hybrid_swin.system.schema import build_settings

_PACKAGE = "search.execution.executors"
_FOLDER = Path(__file__).parents[1] / "execution" / "executors"


def executor_names() -> list[str]:
    """All executors, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.py") if not file.stem.startswith("_"))


def executor_module(name: str) -> Any:
    """The module of an executor. Raises InputError for an unknown name."""
    if name not in executor_names():
        raise unknown("executor", name, executor_names())
    return importlib.import_module(f"{_PACKAGE}.{name}")


def check_executor(executor: Mapping[str, Any]) -> None:
    """Check what an executor can tell at once, by its function ``check(options)`` if it has one.

    Raises InputError as `executor_options`, and for what is missing here.
    """
    check = getattr(executor_module(executor["name"]), "check", None)
    if check is not None:
        check(executor_options(executor))


def executor_options(executor: Mapping[str, Any]) -> Any:
    """The ``Options`` of the executor that a mapping such as ``{name: ray, address: A}`` names.

    Raises InputError for an unknown executor or option, or a value that it does not take.
    """
    given = dict(executor)
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise InputError(
            f"executor needs a name ({', '.join(executor_names())}), as in executor: "
            f"{{name: local}}; got {dict(executor)!r}"
        )
    options = executor_module(name).Options
    known = [field.name for field in fields(options)]
    for option in given:
        if option not in known:
            raise unknown(f"option of executor {name}", option, known)
    built = build_settings(options, given, "executor.")
    check_numbers(built, "executor.")
    check_texts(built, "executor.")
    return built

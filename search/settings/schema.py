"""Plain data checked against the type hints of a dataclass: what a record's file may hold.

Unknown keys are ignored, so that a study of a later program with the same ``schema_version`` can be
read; a missing key takes the field's default. Everything else that does not fit is refused.
"""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hybrid_swin.system.files import shortened

Record = TypeVar("Record")

_DEEPEST = 32  # levels of nested plain values: a variant in a run has five
_MOST = 2**63 - 1  # whole numbers that NumPy and databases take


class SchemaError(ValueError):
    """Data does not fit; the message says where and why."""


def check_version(data: Mapping[str, Any], known: int) -> None:
    """Check ``schema_version``.

    Raises:
        SchemaError: there is none, or it is not a whole number of at least 1.
        FutureVersionError: it is of a later program.
    """
    version = data.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SchemaError(f"schema_version is {_shown(version)}, not {known}")
    if version > known:
        raise FutureVersionError(version, known)


class FutureVersionError(Exception):
    """Data of a later program: it is whole, but this program cannot know what it means."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(
            f"schema_version {shortened(version)} is of a later program, this one reads up to "
            f"{known}; use the program's version that wrote it"
        )


def build(
    cls: type[Record],
    data: Mapping[str, Any],
    *,
    least: Mapping[str, float] | None = None,
    null_is_nan: bool = False,
    path: str = "",
) -> Record:
    """A dataclass from plain data.

    Args:
        cls: the dataclass.
        data: values by field name; lists where the dataclass has tuples.
        least: lower bounds of numbers, by field name.
        null_is_nan: whether null stands for NaN where a number belongs, as in results.
        path: of the data in its file, for messages, such as ``objective.``.

    Raises:
        SchemaError: a missing field, a value of another type or outside its range.
        InputError: what the dataclass itself refuses.
    """
    hints = _hints(cls)  # type: ignore[arg-type]  # classes are hashable
    values: dict[str, Any] = {}
    for field in fields(cls):  # type: ignore[arg-type]  # a dataclass
        if field.name in data:
            value = _checked(
                hints[field.name], data[field.name], f"{path}{field.name}", null_is_nan
            )
            values[field.name] = value
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SchemaError(f"{path}{field.name} is missing")
    for name, bound in (least or {}).items():
        value = values.get(name)
        if isinstance(value, int | float) and value < bound:
            raise SchemaError(f"{path}{name} is {_shown(value)}, but must be at least {bound:g}")
    return cls(**values)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _checked(hint: Any, value: Any, path: str, null_is_nan: bool) -> Any:
    """The value as the hint has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return _plain(value, path, 0)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, path, null_is_nan)
    if origin is Literal:
        if not isinstance(value, str | int | bool) or value not in inner:
            raise SchemaError(f"{path} is {_shown(value)}, not one of {', '.join(map(str, inner))}")
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "a mapping")
        return build(hint, value, null_is_nan=null_is_nan, path=f"{path}.")
    if origin in (dict, Mapping):
        return _mapping(inner, value, path, null_is_nan)
    if origin in (tuple, list, Sequence):
        if not isinstance(value, list | tuple):
            raise _wrong(path, value, "a list")
        items = [_checked(inner[0], v, f"{path}.{i}", null_is_nan) for i, v in enumerate(value)]
        return items if origin is list else tuple(items)
    return _scalar(hint, value, path, null_is_nan)


def _one_of(hints: Sequence[Any], value: Any, path: str, null_is_nan: bool) -> Any:
    if value is None and type(None) in hints:
        return None
    first: SchemaError | None = None
    for hint in hints:
        try:
            return _checked(hint, value, path, null_is_nan and type(None) not in hints)
        except SchemaError as error:
            first = first or error
    raise first or _wrong(path, value, "known")


def _mapping(inner: Sequence[Any], value: Any, path: str, null_is_nan: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong(path, value, "a mapping by names")
    if inner[1] is float:  # metrics of ten thousand runs: no call for each number
        return {
            key: item
            if type(item) is float and -math.inf < item < math.inf
            else _scalar(float, item, f"{path}.{key}", null_is_nan)
            for key, item in value.items()
        }
    return {k: _checked(inner[1], v, f"{path}.{k}", null_is_nan) for k, v in value.items()}


def _scalar(hint: Any, value: Any, path: str, null_is_nan: bool) -> Any:
    if hint is float:
        if value is None and null_is_nan:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(path, value, "a number")
        if not abs(value) <= 1e300:  # NaN and infinities as well
            raise SchemaError(f"{path} is {_shown(value)}, which is not a usable number")
        return value
    if hint is int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(path, value, "a whole number")
        if abs(value) > _MOST:
            raise SchemaError(f"{path} is {_shown(value)}, which is too large")
        return value
    names = {str: "text", bool: "true or false", type(None): "null"}
    if not isinstance(value, hint):
        raise _wrong(path, value, names.get(hint, getattr(hint, "__name__", str(hint))))
    return value


def _plain(value: Any, path: str, depth: int) -> Any:
    """Any plain value, not nested without end and without numbers that nothing can hold."""
    if depth > _DEEPEST:
        raise SchemaError(f"{path.partition('.')[0]} is nested too deeply")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str | int | float | bool) for key in value):
            raise _wrong(path, value, "a mapping by names")
        return {k: _plain(v, f"{path}.{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}.{i}", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, int) and abs(value) > _MOST:
        raise SchemaError(f"{path} is {_shown(value)}, which is too large")
    return value


def _wrong(path: str, value: Any, wanted: str) -> SchemaError:
    return SchemaError(f"{path} is {_shown(value)}, not {wanted}")


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > _MOST:
        return "a number of very many digits"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"a {type(value).__name__}"

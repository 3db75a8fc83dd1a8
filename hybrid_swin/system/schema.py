"""Plain data checked against the type hints of a dataclass: settings, and records in files.

Unknown keys of a record are ignored, so that a study of a later program with the same
``schema_version`` can be read; those of settings are refused, as is all else that does not fit. A
missing key takes the field's default. A dataclass may have ``spelled_out``, which gives what was
written with the values of what it names, such as a preset.
"""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import (
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from hybrid_swin.errors import InputError, did_you_mean, quote, unknown
from hybrid_swin.system.files import shortened

Record = TypeVar("Record")

_DEEPEST = 32  # levels of nested plain values: a variant in a run has five
_MOST = 2**63 - 1  # whole numbers that NumPy and databases take
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


class SchemaError(ValueError):
    """Data does not fit; the message says where and why."""


class FutureVersionError(Exception):
    """Data of a later program: it is whole, but this program cannot know what it means."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(
            f"schema_version {shortened(version)} is of a later program, this one reads up to "
            f"{known}; use the program's version that wrote it"
        )


@dataclass(frozen=True)
class _Rules:
    null_is_nan: bool = False
    settings: bool = False
    texts: bool = False  # refuse empty ones


def check_version(data: Mapping[str, Any], known: int) -> None:
    """Check ``schema_version``.

    Raises:
        SchemaError: there is none, or it is not a whole number of at least 1.
        FutureVersionError: it is of a later program.
    """
    version = data.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SchemaError(f"schema_version must be {known}; got {_got(version)}")
    if version > known:
        raise FutureVersionError(version, known)


def build(
    cls: type[Record],
    data: Mapping[str, Any],
    *,
    least: Mapping[str, float] | None = None,
    null_is_nan: bool = False,
    path: str = "",
) -> Record:
    """A dataclass from the plain data of a record.

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
    for name, bound in (least or {}).items():
        value = data.get(name)
        if isinstance(value, int | float) and value < bound:
            raise SchemaError(f"{path}{name} must be at least {bound:g}; got {_got(value)}")
    return _build(cls, data, path, _Rules(null_is_nan))


def build_settings(cls: type[Record], data: Mapping[str, Any], path: str = "") -> Record:
    """A dataclass from what a user wrote: in a file, on the command line.

    Texts may be empty in fields that ``clearable`` of the dataclass names: that undoes what an
    earlier file gave. Raises InputError for an unknown setting, an empty one, a value of another
    type, or what the dataclass itself refuses.
    """
    try:
        return _build(cls, data, path, _Rules(settings=True, texts=True))
    except SchemaError as error:
        raise InputError(str(error)) from None


def check_arguments(function: Callable[..., Any], **given: Any) -> None:
    """Check arguments of a public function against its type hints, as settings are checked.

    Raises InputError.
    """
    for name, value in given.items():
        plain = value.tolist() if hasattr(value, "tolist") else value  # of numpy
        try:
            _checked(hints_of(function)[name], plain, name, _Rules(settings=True))
        except SchemaError as error:
            raise InputError(str(error)) from None


def dataclass_in(hint: Any) -> type | None:
    """The dataclass that a setting consists of, also one that may be left out; else None."""
    for inner in (hint, *(_kind(hint).inner if _kind(hint).is_union else ())):
        if _kind(inner).is_dataclass:
            return cast("type", inner)
    return None


@cache
def hints_of(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, or of a function's arguments."""
    return get_type_hints(cls)


class _Field(NamedTuple):
    """What is to be known of a dataclass's field."""

    name: str
    hint: Any
    is_needed: bool
    is_clearable: bool


class _Kind(NamedTuple):
    """A hint taken apart."""

    origin: Any
    inner: tuple[Any, ...]
    is_union: bool
    is_dataclass: bool


# Both are asked for every value of ten thousand runs.
@cache
def _fields_of(cls: Any) -> tuple[_Field, ...]:
    hints, clearable = hints_of(cls), getattr(cls, "clearable", ())
    return tuple(
        _Field(
            field.name,
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
            field.default == "" and field.name in clearable,
        )
        for field in fields(cls)
    )


@cache
def _kind(hint: Any) -> _Kind:
    origin = get_origin(hint)
    of_fields = isinstance(hint, type) and is_dataclass(hint)
    return _Kind(origin, get_args(hint), origin in (Union, types.UnionType), of_fields)


def _build(cls: type[Record], data: Mapping[str, Any], path: str, rules: _Rules) -> Record:
    data = getattr(cls, "spelled_out", lambda given: given)(data)
    of_class = _fields_of(cls)  # type: ignore[arg-type]  # classes are hashable
    if rules.settings:
        names = [field.name for field in of_class]
        for key in data:
            if key not in names:
                raise unknown(f"setting of {path[:-1]}" if path else "setting", key, names)
    values: dict[str, Any] = {}
    for name, hint, is_needed, is_clearable in of_class:
        if is_clearable and data.get(name) == "":
            values[name] = ""
        elif name in data:
            values[name] = _checked(hint, data[name], f"{path}{name}", rules)
        elif is_needed:
            raise SchemaError(f"{path}{name} is missing")
    return cls(**values)


def _checked(hint: Any, value: Any, path: str, rules: _Rules) -> Any:
    """The value as the hint has it."""
    if hint is Any:
        return _plain(value, path, 0)
    origin, inner, is_union, of_fields = _kind(hint)
    if value is None and rules.settings and type(None) not in inner:
        raise SchemaError(f"{path} is empty; give a value, or leave it out for its default")
    if is_union:
        return _one_of(hint, value, path, rules)
    if origin is Literal:
        if not isinstance(value, str | int | bool) or value not in inner:
            raise _wrong(path, value, hint)
        return value
    if of_fields:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, hint)
        return _build(hint, value, f"{path}.", rules)
    if origin in (dict, Mapping):
        return _mapping(hint, value, path, rules)
    if origin in (tuple, list, Sequence):
        if not isinstance(value, list | tuple):
            raise _wrong(path, value, hint)
        if origin is tuple and ... not in inner and len(value) != len(inner):
            raise SchemaError(f"{path} must be a list of {len(inner)}; got {_got(value)}")
        items = [_checked(inner[0], item, f"{path}.{i}", rules) for i, item in enumerate(value)]
        return items if origin is list else tuple(items)
    return _scalar(hint, value, path, rules)


def _one_of(hint: Any, value: Any, path: str, rules: _Rules) -> Any:
    choices = _kind(hint).inner
    if value is None and type(None) in choices:
        return None
    if value == "" and rules.texts and str in choices:
        raise _empty(path)
    within: SchemaError | None = None  # what is wrong in a list or mapping, rather than with it
    for inner in choices:
        try:
            return _checked(inner, value, path, rules)
        except SchemaError as error:
            if str(error).startswith(f"{path}."):
                within = error
    raise within or _wrong(path, value, hint)


def _mapping(hint: Any, value: Any, path: str, rules: _Rules) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong(path, value, hint)
    inner = _kind(hint).inner[1]
    if inner is float:  # metrics of ten thousand runs: no call for each number
        return {
            key: item
            if type(item) is float and -math.inf < item < math.inf
            else _scalar(float, item, f"{path}.{key}", rules)
            for key, item in value.items()
        }
    return {k: _checked(inner, v, f"{path}.{k}", rules) for k, v in value.items()}


def _scalar(hint: Any, value: Any, path: str, rules: _Rules) -> Any:
    if hint is float:
        if value is None and rules.null_is_nan:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(path, value, hint)
        if not abs(value) <= 1e300:  # NaN and infinities as well
            raise SchemaError(f"{path} is {_got(value)}, which is not a usable number")
        return float(value)
    if hint is int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(path, value, hint)
        if abs(value) > _MOST:
            raise SchemaError(f"{path} is {_got(value)}, which is too large")
        return value
    if not isinstance(value, hint):
        raise _wrong(path, value, hint)
    if rules.texts and value == "":
        raise _empty(path)
    return value


def _plain(value: Any, path: str, depth: int) -> Any:
    """Any plain value, not nested without end and without numbers that nothing can hold."""
    if depth > _DEEPEST:
        raise SchemaError(f"{path.partition('.')[0]} is nested too deeply")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str | int | float | bool) for key in value):
            raise SchemaError(f"{path} must be a mapping by names; got {_got(value)}")
        return {k: _plain(v, f"{path}.{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}.{i}", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, int) and abs(value) > _MOST:
        raise SchemaError(f"{path} is {_got(value)}, which is too large")
    if not isinstance(value, str | int | float | None):
        raise SchemaError(f"{path} must be a plain value; got {_got(value)}")
    return value


def _wrong(path: str, value: Any, hint: Any) -> SchemaError:
    choices = [str(choice) for choice in _choices(hint)]
    slip = did_you_mean(value, choices) if isinstance(value, str) else ""
    return SchemaError(f"{path} must be {_in_words(hint)}; got {_got(value)}{slip}")


def _empty(path: str) -> SchemaError:
    return SchemaError(f"{path} is empty; give a text, or leave it out")


def _choices(hint: Any) -> tuple[Any, ...]:
    kind = _kind(hint)
    if kind.is_union:
        return tuple(choice for inner in kind.inner for choice in _choices(inner))
    return kind.inner if kind.origin is Literal else ()


def _in_words(hint: Any) -> str:
    """What fits a type, such as "a whole number or auto"."""
    kind = _kind(hint)
    if kind.is_union:
        return " or ".join(_in_words(i) for i in kind.inner if i is not type(None))
    if kind.origin is Literal:
        return "one of " * (len(kind.inner) > 1) + ", ".join(map(str, kind.inner))
    if kind.is_dataclass:
        first = ", ".join(f"{field.name}:" for field in _fields_of(hint)[:3])
        return f"a mapping with settings such as {first}"
    origin = kind.origin or hint
    if origin in (dict, Mapping):
        return "a mapping by names"
    return "a list" if origin in (tuple, list, Sequence) else _WORDS.get(hint, origin.__name__)


def _got(value: Any) -> str:
    if isinstance(value, int) and abs(value) > _MOST:
        return "a number of very many digits"
    try:
        return quote(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"

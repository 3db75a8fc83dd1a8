"""Options of commands, declared by dataclasses; argparse splits words and prints help.

A field ``epochs: int = 30`` is the option ``--epochs 30``, explained by its entry in the class's
docstring. A field that is a dataclass brings its own as ``--recipe.epochs``; below a mapping any
name is an option, as in ``--data.options.path``. Values are read as those in a YAML file, texts as
they stand; what fits is judged when the dataclass is built (`hybrid_swin.system.schema`).
"""

import inspect
import re
from argparse import SUPPRESS, Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.system.changes import in_list, nested
from hybrid_swin.system.program import as_called
from hybrid_swin.system.schema import build_settings, dataclass_in, hints_of
from hybrid_swin.system.yaml_files import DifferentlyRead, parse_yaml, read_yaml

Built = TypeVar("Built")

SETTINGS_FILES = (".yaml", ".yml", ".json")
_LONGEST_TEXT = 10_000  # characters of a value that is text: a path, a list of inspections
_BOOLEANS = ("true", "false", "yes", "no", "on", "off")
_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", bool: ""}


class Options(ArgumentParser):
    """The options of one command.

    Args:
        command: what is typed for it, such as ``search.py run``.
        options: a dataclass, whose docstring is the command's help.
        positional: the field that words without ``--`` are for, if any.
        further: the field that all but the first of them are for, if it is another one.
    """

    def __init__(
        self, command: str, options: type, positional: str = "", further: str = ""
    ) -> None:
        about, _, examples = inspect.cleandoc(options.__doc__ or "").partition("Examples:\n")
        super().__init__(
            prog=command,
            usage=f"%(prog)s [options] {positional} {further and f'[{further} ...]'}".rstrip(),
            description=about.partition("\nArgs:")[0],
            epilog=as_called(examples) and f"examples:\n{as_called(examples)}",
            formatter_class=RawDescriptionHelpFormatter,  # keeps the line breaks of examples
            allow_abbrev=False,
        )
        self.positional, self.further = positional, further
        self.hints: dict[str, Any] = {}  # types of all options, by path
        self._spelled: dict[str, str] = {}
        self.declare(options, dashes=True)

    def declare(self, options: type, path: str = "", dashes: bool = False) -> "Options":
        """Add the fields of a dataclass below a path such as ``recipe.``; - and _ are the same.

        With ``dashes`` they are spelled so in help, as those that are not settings of a file.
        """
        about, summary = explained_fields(options), (options.__doc__ or "").partition("\n")[0]
        group = self.add_argument_group(path[:-1], summary) if path else self
        hints = hints_of(options)
        for field in fields(options):
            place, hint = f"{path}{field.name}", hints[field.name]
            self.hints[place] = hint
            self._spelled[place] = f"--{place.replace('_', '-') if dashes else place}"
            text = about.get(field.name, "") + _default(field)
            keywords: dict[str, Any] = {"action": _Given, "help": text.replace("%", "%%")}
            if place == self.positional:
                self.add_argument(place, nargs="*", **keywords)
                keywords["help"] = SUPPRESS  # as an option it may be written too
            keywords |= {"dest": place, "metavar": _metavar(hint)}
            group.add_argument(self._spelled[place], **keywords)
        for field in fields(options):
            if inner := dataclass_in(hints[field.name]):
                self.declare(inner, f"{path}{field.name}.")
        return self

    def read(self, words: Sequence[str]) -> list[tuple[str, Any]]:
        """What the words give.

        Raises InputError for an unknown option, one without a value, or a value that cannot be
        read.
        """
        given: list[tuple[str, str]] = []
        bare: list[str] = []  # words without an option
        kept = Namespace(given=given, bare=bare)
        _, stray = self.parse_known_intermixed_args(self._prepared(words), kept)
        if bare[1:] and get_origin(self.hints[self.further or self.positional]) is not tuple:
            stray = bare[1:]
        if stray:
            raise self._stray(stray[0])
        return [(path, _value(path, text, self.hints[path])) for path, text in given]

    def build(self, cls: type[Built], words: Sequence[str]) -> Built:
        """The dataclass that the words describe. Raises as ``read``, and for what does not fit."""
        return self.built(cls, self.read(words))

    def built(self, cls: type[Built], given: Iterable[tuple[str, Any]]) -> Built:
        """The dataclass of what was given; an option for a list adds to it each time."""
        lists: dict[str, list[Any]] = {}
        changes = []
        for path, value in given:
            if get_origin(self.hints[path]) is tuple:
                value = lists[path] = [*lists.get(path, ()), *value]
            changes.append((path, value))
        content = nested(changes, cls)
        missing = [
            field.name if field.name == self.positional else self._spelled[field.name]
            for field in fields(cls)  # type: ignore[arg-type]  # a dataclass
            if field.default is field.default_factory is MISSING and field.name not in content
        ]
        if missing:
            raise InputError(f"{self.prog} needs {', '.join(missing)}; --help says more")
        return build_settings(cls, content)

    def error(self, message: str) -> NoReturn:
        """Raise InputError, rather than print how the command is used and exit."""
        raise InputError(message.removeprefix("argument "))

    def _prepared(self, words: Sequence[str]) -> list[str]:
        """The words such that argparse knows each option and takes its value for one."""
        prepared, rest = [], deque(words)
        while rest:
            word = rest.popleft()
            name, equals, value = word.partition("=")
            if "\0" in word:
                raise InputError(f"{word!r} holds a zero byte; leave it out")
            if "--" in (word, value):
                raise InputError(f"{word!r}: '--' alone is not a value; leave it out")
            if name.startswith("--"):
                path = self._declared(name.removeprefix("--"))
                following = rest[0] if rest else ""
                flag = self.hints.get(path) is bool and not equals
                alone = flag and following.lower() not in _BOOLEANS
                name = self._spelled.get(path, name)
                word = f"{name}=true" if alone else f"{name}{equals}{value}"
                if path in self.hints and not (flag or equals) and _is_negative(following):
                    word = f"{name}={rest.popleft()}"  # argparse takes -1e-3 for an option
            prepared.append(word)
        return prepared

    def _declared(self, path: str) -> str:
        """The path of an option as it is declared; one below a mapping becomes declared."""
        if path.replace("-", "_") in self.hints:
            return path.replace("-", "_")
        above, hint = path, None
        while hint is None and above:
            above = above.rpartition(".")[0]
            hint = self.hints.get(above)
        for inner in (hint, *get_args(hint)):
            if get_origin(inner) in (dict, Mapping) or hint is Any:
                self.hints[path] = Any if hint is Any else get_args(inner)[1]
                self.add_argument(f"--{path}", action=_Given, dest=path)
                break
            if get_origin(inner) in (tuple, list, Sequence):
                raise in_list(f"--{path}", f"--{above}")
        return path

    def _stray(self, word: str) -> InputError:
        name = word.partition("=")[0]
        if name.endswith(SETTINGS_FILES) and "config" in self.hints:
            return InputError(f"stray argument {name!r}; give a file as --config {name}")
        if not name.startswith("-"):
            return InputError(f"stray argument {name!r}; options are written --name value")
        known = list(self._spelled.values())
        near = [option for option in known if option.startswith(name.rpartition(".")[0] or "--")]
        error = unknown("option", name, near or known)
        return InputError(str(error).partition(" (")[0] + "; --help lists all")


def _is_negative(word: str) -> bool:
    """Whether it is a number below zero, such as -1e-3, -.5 or -inf."""
    try:
        float(word)
    except ValueError:
        return False
    return word.startswith("-")


class _Given(Action):
    """Notes an option and its text, in the order of the command line."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: Any = None
    ) -> None:
        if option:
            namespace.given.append((self.dest, values))
            return
        for value in values:
            further = getattr(parser, "further", "") if namespace.bare else ""
            namespace.given.append((further or self.dest, value))
            namespace.bare.append(value)


def _value(path: str, text: str, hint: Any) -> Any:
    """The value that a word means for an option of this type; no mapping of nothing."""
    value = _read(path, text, hint)
    if value == {}:
        raise InputError(
            f"--{path} {text}: a mapping without names changes nothing; leave it out, or give "
            f"values as --{path}.NAME VALUE"
        )
    return value


def _read(path: str, text: str, hint: Any) -> Any:
    kinds = set(get_args(hint)) - {type(None), ...} or {hint}
    listed = get_origin(hint) in (tuple, Sequence)
    if kinds == {str} and not (listed and text.startswith("[")):
        if len(text) > _LONGEST_TEXT:
            raise InputError(f"--{path}: a value of {len(text):,} characters; give a shorter one")
        return [text] if listed else None if text == "null" and hint is not str else text
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"--{path} holds bytes that are not UTF-8: {text!r}")
    if dataclass_in(hint) and text.endswith(SETTINGS_FILES):
        return read_yaml(text, f"--{path} {text!r}")
    try:
        value = parse_yaml(text, f"--{path}")
    except DifferentlyRead as error:
        raise InputError(str(error).replace(": line 1: ", ": ", 1)) from None
    except InputError:
        value = text  # which may be fit for the type
    return [value] if listed and not isinstance(value, list) else value


def commands_help(
    program: str, description: str, commands: Mapping[str, str], epilog: str = ""
) -> str:
    """Help on all commands of a program, by what each does."""
    longest = max(map(len, commands))
    listed = "\n".join(f"  {name:<{longest}}  {about}" for name, about in commands.items())
    return (
        f"usage: {program} COMMAND [options]\n\n{description.strip()}\n\ncommands:\n{listed}\n\n"
        f"{program} COMMAND --help lists the options of a command.\n\n{epilog}".strip()
    )


def explained_fields(options: type) -> dict[str, str]:
    """What the docstrings of a dataclass and its parents say of each field, a line each."""
    about: dict[str, str] = {}
    for cls in reversed(options.__mro__):
        about |= explained_arguments(cls.__doc__ or "")
    return about


def explained_arguments(docstring: str) -> dict[str, str]:
    """The entries below ``Args:``, a line each."""
    section = inspect.cleandoc(docstring).partition("Args:\n")[2].partition("\n\n")[0]
    _, *entries = re.split(r"^ {4}(\w+): ", section, flags=re.MULTILINE)
    texts = (" ".join(text.split()) for text in entries[1::2])
    return dict(zip(entries[::2], texts, strict=True))


def _metavar(hint: Any) -> str:
    """What stands for a value in help; nothing for true, which need not be written."""
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    kinds = [kind for kind in get_args(hint) if kind not in (type(None), ...)]
    if get_origin(hint) in (dict, Mapping) or not kinds:
        return _METAVARS.get(hint, "YAML")
    return "|".join(dict.fromkeys(map(_metavar, kinds)))


def _default(field: "Field[Any]") -> str:
    if field.default is MISSING:
        return "" if field.default_factory is not MISSING else " (required)"
    if field.default in (None, "", ()) or field.default is False:
        return ""
    if isinstance(field.default, tuple):
        return f" (default: {' '.join(map(str, field.default))})"
    return f" (default: {'true' if field.default is True else field.default})"

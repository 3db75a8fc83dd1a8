"""``--format json``: one answer on standard output, and nothing else there.

A command declares the option by one of the two classes here, and gives its answer to
`print_json` or `print_text`. Its door opens `answer_alone` around it, so that all else that
is printed (notes, progress, what a plug-in prints) goes to standard error.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TextIO

from hybrid_swin.system.files import json_ready

SCHEMA_VERSION = 1  # of every answer that does not bring the version of its file
_FOR_PROGRAMS = (("--format", "json"), ("--format", "csv"))

_answers: ContextVar[TextIO | None] = ContextVar("answers", default=None)


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    """Options of what prints a table.

    Args:
        format: what to print: a table for people, or json for programs, alone on standard output.
    """

    format: Literal["table", "json"] = "table"


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Options of what prints a table that can be CSV, too.

    Args:
        format: what to print: a table for people; csv or json for programs, alone on standard
            output.
    """

    format: Literal["table", "csv", "json"] = "table"


@contextmanager
def answer_alone(words: Sequence[str]) -> Iterator[None]:
    """Within it, only the answer goes to standard output, if the words ask for JSON or CSV.

    The words are looked at, since a plug-in may print before all of them have been read. Help is
    for people, whatever else is asked for.
    """
    helps = {"-h", "--help"} & set(words)
    line = [text for word in words for text in word.partition("=")[::2]]
    if helps or not any(pair in _FOR_PROGRAMS for pair in pairwise(filter(None, line))):
        yield
        return
    token = _answers.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.reset(token)


def print_json(content: Mapping[str, Any], one_line: bool = False) -> None:
    """Print an answer: names as in the files, numbers as numbers, NaN and infinities as null."""
    versioned = json_ready({"schema_version": SCHEMA_VERSION, **content})
    print_text(json.dumps(versioned, indent=None if one_line else 1, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """Print an answer that is text already."""
    print(text, end="", file=_answers.get() or sys.stdout, flush=True)

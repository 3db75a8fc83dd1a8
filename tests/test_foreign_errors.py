"""What code that is not ours raises is put into words by one function, which cannot fail itself."""

import ast
from pathlib import Path

import pytest

from hybrid_swin.errors.plain_text import described, message_of

ROOT = Path(__file__).parents[1]
FILES = [file for folder in ("hybrid_swin", "search") for file in (ROOT / folder).rglob("*.py")]


class Mute(Exception):
    """An exception of a user's own whose message cannot be had."""

    def __init__(self, error):
        self._error = error

    def __str__(self):
        raise self._error


class NoText(Exception):
    def __str__(self):
        return None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("too few"), "ValueError: too few"),
        (KeyError("a"), "KeyError: 'a'"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
        (Mute(RuntimeError("x")), "Mute: (its message cannot be read: RuntimeError)"),
        (Mute(SystemExit(1)), "Mute: (its message cannot be read: SystemExit)"),
        (NoText(), "NoText: (its message cannot be read: TypeError)"),
    ],
)
def test_any_exception_has_words(error, words):
    assert described(error) == words
    assert words.endswith(message_of(error))


def formatted(handler):
    """Lines of a handler that put its exception into a text by themselves."""
    for node in ast.walk(ast.Module(handler.body, [])):
        texts = []
        if isinstance(node, ast.FormattedValue):
            texts = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("str", "repr"):
            texts = node.args[:1]
        if any(isinstance(text, ast.Name) and text.id == handler.name for text in texts):
            yield node.lineno


def wide_handlers(source):
    """Those that catch whatever code raises."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.name:
            caught = {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)}
            if caught & {"Exception", "BaseException"}:
                yield node


def test_no_handler_of_all_exceptions_formats_one_itself():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: use described() or message_of() of plain_text"
        for file in FILES
        for handler in wide_handlers(file.read_text(encoding="utf-8"))
        for line in formatted(handler)
    ]
    assert wrong == []
    bad = "try: f()\nexcept (ValueError, Exception) as e: print(f'{e}', str(e))"
    (handler,) = wide_handlers(bad)
    assert list(formatted(handler)) == [2, 2]

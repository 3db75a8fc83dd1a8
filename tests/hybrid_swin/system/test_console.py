"""What stands in names, paths and messages is text: no markup, no emoji, no control codes."""

import ast
import io
from pathlib import Path

import pytest
from rich.progress import TextColumn
from rich.table import Table
from rich.text import Text

import search
from hybrid_swin.system.console import Console
from search.cli.main import main

HOSTILE = "r[b]x[/b] [/] :gate: [red]"
MODULES = sorted(Path(search.__path__[0]).rglob("*.py"))


def printed(*things, **options):
    console = Console(file=io.StringIO(), width=200, **options)
    for thing in things:
        console.print(thing)
    return console.file.getvalue()


def test_text_is_printed_as_it_stands_wherever_it_stands():
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    text = printed(HOSTILE, table, Text(HOSTILE))
    assert text.count(HOSTILE) == 6
    assert ":gate:" in printed(":gate: :smile:")
    assert ":smile:" in printed(":gate: :smile:")


@pytest.mark.parametrize("code", ["\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066", "\u2028"])
def test_control_codes_do_not_reach_the_terminal(code):
    table = Table("head")
    table.add_row(Text(f"a{code}b"))
    for soft_wrap in (True, False):
        console = Console(file=io.StringIO(), width=80)
        for thing in (f"a{code}b", Text(f"a{code}b"), table):
            console.print(thing, soft_wrap=soft_wrap)
        assert code not in console.file.getvalue()


def test_styles_still_reach_the_terminal():
    assert "\x1b[33m" in printed(Text("a", "yellow"), force_terminal=True, color_system="standard")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.stem)
def test_nobody_makes_a_console_or_markup_elsewhere(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if file.name == "console.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            assert node.module != "rich.markup"
            assert not (node.module == "rich.console" and "Console" in names) or (
                file.stem == "word_wrapping"  # the protocol of what can be printed
            )
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "TextColumn":
            assert "markup=False" in ast.unparse(node), TextColumn


def test_a_folder_with_brackets_is_named_as_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("r[b]x", "r[/b]"):
        assert main(["status", folder]) == 2
        assert folder in capsys.readouterr().err

"""No phrase that a user of timm stumbles over: each has a plain one that says the same.

In the README, the pages of docs and the configs every line is read; in the packages every comment
and every text with a space in it, which are docstrings and messages.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNIT = "one|line|row|panel|seconds|ms|MiB|steps|images|tokens|pixels|cells|values?|norm|word"
OF = "trial|difference|seed|class|run|stage|side|row|step|epoch|image|branch|head|arm|block|cell"
# What not to write, and what to write.
PHRASES = {
    r"\bdearest\b(?!:)": "highest-cost",
    r"\bcheapest\b(?!:)": "lowest-cost",
    r"\b(is|are|was) no(?! (longer|more|larger|smaller|better|worse|less|fewer|other))\b": "is not",
    r"\bwhere nothing is known\b": "if unknown",
    r"\b[Nn]one where\b": "None if",
    r"\bfor want of\b": "ran out of",
    r"\bbefell\b": "happened to",
    r"\bis to blame\b": "is the cause",
    r"\b(the user's to|must|something to) mend\b": "must fix",
    rf"\b({UNIT}) an? ({OF})\b(?! (got|has)\b)": "per",
    r"\bin case early\b": "because early scores can mislead",
    r"\bso many points or more\b": "at least N points",
    r"\bit chose and ordered nothing\b": "test scores were not used for selection or ranking",
}
# No names of variables, arguments, fields and functions: name the thing, `rows` or `message`.
PARTICIPLES = {"found", "told", "asked", "said", "ended", "shown", "settled"}
OF_FILES = {"status.py ended", "against_reference.py shown"}  # fields that are written by name
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "configs").rglob("*.yaml")),
]
SOURCES = [file for package in ("hybrid_swin", "search") for file in (ROOT / package).rglob("*.py")]


def texts(file):
    """Every text of a page or a source, on one line, with the number of its first."""
    source = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        told = token.type == tokenize.STRING and " " in token.string
        if told or token.type == tokenize.COMMENT:
            yield token.start[0], " ".join(token.string.split())


def stumbles(text):
    """The phrases in a text; "there is no ..." is plain."""
    for phrase in PHRASES:
        for found in re.finditer(phrase, text):
            if not re.search(r"\b[Tt]here $", text[: found.start()]):
                yield found[0], PHRASES[phrase]


@pytest.mark.parametrize("files", [PAGES, SOURCES], ids=["pages", "sources"])
def test_texts_are_plain(files):
    found = [
        f"{file.relative_to(ROOT)}:{line}: {words!r}; write {plain!r}"
        for file in files
        for line, text in texts(file)
        for words, plain in stumbles(text)
    ]
    assert not found, "\n".join(found)


def test_phrases_are_seen():
    for text in ("the dearest candidate", "'a' is no choice", "seconds a trial", "one a seed"):
        assert list(stumbles(text)), text
    for text in ("there is no file", "it is no longer there", "which images a run got right"):
        assert not list(stumbles(text)), text


def bound(tree):
    """Every name that a module binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def test_names_are_nouns():
    names = {
        f"{file.name} {name}"
        for file in SOURCES
        for name in bound(ast.parse(file.read_text(encoding="utf-8")))
        if name.strip("_").lower() in PARTICIPLES
    }
    assert names == OF_FILES

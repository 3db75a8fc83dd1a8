"""``begin.yaml``: a proposal as a file to go on from, with what was measured at its top."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.system.files import write_text_atomically

BEGIN_FILE = "begin.yaml"
_WIDTH = 100

_ABOVE = {
    "data": "the images; splits that are not given are drawn by these shares",
    "variant": "the network; {choose: [...]} is searched, one value is not",
    "recipe": "how each training goes",
    "budget": "what a network may cost at most",
    "baselines": "rows that every result is seen against",
    "trials": "candidates of the search",
    "rungs": "poor trials stop early",
    "finalists": "retrained from scratch over fresh seeds, and tested",
    "match": "how the arms are made equal",
    "learning_rates": "each arm chooses among these",
    "seeds": "paired seeds of every arm",
}


def write_begin_file(folder: Path, content: Mapping[str, Any], head: Sequence[str]) -> Path:
    """Write the file; one that was there and differs in settings is kept as ``begin.old.yaml``.

    Args:
        folder: of the study or comparison; made if missing.
        content: its settings.
        head: lines of the comment at the top.

    Raises:
        FileError: the system refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BEGIN_FILE
    settings = "".join(_section(key, value) for key, value in content.items())
    if path.is_file():
        before = path.read_text(encoding="utf-8", errors="replace")
        if _without_comments(before) != _without_comments(settings):
            os.replace(path, folder / "begin.old.yaml")
    comment = "".join(f"# {one_line(line)}".rstrip() + "\n" for line in head)
    write_text_atomically(path, comment + settings)
    return path


def _section(key: str, value: Any) -> str:
    lines = "\n".join(_lines(key, value))
    return (f"# {_ABOVE[key]}\n" if key in _ABOVE else "") + lines + "\n"


def _lines(key: str, value: Any) -> list[str]:
    """A setting on one line if it fits, else its parts below it, as the bundled files have it."""
    line = f"{key}: {_flow(value)}"
    if not isinstance(value, Mapping | list) or len(line) <= _WIDTH - 10:
        return [line]
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    below: list[str] = []
    for name, part in parts:
        if isinstance(value, Mapping):
            below += [f"  {text}" for text in _lines(str(name), part)]
        elif isinstance(part, Mapping) and len(_flow(part)) > _WIDTH - 10:
            inner = [text for inner, one in part.items() for text in _lines(inner, one)]
            below += [f"  {'- ' if not index else '  '}{text}" for index, text in enumerate(inner)]
        else:
            below.append(f"  - {_flow(part)}")
    return [f"{key}:", *below]


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))

"""``begin.yaml``: a proposal as a file to go on from, with what was measured at its top."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.system.files import write_text_atomically
from hybrid_swin.system.yaml_files import to_yaml

BEGIN_FILE = "begin.yaml"

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

    ``head`` holds the lines of the comment at the top. Raises FileError if the system refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BEGIN_FILE
    settings = "".join(map(_explained, to_yaml(content, flow=None).splitlines(keepends=True)))
    if path.is_file():
        before = path.read_text(encoding="utf-8", errors="replace")
        if _without_comments(before) != _without_comments(settings):
            os.replace(path, folder / "begin.old.yaml")
    comment = "".join(f"# {one_line(line)}".rstrip() + "\n" for line in head)
    write_text_atomically(path, comment + settings)
    return path


def _explained(line: str) -> str:
    key = line.partition(":")[0]
    return f"# {_ABOVE[key]}\n{line}" if key in _ABOVE else line


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))

"""``begin.yaml``: a proposal as a file to go on from, with what was measured at its top."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.system.files import FileError, explained, write_text_atomically
from hybrid_swin.system.yaml_files import parse_yaml, read_yaml, to_yaml
from search.records.proposal import Proposal, read_proposal, text_hash, write_proposal
from search.settings.experiment import differences

BEGIN_FILE = "begin.yaml"
_LONGEST = 1000  # characters of a comment
_NAMED, _LONG = 4, 60  # changes that are named, and characters of each

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


def check_not_edited(folder: Path, command: str) -> None:
    """Refuse to replace a file that is not as the program wrote it.

    ``command`` is what goes on from such a file, up to its path. Raises InputError, or FileError if
    the file cannot be read.
    """
    path = folder / BEGIN_FILE
    if not os.path.lexists(path):
        return
    known = read_proposal(folder)
    if known is None or known.written != _hash_of(path):
        edited = "was edited" if known else "was edited or is of an earlier version"
        raise InputError(
            f"{str(path)!r} {edited}, and a new proposal would replace it; go on from it with "
            f"`{command} {shlex.quote(str(path))}`, or move it away, or give another --name"
        )


def write_begin_file(
    folder: Path,
    content: Mapping[str, Any],
    head: Sequence[str],
    proposal: Proposal,
    command: str,
) -> tuple[Path, str]:
    """Write the file, and beside it what it is a proposal of.

    ``head`` holds the lines of the comment at the top. Raises as `check_not_edited`, or FileError
    if the system refuses.

    Returns:
        The file, and what is different in the one that was there, which is kept beside it.
    """
    check_not_edited(folder, command)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BEGIN_FILE
    settings = "".join(map(_explained, to_yaml(content, flow=None).splitlines(keepends=True)))
    text = "".join(f"# {one_line(line, _LONGEST)}".rstrip() + "\n" for line in head) + settings
    changes, replaced = _kept_beside(path, settings)
    write_proposal(folder, replace(proposal, written=text_hash(text), replaced=replaced))
    write_text_atomically(path, text)
    return path, changes


def _kept_beside(path: Path, settings: str) -> tuple[str, str]:
    """Move a file of other settings aside, but over no file that a person wrote.

    Returns:
        What differs, empty if nothing does; and a hash of the file that lies aside now.
    """
    known = read_proposal(path.parent)
    replaced = known.replaced if known else ""
    if not path.exists():
        return "", replaced
    before = read_yaml(path, BEGIN_FILE)
    changes = list(differences(before, parse_yaml(settings, BEGIN_FILE)))
    if not changes:
        return "", replaced
    old, number = path.with_name("begin.old.yaml"), 1
    while os.path.lexists(old) and (not old.is_file() or _hash_of(old) != replaced):
        number += 1
        old = path.with_name(f"begin.old.{number}.yaml")
    os.replace(path, old)
    more = f", and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    named = "; ".join(f"{one[:_LONG]}{'...' * (len(one) > _LONG)}" for one in changes[:_NAMED])
    return f"{path} held another plan, now in {old}: {named}{more}", _hash_of(old)


def _hash_of(path: Path) -> str:
    """Of a file's text. Raises FileError if the system refuses to read it."""
    try:
        return text_hash(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise FileError(explained(error, path)) from error


def _explained(line: str) -> str:
    key = line.partition(":")[0]
    return f"# {_ABOVE[key]}\n{line}" if key in _ABOVE else line

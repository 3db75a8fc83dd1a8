"""The journal file in which Optuna keeps a study: mended after a kill, or after damage.

It is a log that only grows, so its beginning, up to any line, is what the study was at some moment;
what is lost behind it is told again from the finished trials.
"""

import json
from itertools import takewhile
from pathlib import Path

from hybrid_swin.system.files import (
    DamagedFileError,
    MissingFileError,
    read_bytes,
    write_bytes_atomically,
)
from search.records.torn import Say, set_aside

JOURNAL = "optuna.journal"


def repair_journal(path: Path, say: Say = lambda text: None) -> None:
    """Take what is whole of a journal.

    A coordinator killed while writing leaves half a line. Optuna reads past it, but its next write
    would be glued to it and make the journal unreadable for good. Damage anywhere else is not a
    kill's: the file is set aside, and its lines before the damage are written anew. Raises
    FileError if the system refuses.
    """
    try:
        content = read_bytes(path)
    except MissingFileError:
        return
    except DamagedFileError as error:
        begin_again(path, error.reason, say)
        return
    lines = list(takewhile(_is_entry, content.splitlines(keepends=True)))
    whole = b"".join(lines)
    others = content[len(whole) :]
    if b"\n" in others:
        begin_again(path, f"line {len(lines) + 1} is not one of Optuna's", say, whole)
    elif others:
        write_bytes_atomically(path, whole)
        say(
            f"the Optuna journal ended in a torn line, as after a kill: its last {len(others)} "
            "bytes were cut off; nothing finished is lost"
        )


def begin_again(path: Path, reason: str, say: Say, whole: bytes = b"") -> None:
    """Set a damaged journal aside, and take what is whole of it."""
    torn = set_aside(path)
    if whole:
        write_bytes_atomically(path, whole)
    clause = "its whole lines before that are taken, and the rest is" if whole else "it is"
    say(
        f"{DamagedFileError(path, reason)}; it is kept as {torn.name}; {clause} made again from "
        "the finished trials"
    )


def _is_entry(line: bytes) -> bool:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return line.endswith(b"\n") and isinstance(data, dict) and isinstance(data.get("op_code"), int)

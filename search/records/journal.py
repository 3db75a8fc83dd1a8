"""The journal file in which Optuna keeps a study: mended after a kill, or after damage.

It is a log that only grows, so its beginning, up to any line, is what the study was at some moment;
what is lost behind it is told again from the finished trials.
"""

import json
import logging
from pathlib import Path

from hybrid_swin.system.files import (
    DamagedFileError,
    FileError,
    explained,
    write_bytes_atomically,
)
from search.records.torn import Say, set_aside

JOURNAL = "optuna.journal"
_THEN = "its whole lines before that are taken, and the rest is told again from the finished trials"


def repair_journal(path: Path, say: Say = lambda text: None) -> int:
    """Take what is whole of a journal; says how many bytes of a torn last line were cut off.

    A coordinator killed while writing leaves half a line. Optuna reads past it, but its next write
    would be glued to it and make the journal unreadable for good. Damage anywhere else is not
    a kill's: the file is set aside, and its lines before the damage are written anew.

    Args:
        path: of the journal.
        say: is told of damage, in one line.

    Raises:
        FileError: the system refuses.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0
    except IsADirectoryError:
        _begin_again(path, b"", "a folder stands where a file belongs", say)
        return 0
    except OSError as error:
        raise FileError(explained(error, path)) from error
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].splitlines(keepends=True)
    bad = next((index for index, line in enumerate(lines) if not _is_entry(line)), None)
    if bad is not None:
        _begin_again(path, b"".join(lines[:bad]), f"line {bad + 1} is not one of Optuna's", say)
        return 0
    if whole == len(content):
        return 0
    with path.open("r+b") as file:
        file.truncate(whole)
    logging.getLogger(__name__).info("cut %d bytes off %s", len(content) - whole, path)
    return len(content) - whole


def discard_journal(path: Path, reason: str, say: Say) -> None:
    """Set a journal aside that is none of this study; it is made again from the finished trials."""
    torn = set_aside(path)
    say(
        f"{DamagedFileError(path, reason)}; it is kept as {torn.name}, and made again from the "
        "finished trials"
    )


def _begin_again(path: Path, content: bytes, reason: str, say: Say) -> None:
    torn = set_aside(path)
    if content:
        write_bytes_atomically(path, content)
    say(f"{DamagedFileError(path, reason)}; it is kept as {torn.name}; {_THEN}")


def _is_entry(line: bytes) -> bool:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and isinstance(data.get("op_code"), int)

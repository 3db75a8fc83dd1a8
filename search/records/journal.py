"""The journal file in which Optuna keeps a study: mended after a kill."""

import logging
from pathlib import Path


def repair_journal(path: Path) -> int:
    """Cut a torn last line off a journal, and say how many bytes went.

    A coordinator killed while writing leaves half a line. Optuna reads past it, but its next write
    would be glued to it and make the journal unreadable for good.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return 0
    with path.open("r+b") as file:
        file.truncate(whole)
    logging.getLogger(__name__).info("cut %d bytes off %s", len(content) - whole, path)
    return len(content) - whole

"""Names go to many places, each with limits of its own: checked before anything is begun."""

import re

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import visible

# W&B's artifact `leaderboard-NAME` ends at 128 characters; a folder's name at 255 bytes, and files
# in it are replaced by way of longer names; PostgreSQL's column of Optuna's study names at 512.
MOST_NAME = 100
MOST_LABEL = 200  # of a row or an arm: a line of a table, a figure's legend
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # Windows'


def check_name(name: str) -> None:
    """Raise InputError for a study's or a comparison's name that some place does not take."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise InputError(
            f"name {name!r} becomes a folder and a W&B group; use letters, digits, '-', '_' and "
            "'.', the latter neither first nor last"
        )
    if _RESERVED.fullmatch(name):
        raise InputError(f"name {name!r} is a device on Windows, no folder; choose another")
    if len(name) > MOST_NAME:
        raise InputError(
            f"name {name!r} has {len(name)} characters; W&B and file systems take {MOST_NAME}"
        )


def check_folder(folder: str) -> None:
    """Raise InputError for a folder without a name, which would mean the working folder."""
    if not folder.strip():
        raise InputError(f"folder {folder!r} is empty; give one such as runs, or . for this one")


def is_taken(name: str) -> bool:
    """Whether every place takes a name."""
    try:
        check_name(name)
    except InputError:
        return False
    return True


def check_label(label: str, where: str) -> None:
    """Raise InputError for a label of a row, an arm, a cause or a factor that no table can hold."""
    if visible(label) != label or label != label.strip():
        raise InputError(
            f"{where} {label!r} holds line breaks, control characters or spaces at an end; write "
            "it on one line"
        )
    if len(label) > MOST_LABEL:
        raise InputError(f"{where} has {len(label):,} characters; give at most {MOST_LABEL}")

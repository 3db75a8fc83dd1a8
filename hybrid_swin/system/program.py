"""By which name the program was called: commands that it suggests run where they are read."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

# Two programs share the work; each knows the other's commands.
TRAINING = "python -m hybrid_swin"
TRAINING_COMMANDS = ("fit", "validate", "test", "predict", "export")
SEARCH_COMMANDS = (
    *("run", "compare", "space", "inspect", "attribution", "leaderboard", "status", "figures"),
    *("blocks", "cost", "export"),
)

_SCRIPT = "search.py"
_INSTALLED = "hybrid-swin"  # the console script
_ROOT = Path(__file__).resolve().parents[2]


def program() -> str:
    """The name for help: ``search.py`` or ``hybrid-swin``."""
    return _INSTALLED if door() == _INSTALLED else _SCRIPT


def door() -> str:
    """What to type for the door: ``hybrid-swin``, or ``python`` with the script as it was called.

    From other programs, such as ``python -m hybrid_swin``: the script where it lies in the working
    folder, or else the installed command.
    """
    called = sys.argv[0] if sys.argv else ""
    name = os.path.basename(called)
    if name.removesuffix(".exe") == _INSTALLED:
        return _INSTALLED
    if name == _SCRIPT:
        return f"python {shlex.quote(called)}"
    ours = os.path.join(os.path.basename(os.path.dirname(called)), name)
    if ours == os.path.join("hybrid_swin", "__main__.py") and not _in_checkout():
        return _INSTALLED
    return f"python {_SCRIPT}"


def of_the_other(words: Sequence[str], commands: Sequence[str], program: str) -> str | None:
    """A message on a command that the other program has; None if it has not.

    Args:
        words: of the command line, the command first.
        commands: of the other program.
        program: how that is called.
    """
    if not words or words[0] not in commands:
        return None
    return f"{words[0]!r} is a command of the other program; type: {program} {shlex.join(words)}"


def as_called(text: str) -> str:
    """Help in which ``python search.py`` is what the user has to type."""
    return text.replace(f"python {_SCRIPT}", door())


def _in_checkout() -> bool:
    try:
        return (Path.cwd() / _SCRIPT).is_file() and Path.cwd().resolve() == _ROOT
    except OSError:  # the working folder has been removed
        return False

"""How the program was called, so that commands it suggests run as they stand, and how it ends."""

import atexit
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import FrameType

from hybrid_swin.errors import InputError, out_of_memory, unknown
from hybrid_swin.errors.failed_imports import explained_import
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.system.files import explained
from hybrid_swin.system.processes import end_interrupted
from hybrid_swin.system.unread import throw_away_output

# Two programs share the work; each knows the other's commands.
TRAINING = "python -m hybrid_swin"
TRAINING_COMMANDS = ("fit", "validate", "test", "predict", "export")
SEARCH_COMMANDS = (
    *("run", "compare", "space", "inspect", "attribution", "leaderboard", "status", "figures"),
    *("papers", "work", "blocks", "cost", "export", "data", "retrain"),
)

_PATIENCE = 2.0  # seconds for threads of others
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


def check_command(
    words: Sequence[str], known: Collection[str], others: Collection[str], other_program: str
) -> None:
    """Raise InputError if the first word is not a command, and say which program has it."""
    name = words[0]
    if name in known:
        return
    if name in others:
        line = f"{other_program} {shlex.join(words)}"
        raise InputError(f"{name!r} is a command of the other program; type: {line}")
    raise unknown("command", name, known)


def exit_code(command: Callable[[], int]) -> int:
    """Run a command to its exit code: its own, 2 for what one message says, 130 if interrupted."""
    if signal.getsignal(signal.SIGINT) == end_interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_interrupt)
    if signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, end_interrupted):  # not of nohup
        signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        try:
            return command()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except KeyboardInterrupt as interruption:
        print("; ".join(["interrupted", *map(str, interruption.args)]), file=sys.stderr)
        return 130
    except BrokenPipeError:
        throw_away_output(sys.stdout)  # as in `... | head`
        return 0
    except InputError as error:
        message = str(error)
    except OSError as error:
        message = explained(error)
    except MemoryError as error:
        message = str(out_of_memory(error))
    except Exception as error:
        explanation = explained_import(error)
        if explanation is None:
            raise
        message = str(explanation)
    print(f"error: {one_line(message)}", file=sys.stderr)
    return 2


def end_with(code: int) -> int:
    """The exit code of this process, which ends now also if a plug-in's thread would not."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # nothing is left to be interrupted
    end = time.monotonic() + _PATIENCE
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                print(f"thread {thread.name!r} still runs; ending without it", file=sys.stderr)
                atexit._run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    return code


def _as_interrupt(number: int, _frame: FrameType | None) -> None:
    """SIGTERM, and the end of our terminal, end a command as Ctrl-C does: in order.

    Only once: a scheduler sends it to all processes, and the script that started us passes it on.
    """
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, lambda *_: None)
    if number == signal.SIGHUP:
        for stream in (sys.stdout, sys.stderr):
            throw_away_output(stream, of_terminals=True)  # who writes to it would fail
    raise KeyboardInterrupt


def as_called(text: str) -> str:
    """Help in which ``python search.py`` is what the user has to type."""
    return text.replace(f"python {_SCRIPT}", door())


def _in_checkout() -> bool:
    try:
        return (Path.cwd() / _SCRIPT).is_file() and Path.cwd().resolve() == _ROOT
    except OSError:  # the working folder has been removed
        return False

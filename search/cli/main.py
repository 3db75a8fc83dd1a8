"""The door: runs a command. What is heavy is imported by commands, so that help answers at once."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from hybrid_swin.errors import InputError, out_of_memory, unknown
from hybrid_swin.errors.failed_imports import explained_import
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.system.files import explained as explain_refusal
from hybrid_swin.system.options import commands_help
from hybrid_swin.system.program import (
    TRAINING,
    TRAINING_COMMANDS,
    as_called,
    of_the_other,
    program,
)
from search.cli.commands import COMMANDS, DESCRIPTION, EPILOG
from search.settings.kinds import use_of

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _dispatch(arguments)
    except InputError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as in `... | head`
        return 0
    except OSError as error:
        print(f"error: {one_line(str(explain_refusal(error)))}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: {out_of_memory(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print("; ".join(["interrupted", *map(str, interruption.args)]), file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        explained = explained_import(error)
        if explained is None:
            raise
        print(f"error: {one_line(str(explained))}", file=sys.stderr)
        return 2


def _dispatch(arguments: list[str]) -> int:
    name, *words = arguments
    if name in ("-h", "--help"):
        about = {name: command.about for name, command in COMMANDS.items()}
        print(commands_help(program(), as_called(DESCRIPTION), about, as_called(EPILOG)))
        return 0
    if name not in COMMANDS and (use := use_of(name)):
        raise InputError(f"{name!r} is a file, not a command; {use}")
    if name not in COMMANDS:
        if other := of_the_other(arguments, TRAINING_COMMANDS, TRAINING):
            raise InputError(other)
        raise unknown("command", name, COMMANDS)
    return COMMANDS[name].run(name, words)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a study as Ctrl-C does: in order."""
    raise KeyboardInterrupt

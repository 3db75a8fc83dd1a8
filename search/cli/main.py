"""The door: runs a command. What is heavy is imported by commands, so that help answers at once."""

import sys
from collections.abc import Sequence
from functools import partial

from hybrid_swin.errors import InputError
from hybrid_swin.system.answer import answer_alone
from hybrid_swin.system.options import commands_help
from hybrid_swin.system.program import (
    TRAINING,
    TRAINING_COMMANDS,
    as_called,
    check_command,
    exit_code,
    program,
)
from search.cli.commands import COMMANDS, DESCRIPTION, EPILOG
from search.settings.kinds import use_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    return exit_code(partial(_dispatch, arguments))


def _dispatch(arguments: list[str]) -> int:
    name, *words = arguments
    if name in ("-h", "--help"):
        about = {name: command.about for name, command in COMMANDS.items()}
        print(commands_help(program(), as_called(DESCRIPTION), about, as_called(EPILOG)))
        return 0
    if name not in COMMANDS and (use := use_of(name)):
        raise InputError(f"{name!r} is a file, not a command; {use}")
    check_command(arguments, COMMANDS, TRAINING_COMMANDS, TRAINING)
    with answer_alone(words):
        return COMMANDS[name].run(name, words)

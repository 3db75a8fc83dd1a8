"""``python -m hybrid_swin fit|validate|test|predict|export``: train one network and use it.

    python -m hybrid_swin fit --variant my_variant.yaml --data.source digits --folder runs/mine
    python -m hybrid_swin test runs/mine
    python -m hybrid_swin predict runs/mine photos/new --output answers.csv
    python -m hybrid_swin export runs/mine --format onnx
    python -m hybrid_swin fit --run RUN --folder runs/winner    (RUN of a study: all of it anew)

``fit`` says what it understood of the images, all of which is in ``data.json``, and leaves
``settings.yaml`` in the folder, from which the others know variant and data; called again after an
interruption it goes on. What is heavy is imported after the arguments are right.
"""

if __name__ == "__main__":  # with -m the working folder comes first, until this is done
    from hybrid_swin.errors.failed_imports import check_installed
    from hybrid_swin.system.processes import arrange_imports, end_if_interrupted

    arrange_imports()
    end_if_interrupted()
    check_installed()

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from hybrid_swin.interop.export.options import ExportOptions
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.run_reference import values_of, with_runs
from hybrid_swin.system.answer import answer_alone
from hybrid_swin.system.options import Options, commands_help
from hybrid_swin.system.program import (
    SEARCH_COMMANDS,
    TRAINING,
    check_command,
    door,
    end_with,
    exit_code,
)
from hybrid_swin.system.unread import trains_on_unread
from hybrid_swin.training.options import FitOptions, PredictOptions, ReadOptions

# The options of each, what words without -- are, and what it does.
COMMANDS: dict[str, tuple[type, str, str]] = {
    "fit": (FitOptions, "", "train, or go on with a training"),
    "validate": (ReadOptions, "folder", "metrics on the validation split"),
    "test": (ReadOptions, "folder", "metrics on the test split"),
    "predict": (PredictOptions, "folder", "answers for new images, or for a split"),
    "export": (ExportOptions, "checkpoint", "write the network for elsewhere"),
}


def make_parser(command: str) -> Options:
    """The parser of a command."""
    options, positional, _ = COMMANDS[command]
    further = "images" if command == "predict" else ""
    return Options(f"{TRAINING} {command}", options, positional, further)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 2 with one message for bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments) or [""]
    return exit_code(partial(_answer, words))


def _answer(words: Sequence[str]) -> int:
    command = words[0]
    if command in ("-h", "--help"):
        print(commands_help(TRAINING, str(__doc__), {n: c[-1] for n, c in COMMANDS.items()}))
        return 0
    check_command(words, COMMANDS, SEARCH_COMMANDS, door())
    try:
        with answer_alone(words):
            if command == "fit":
                _adopt_plugins(words[1:])
            options: Any = make_parser(command).build(COMMANDS[command][0], with_runs(words[1:]))
            return _run(command, options)
    except SystemExit as error:  # how Lightning ends after Ctrl-C
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        goes_on = ["run the same command again to go on"] if command == "fit" else []
        raise KeyboardInterrupt(*goes_on) from None


def _run(command: str, options: Any) -> int:
    if command == "export":
        from hybrid_swin.training.hub.command import export

        return export(options)
    if command == "fit":
        options.data.validate()
    else:
        adopt_kept_plugins(options.folder, options.plugin, options.trust)
    if command == "predict" and options.images:
        from hybrid_swin.training.prediction.command import predict_images

        return predict_images(options)
    from hybrid_swin.training import commands

    if command == "fit":
        with trains_on_unread():
            return commands.fit(options)
    if command == "predict":
        return commands.predict(options)
    return commands.read(options, "validation" if command == "validate" else "test")


def _adopt_plugins(words: Sequence[str]) -> None:
    """Make plug-ins known before options are read: a recipe, too, may name their parts."""
    places = [p for name in ("--run", "--variant", "--recipe") for p in values_of(name, words)]
    for place in places or [""]:
        adopt_kept_plugins(place, values_of("--plugin", words), "--trust" in words)


if __name__ == "__main__":
    raise SystemExit(end_with(main()))

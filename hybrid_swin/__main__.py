"""``python -m hybrid_swin fit|validate|test|predict|export``: train one network and use it.

    python -m hybrid_swin fit --variant my_variant.yaml --data.source digits --folder runs/mine
    python -m hybrid_swin test runs/mine
    python -m hybrid_swin predict runs/mine --output logits.csv
    python -m hybrid_swin export runs/mine --format onnx
    python -m hybrid_swin fit --run RUN --folder runs/winner    (RUN of a study: all of it anew)

``fit`` says what it understood of the images, all of which is in ``data.json``, and leaves
``settings.yaml`` in the folder, from which the others know variant and data; called again after an
interruption it goes on. What is heavy is imported after the arguments are right.
"""

if __name__ == "__main__":  # with -m the working folder comes first, until this is done
    from hybrid_swin.system.processes import arrange_imports

    arrange_imports()

import sys
from argparse import ArgumentError
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, out_of_memory
from hybrid_swin.errors.failed_imports import explained_import
from hybrid_swin.errors.parser_messages import explained
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.interop.export.options import add_export_options, run_export
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.own_code.trust import add_code_options
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.run_reference import with_runs
from hybrid_swin.system.kept_text import check_words, show, show_parsed
from hybrid_swin.system.program import SEARCH_COMMANDS, door, of_the_other

BAD_INPUT, INTERRUPTED = 2, 130  # exit codes


def make_parser() -> ArgumentParser:
    """The commands and their arguments."""
    parser = _parser(prog="python -m hybrid_swin", description="Train one network and use it.")
    commands = parser.add_subcommands(required=True, dest="command")
    commands.add_subcommand("fit", _fit_parser(), help="train, or go on with a training")
    for name in ("validate", "test"):
        split = "validation" if name == "validate" else "test"
        commands.add_subcommand(name, _reading_parser(), help=f"metrics on the {split} split")
    predict = _reading_parser()
    predict.add_argument("--output", type=str, required=True, help="a .csv or .npz file to write")
    predict.add_argument("--split", type=str, default="test", help="validation or test")
    commands.add_subcommand("predict", predict, help="logits of every image of a split")
    commands.add_subcommand(
        "export", add_export_options(_parser()), help="write the network for elsewhere"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 2 with one message for bad input."""
    parser, command = make_parser(), ""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        parsed = _parse(parser, with_runs(given))
        command = parsed.command
        return _run(command, parser.instantiate(parsed)[command])
    except InputError as error:
        message = str(error)
    except MemoryError as error:
        message = str(out_of_memory(error))
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except Exception as error:
        explained = explained_import(error)
        if explained is None:
            raise
        message = str(explained)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as error:  # how Lightning ends after Ctrl-C
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        goes_on = "; run the same command again to go on" * (command == "fit")
        print(f"interrupted{goes_on}", file=sys.stderr)
        return INTERRUPTED
    print(f"error: {one_line(message)}", file=sys.stderr)
    return BAD_INPUT


def _parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """The command and its options; their values are read as a file's would be."""
    commands = parser._subcommands_action
    known = commands.choices if commands and commands.choices else {}
    if words and words[0] not in known:
        if other := of_the_other(words, SEARCH_COMMANDS, door()):
            raise InputError(other)
    own = known.get(words[0], parser) if words else parser
    try:
        parsed = parser.parse_args(check_words(words, own))
    except ArgumentError as error:
        message = show(str(error))
        if words:  # what jsonargparse puts before every name
            message = message.replace(f'"{words[0]}.', '"')
            for option in own._option_string_actions:
                message = message.replace(f" {words[0]}.{option.lstrip('-')}", f" {option}")
            message = message.replace(f" {words[0]}.", " ")
        raise explained(message, own) from None
    show_parsed(parsed)
    return parsed


def _run(command: str, options: Namespace) -> int:
    if command == "export":
        return run_export(options)
    place = options.variant if command == "fit" else options.folder
    adopt_kept_plugins(place, options.plugin, options.trust)
    if command == "fit":
        options.data.validate()
    from hybrid_swin.training import commands

    if command == "fit":
        return commands.fit(options)
    if command == "predict":
        return commands.predict(options)
    return commands.read(options, "validation" if command == "validate" else "test")


def _parser(**options: Any) -> ArgumentParser:
    return ArgumentParser(exit_on_error=False, allow_abbrev=False, **options)


def _fit_parser() -> ArgumentParser:
    parser = _parser()
    parser.add_argument(
        "--variant",
        type=str,
        required=True,
        help="a YAML file, a published name such as swin_t, or a run of a study, such as "
        "runs/digits/finalists/0a1b2c/0, whose recipe and data "
        "may be given as --recipe and --data likewise; --run RUN stands for all three",
    )
    for name, what in (
        ("num_classes", "classes"),
        ("image_size", "pixels per side"),
        ("in_channels", "image channels"),
    ):
        parser.add_argument(f"--{name}", type=int | None, help=f"{what}, instead of the variant's")
    parser.add_class_arguments(Recipe, "recipe")
    parser.add_class_arguments(DataSettings, "data")
    parser.add_argument("--folder", type=str, required=True, help="where the training is kept")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness")
    parser.add_argument("--accelerator", type=str, default="auto", help="auto, cpu, gpu or mps")
    parser.add_argument("--init", type=str | None, help="weights to start from, as far as they fit")
    parser.add_argument(
        "--weights_prefix",
        type=str | None,
        help="which network of --init, if it holds several, such as ema",
    )
    parser.add_argument(
        "--follow_source",
        type=bool,
        default=False,
        help="pad, roll and shift windows as the library of --init does",
    )
    parser.add_argument(
        "--resume", type=bool, default=True, help="go on with what the folder holds"
    )
    add_code_options(parser)
    return parser


def _reading_parser() -> ArgumentParser:
    parser = _parser()
    parser.add_argument("folder", type=str, help="folder of a finished fit")
    parser.add_argument("--accelerator", type=str, default="auto", help="auto, cpu, gpu or mps")
    add_code_options(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

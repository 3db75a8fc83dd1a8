"""What the commands have in common."""

from importlib import import_module

import pytest

from hybrid_swin.system.program import SEARCH_COMMANDS, TRAINING_COMMANDS
from search.cli.commands import COMMANDS
from search.cli.main import main


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("cost --plugin a.py --plugin b.py blur+w_msa", "variants", ("blur+w_msa",)),
        ("inspect --plugin a.py --plugin=b.py swin_t", "target", "swin_t"),
        ("export --format onnx --plugin a.py --plugin b.py runs", "checkpoint", "runs"),
        ("blocks --plugin a.py --plugin b.py --check", "check", True),
    ],
)
def test_a_plugin_takes_one_file_and_leaves_what_follows(line, name, expected):
    command, *words = line.split()
    parser = COMMANDS[command].parser(command)
    for _ in range(2):  # nothing is remembered from one time to the next
        options = parser.build(COMMANDS[command].options, words)
        assert options.plugin == ("a.py", "b.py")
        assert getattr(options, name) == expected


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("cost --measure swin_t conv", "variants", ("swin_t", "conv")),
        ("cost swin_t --measure conv", "variants", ("swin_t", "conv")),
        ("cost --measure false swin_t", "measure", False),
        ("cost --image_size 32", "image_size", "32"),
        ("cost --image-size=32x16", "image_size", "32x16"),
        ("cost --save 010", "save", "010"),
        ("export a --format onnx --image_size [32,16]", "image_size", (32, 16)),
        ("status --watch 2 runs/a", "study", "runs/a"),
        ("leaderboard", "studies", ("runs/digits",)),
        ("leaderboard --format csv a b", "studies", ("a", "b")),
    ],
)
def test_options_stand_anywhere_and_are_spelled_with_either_dash(line, name, expected):
    command, *words = line.split()
    made = COMMANDS[command]
    assert getattr(made.parser(command).build(made.options, words), name) == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_function_and_every_option_a_help(name):
    command = COMMANDS[name]
    module, _, function = command.function.partition(":")
    assert callable(getattr(import_module(module), function))
    assert all(action.help for action in command.parser(name)._actions)


def test_the_other_program_knows_these_commands():
    assert set(SEARCH_COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(TRAINING_COMMANDS) - set(COMMANDS)))
def test_a_command_of_training_is_answered_by_its_command_line(name, capsys):
    assert main([name, "runs/my study"]) == 2
    said = capsys.readouterr().err
    assert f"type: python -m hybrid_swin {name} 'runs/my study'" in said

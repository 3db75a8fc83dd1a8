"""What the parsers of the commands have in common."""

import pytest

from hybrid_swin.system.program import SEARCH_COMMANDS, TRAINING_COMMANDS
from search.cli.main import main
from search.cli.parsers import COMMANDS


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("cost --plugin a.py --plugin b.py blur+w_msa", "variants", ["blur+w_msa"]),
        ("inspect --plugin a.py --plugin=b.py swin_t", "target", "swin_t"),
        ("export --format onnx --plugin a.py --plugin b.py runs", "checkpoint", "runs"),
        ("blocks --plugin a.py --plugin b.py --check", "check", True),
    ],
)
def test_a_plugin_takes_one_file_and_leaves_what_follows(line, name, expected):
    command, *arguments = line.split()
    for _ in range(2):  # nothing is remembered from one time to the next
        options = COMMANDS[command][0]().parse_args(arguments)
        assert options.plugin == ["a.py", "b.py"]
        assert options[name] == expected


def test_the_other_program_knows_these_commands():
    assert set(SEARCH_COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(TRAINING_COMMANDS) - set(COMMANDS)))
def test_a_command_of_training_is_answered_by_its_command_line(name, capsys):
    assert main([name, "runs/my study"]) == 2
    said = capsys.readouterr().err
    assert f"type: python -m hybrid_swin {name} 'runs/my study'" in said

"""Each program knows the other's commands."""

import pytest

from hybrid_swin.__main__ import COMMANDS, main
from hybrid_swin.system.program import SEARCH_COMMANDS, TRAINING_COMMANDS


def test_the_commands_of_training_are_those_that_its_parser_has():
    assert set(COMMANDS) == set(TRAINING_COMMANDS)


@pytest.mark.parametrize("name", sorted(set(SEARCH_COMMANDS) - set(TRAINING_COMMANDS)))
def test_a_command_of_the_search_is_answered_by_its_command_line(name, capsys):
    assert main([name, "runs/my study"]) == 2
    said = capsys.readouterr().err
    assert f"'{name}' is a command of the other program; type: python search.py {name} " in said
    assert "'runs/my study'" in said


def test_a_command_that_nobody_has_is_not_sent_elsewhere(capsys):
    assert main(["statos"]) == 2
    assert "other program" not in capsys.readouterr().err

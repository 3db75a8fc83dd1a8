"""Each program knows the other's commands."""

import subprocess
import sys
from pathlib import Path

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


THREAD = """
import threading, time
from hybrid_swin.system import program
program._PATIENCE = 0.1
threading.Thread(target=time.sleep, args=(1000,), name="of a plug-in").start()
raise SystemExit(program.end_with(2))
"""


def test_a_thread_of_others_does_not_keep_a_command_from_its_end():
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", THREAD], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr == "thread 'of a plug-in' still runs; ending without it\n"

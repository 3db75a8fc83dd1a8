"""Each program knows the other's commands."""

import os
import signal
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


HUNG_UP = """
import os, signal, sys
from hybrid_swin.system.program import exit_code

def command():
    try:
        os.write(1, b"begun")
        signal.pause()
    finally:
        print("in order", flush=True)  # to a terminal that has gone

sys.exit(exit_code(command))
"""


@pytest.mark.parametrize("ignored", [False, True])
def test_the_end_of_its_terminal_ends_a_command_in_order_but_for_nohup(ignored):
    ours, theirs = os.openpty()
    before = signal.SIG_IGN if ignored else signal.SIG_DFL
    process = subprocess.Popen(
        [sys.executable, "-c", HUNG_UP],
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, before),
    )
    os.close(theirs)
    assert os.read(ours, 5) == b"begun"
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    if ignored:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.kill()
    assert process.wait(60) == (-signal.SIGKILL if ignored else 130)

"""Output whose reader has gone ends a command with 0, and no training."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINES = """
import os, sys
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import exit_code
from hybrid_swin.system.unread import trains_on_unread
def lines():
    os.read(0, 1)  # until the reader has gone
    for _ in range(3):
        Console().say("a line")
        print("another", flush=True)
    print("done", file=sys.stderr)
    return 3
def training():
    with trains_on_unread():
        code = lines()
    print("after it", flush=True)
    return code
def help():
    os.read(0, 1)
    print("short, so that it is written at the end")
    sys.exit(0)
raise SystemExit(exit_code({name}))
"""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("training", 3, "nobody reads this output any more; training goes on\ndone\n"),
        ("lines", 0, ""),
        ("help", 0, ""),
    ],
)
def test_a_lost_reader_ends_no_training_and_no_command_with_an_error(name, code, said):
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", LINES.replace("{name}", name)],
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    os.close(writer)
    os.close(reader)
    _, errors = process.communicate("!")
    assert (process.returncode, errors) == (code, said)

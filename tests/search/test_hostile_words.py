"""Every command answers a word that cannot be with one line and exit code 2."""

import random

import pytest

from hybrid_swin.__main__ import main as train_main
from hybrid_swin.errors.plain_text import LONGEST
from search.cli.main import main

PATHS = ["~nobody/x", "x/" * 2500, "r[/b]", "x" * 300, "\x1b[31m"]
COMMANDS = [
    ["status"],
    ["leaderboard"],
    ["figures"],
    ["attribution"],
    ["inspect"],
    ["cost"],
    ["space"],
    ["blocks", "--plugin"],
    ["export", "--format", "onnx"],
    ["run", "--config"],
    ["compare", "--config"],
    ["run", "--trials"],
    ["run", "--workers.count"],
    ["compare", "--seeds"],
    ["cost", "swin_t", "--image-size"],
]
NUMBERS = ["9" * 400, "1e400", "-1", "010", "1:30", "0x1F", ".nan", "2.5", "[1]", "{a: 1}", "NO"]
OPTIONS = ["trials", "seed", "finalists.seeds", "rungs.factor", "sampler.lookahead"]
OPTIONS += ["workers.threads", "workers.attempts", "recipe.epochs", "recipe.shift"]
OPTIONS += ["recipe.batch_size", "variant.window_size", "data.split_seed", "data.num_workers"]


def answer(run, words, capsys):
    try:
        code = run(words)
    except SystemExit as end:
        code = end.code
    error = capsys.readouterr().err.removesuffix("\n")
    assert code == 2, words
    assert error.startswith("error: ")
    assert error.isprintable()
    assert len(error) <= LONGEST + len("error: ")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_paths_that_cannot_be(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for path in PATHS:
        answer(main, [*command, path], capsys)


@pytest.mark.parametrize("command", ["validate", "test", "export"])
def test_paths_that_cannot_be_in_the_other_program(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = ["--format", "onnx"] if command == "export" else []
    for path in PATHS:
        answer(train_main, [command, path, *more], capsys)


@pytest.mark.parametrize("option", OPTIONS)
def test_numbers_that_cannot_be(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for value in random.Random(option).sample(NUMBERS, 4):
        answer(main, ["space", "digits", f"--{option}={value}"], capsys)


@pytest.mark.parametrize("run", [main, train_main])
def test_what_does_not_fit_into_memory_is_said_in_a_line(run, tmp_path, monkeypatch, capsys):
    def load(*given):
        raise MemoryError("Unable to allocate 9.31 TiB")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hybrid_swin.spec.registry.add_plugin", load)
    words = ["blocks", "--plugin", "x.py"]
    if run is train_main:
        words = ["fit", "--variant", "swin_t", "--folder", "new", "--plugin", "x.py"]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: this machine has not enough memory for that (Unable to")
    assert error.count("\n") == 1

"""Commands that the program prints are run as they are printed, from another working folder."""

import json
import os
import re
import shlex
import shutil
import sys
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from PIL import Image

from hybrid_swin.__main__ import main as train_main
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.run_reference import run_data
from search.cli.main import main
from search.launch.hours import pilots
from search.launch.hours.pace import Pace
from search.records.receipt import write_receipt
from search.records.study_folder import bind_settings
from search.settings.config_files import read_config
from search.settings.study import StudySettings
from tests.search.records import instant_folders

SHORT = {
    "inspect": ["--only", "similarity", "--images", "8"],
    "run": ["--dry-run"],
}


def commands(text):
    """The commands in a text, in backticks or at the end of a line."""
    found = re.findall(r"`((?:python|hybrid-swin) [^`]+)`", text)
    found += re.findall(r"(?:^|: |^\w+ +)(python \S*search\.py [^`\n]+)$", text, re.MULTILINE)
    return [shlex.split(command) for command in dict.fromkeys(found)]


def execute(words):
    """Run a command in this process; what stands for a name of the user's becomes one."""
    words = [{"NEW": "new", "FILE": "table.svg"}.get(word, word) for word in words]
    if words[:3] == ["python", "-m", "hybrid_swin"]:
        return train_main(words[3:])
    assert words[1].endswith("search.py")
    return main([*words[2:], *SHORT.get(words[2], [])])


@pytest.fixture
def moved(finished, tmp_path, monkeypatch):
    """The finished study in a folder whose name needs quotes; elsewhere is the working folder."""
    folder = tmp_path / "my runs" / "tiny"
    shutil.copytree(finished.folder, folder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def test_what_a_study_prints(finished, moved):
    output = finished.output.replace(str(finished.folder), shlex.quote(str(moved)))
    whole, inspect = commands(output)
    assert whole[-1] == "--all" and execute(whole) == 0
    assert inspect[2] == "inspect" and execute(inspect) == 0
    assert list(moved.glob("finalists/*/*/inspections/index.json"))


def test_what_status_and_leaderboard_print(moved, capsys):
    assert main(["status", str(moved)]) == 0
    [leaderboard] = commands(capsys.readouterr().out)
    assert execute(leaderboard) == 0
    whole, inspect = commands(capsys.readouterr().out)
    assert whole[-1] == "--all" and execute(whole) == 0
    assert inspect[2] == "inspect" and execute(inspect) == 0


def test_what_refusals_print(moved, capsys, fake, tmp_path):
    run = next(moved.glob("finalists/*/0"))
    assert train_main(["test", str(run)]) == 2
    leaderboard, fit = commands(capsys.readouterr().err)
    assert execute(leaderboard) == 0
    assert execute(fit) == 0
    assert train_main(["test", "new"]) == 0  # the folder that it has made
    fake.Made(tmp_path / "an experiment").fill()
    for refused in (["leaderboard", str(moved)], ["figures"]):
        capsys.readouterr()
        assert main([*refused, str(tmp_path / "an experiment")]) == 2
        [command] = commands(capsys.readouterr().err)
        assert execute(command) == 0


def test_what_the_receipt_says(moved, capsys, monkeypatch):
    receipt = json.loads((moved / "receipt.json").read_text())
    repeat = shlex.split(receipt["repeat"])
    monkeypatch.chdir(moved)
    pace = Pace(0.01, 1e-4, 1e-11, 0.5, 1.0, 2)  # no pilot is trained
    workers = nullcontext(instant_folders.InstantWorkers())
    monkeypatch.setattr(pilots, "start_workers", lambda *_: workers)
    monkeypatch.setattr(pilots.PilotWorkers, "pace", lambda *_: pace)
    assert execute(repeat) == 0
    assert "trainings" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--format", "safetensors"], ["--format", "onnx"]])
def test_an_export_of_a_run(moved, more):
    run = next(moved.glob("finalists/*/0"))
    assert main(["export", str(run), *more, "--output", f"network.{more[1]}"]) == 0


@pytest.mark.parametrize(
    ("called", "usage", "command"),
    [
        ("/usr/bin/hybrid-swin", "usage: hybrid-swin", "hybrid-swin leaderboard"),
        ("search.py", "usage: search.py", "python search.py leaderboard"),
        ("../my code/search.py", "usage: search.py", "python '../my code/search.py' leaderboard"),
        ("/lib/hybrid_swin/__main__.py", "usage: hybrid-swin", "hybrid-swin leaderboard"),
    ],
)
def test_the_program_goes_by_the_name_that_it_was_called(
    moved, capsys, monkeypatch, called, usage, command
):
    monkeypatch.setattr(sys, "argv", [called])
    for arguments in (["--help"], ["space", "--help"], ["cost", "--help"]):
        with suppress(SystemExit):
            main(arguments)
        shown = capsys.readouterr().out
        assert shown.startswith(usage)
        assert command.partition(" leaderboard")[0] in shown
    assert main(["status", str(moved)]) == 0
    assert f"{command} " in capsys.readouterr().out


# images at a path from the folder where the work began


def images(folder, rng):
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for index in range(8):
            pixels = rng.integers(0, 255, (8, 8)).astype("uint8")
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


@pytest.fixture
def fitted(tmp_path, monkeypatch):
    """A run of a study that began in ``home``, on images of a path from there."""
    images(tmp_path / "home" / "images", np.random.default_rng(0))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}
    variant = {"image_size": 8, "in_channels": 1, "num_classes": 2, "patch_size": 2}
    variant = {**variant, "window_size": 2, "stages": [stage]}
    data = {"source": "folder", "options": {"path": "images"}}
    config = {"name": "s", "variant": variant, "recipe": {"epochs": 1, "batch_size": 8}}
    config |= {"data": data, "trials": 0, "baselines": [{"blocks": ["conv"]}]}
    settings = StudySettings(**{**config, "data": DataSettings(**data), "baselines": ()})
    bind_settings(settings, {}, {}, {"precision": "32-true"})
    run = settings.path.resolve() / "baselines/00"
    run.mkdir(parents=True)
    settled = {"data": data, "precision": "32-true"}
    run.joinpath("run.json").write_text(
        json.dumps({"variant": variant, "recipe": config["recipe"], "settled": settled})
    )
    (run.parents[1] / "trials").mkdir()
    write_receipt(settings, 1.0)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return run


def test_relative_paths_are_found_from_elsewhere(fitted, tmp_path, capsys):
    assert train_main(["fit", "--run", str(fitted), "--folder", "new"]) == 0
    (tmp_path / "third").mkdir()
    os.chdir(tmp_path / "third")
    assert train_main(["test", str(tmp_path / "elsewhere/new")]) == 0
    shown = ["--only", "similarity", "--split", "train", "--images", "8"]
    assert main(["inspect", str(tmp_path / "elsewhere/new"), *shown]) == 0
    for name in ("receipt.json", "settings.yaml"):
        config = read_config(str(fitted.parents[1] / name))
        assert config["data"]["options"] == {"path": str(tmp_path / "home/images")}


def test_images_of_that_name_elsewhere_are_not_taken_for_them(fitted, tmp_path):
    images(tmp_path / "elsewhere/images", np.random.default_rng(1))
    assert run_data(fitted)["options"] == {"path": str(tmp_path / "home/images")}
    os.chdir(tmp_path / "home")
    assert run_data(fitted)["options"] == {"path": "images"}  # as it was given


def test_images_that_are_gone_are_said_in_a_line(fitted, tmp_path, capsys):
    shutil.move(tmp_path / "home/images", tmp_path / "gone")
    assert train_main(["fit", "--run", str(fitted), "--folder", "new"]) == 2
    message = capsys.readouterr().err
    assert "'images' is not a folder in " in message and "elsewhere" in message
    assert message.count("\n") == 1
    again = ["fit", "--run", str(fitted), "--folder", "new", "--data.options.path", "../gone"]
    assert train_main(again) == 0

"""The door: what commands print; bad input gives one message and exit code 2, no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import hybrid_swin as hs
from search.cli.main import main

DOOR = Path(__file__).parents[3] / "search.py"


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Run a command that must be refused; gives its one message."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        assert main(list(arguments)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return run


def study(tmp_path, **changes):
    settings = {
        "name": "bad",
        "folder": str(tmp_path / "runs"),
        "variant": {
            "image_size": 8,
            "in_channels": 1,
            "num_classes": 10,
            "patch_size": 2,
            "window_size": 2,
            "stages": [
                {"width": {"choose": [8, 16]}, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}
            ],
        },
        "recipe": {"epochs": 1, "batch_size": 256},
        "baselines": [{"blocks": ["conv"]}],
        "wandb": {"mode": "disabled"},
        **changes,
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(settings))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trails", "3"], ["unknown option '--trails'", "did you mean '--trials'"]),
        (["--trials", "many"], ["trials must be a whole number", "many"]),
        (["--trials", "-1"], ["trials must be at least 0", "-1"]),
        (["--objective.mode", "up"], ["objective.mode", "max, min", "up"]),
        (["--objective.monitor", "val/acuracy"], ["did you mean 'val/accuracy'"]),
        (["--objective.monitor", "val/loss"], ["worst val/loss", "give min"]),
        (["--budget.parameters", "lots"], ["budget.parameters", "2M", "lots"]),
        (["--budget.parameters", "10"], ["baselines.0 (conv)", "parameters of at most 10"]),
        (["--sampler.name", "best"], ["sampler.name", "auto, tpe, gp"]),
        (["--workers.count", "5", "--sampler.lookahead", "4"], ["lookahead 4", "at least 10"]),
        (["--workers.accelerator", "tpu"], ["accelerator"]),
        (
            ["--workers.devices", "2", "--workers.per_device", "3"],
            ["workers.devices 2", "workers.per_device 3"],
        ),
        (["--workers.accelerator", "mps"], ["accelerator 'mps'", "choose auto or cpu"]),
        (["--workers.accelerator", "mps", "--workers.devices", "2"], ["mps"]),
        (["--name", "../up"], ["name '../up'"]),
        (["--data.source", "digit"], ["unknown data source 'digit'", "did you mean 'digits'"]),
        (["--data.test_share", "1.5"], ["test_share", "1.5"]),
        (["--plugins", "[missing.py]"], ["plug-in 'missing.py' is not a file"]),
        (["--storage", "postgresql://me:secret@host/db"], ["password", "PGPASSWORD"]),
        (["--config", "not_there.yaml"], ["there is no file 'not_there.yaml'"]),
    ],
)
def test_wrong_options(refused, tmp_path, arguments, words):
    given = [] if "--config" in arguments else ["--config", study(tmp_path)]
    message = refused("run", *given, *arguments)
    for word in words:
        assert word in message
    assert "secret" not in message
    assert not (tmp_path / "runs" / "bad" / "study.json").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"varient": {}}, ["unknown setting of study.yaml 'varient'", "did you mean 'variant'"]),
        ({"sampler": {"nam": "tpe"}}, ["'nam'", "did you mean 'name'"]),
        ({"baselines": [{"blok": ["conv"]}]}, ["'blok'", "did you mean 'blocks'"]),
        ({"baselines": [{"blocks": ["con"]}]}, ["baselines.0", "did you mean 'conv'"]),
        (
            {"baselines": [{"blocks": ["conv"]}, {"blocks": ["conv(kernel=3)"]}]},
            ["baselines.1", "the same network and recipe as baselines/00"],
        ),
        ({"baselines": [{"set": {"stages.0.widht": 4}}]}, ["widht"]),
        ({"recipe": {"epoch": 3}}, ["epoch", "did you mean 'epochs'"]),
        ({"recipe": {"epochs": 0}}, ["epochs", "0"]),
        ({"variant": {"stages": []}}, ["stages"]),
        (
            {
                "variant": {
                    "image_size": 8,
                    "in_channels": 1,
                    "num_classes": 10,
                    "patch_size": 8,
                    "stages": [{"width": 8, "depth": 1, "num_heads": 1, "blocks": ["conv"]}] * 2,
                }
            },
            ["nothing left to merge"],
        ),
        (
            {
                "variant": {
                    "image_size": 8,
                    "in_channels": 1,
                    "num_classes": 10,
                    "patch_size": 2,
                    "stages": [{"width": 9, "depth": 1, "num_heads": 2, "blocks": ["conv"]}],
                }
            },
            ["width 9 is not divisible by num_heads 2", "choose one of 1, 3, 9"],
        ),
        (
            {
                "variant": {
                    "image_size": 8,
                    "in_channels": 1,
                    "num_classes": 10,
                    "patch_size": 2,
                    "stages": [{"width": 8, "depth": 0, "num_heads": 2, "blocks": ["conv"]}],
                }
            },
            ["stages.0.depth", "at least 1", "0"],
        ),
        (
            {
                "variant": {
                    "image_size": 16,
                    "in_channels": 1,
                    "num_classes": 10,
                    "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}],
                }
            },
            ["digits", "16"],
        ),
        (
            {
                "variant": {
                    "image_size": 8,
                    "in_channels": 1,
                    "num_classes": 7,
                    "patch_size": 2,
                    "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}],
                }
            },
            ["num_classes 7", "set num_classes: 10"],
        ),
        (
            {"budget": {"parameters": 10}, "baselines": []},
            ["no candidate fits the budget", "parameters, 10420.0% above the 10"],
        ),
    ],
)
def test_wrong_settings(refused, tmp_path, changes, words):
    message = refused("run", "--config", study(tmp_path, **changes))
    for word in words:
        assert word in message


def test_a_file_that_is_no_yaml(refused, tmp_path):
    (tmp_path / "bad.yaml").write_text("name: [a\n")
    assert "is not YAML in line 2" in refused("run", "--config", "bad.yaml")


@pytest.mark.skipif(os.geteuid() != 0, reason="tells whether it may write by being refused")
def test_a_folder_that_cannot_be_written(refused, tmp_path):
    message = refused("run", "--config", study(tmp_path, folder="/proc/runs"))
    assert "'/proc/runs/bad' cannot be written" in message


def test_a_folder_that_is_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused("run", "--config", study(tmp_path, folder=str(tmp_path / "file")))
    assert "cannot be written" in message


def test_an_empty_class_and_a_single_image(refused, tmp_path):
    root = tmp_path / "images"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / "cat" / "one.png")
    variant = {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 2,
        "patch_size": 2,
        "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}],
    }
    config = study(
        tmp_path, variant=variant, data={"source": "folder", "options": {"path": str(root)}}
    )
    assert "dog" in refused("run", "--config", config)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / "dog" / "one.png")
    assert "image" in refused("run", "--config", config)


def test_a_study_whose_space_was_changed(tiny):
    tiny.run("--trials", "0", "--finalists.top", "0", "--recipe.epochs", "1")
    kept = tiny.results()
    output = tiny.run("--trials", "0", "--recipe.epochs", "2", code=2)
    assert "begun with other settings" in output
    assert "recipe.epochs: 1 -> 2" in output
    assert tiny.results() == kept


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
@pytest.mark.parametrize(("command", "found"), [("run", "comparison"), ("compare", "study")])
def test_a_folder_of_the_other_kind_is_refused_before_any_work(
    refused, tmp_path, monkeypatch, command, found, dry_run, make_study
):
    from search.launch import comparison as compare_launch
    from search.launch import dry_run_comparison, dry_run_study  # noqa: F401  # not with None
    from search.launch import study as launch

    for module in (launch, compare_launch):
        monkeypatch.setattr(module, "check", None)  # neither is any work begun
    arms = [{"label": "a", "blocks": ["conv"]}, {"label": "b", "blocks": ["w_msa"]}]
    settings = {"arms": arms, "baseline": "a"} if found == "comparison" else {}
    make_study("runs/bad", **settings).trial(0, 0.5)
    config = study(tmp_path)
    if command == "compare":
        config = "digits"
    message = refused(command, "--config", config, "--folder", "runs", "--name", "bad", *dry_run)
    assert f"'runs/bad' is the folder of a {found}" in message
    assert "another --name" in message


def test_a_refused_study_leaves_no_folder(refused, tmp_path):
    path = str(tmp_path / "nowhere")
    config = study(tmp_path, data={"source": "folder", "options": {"path": path}})
    refused("run", "--config", config)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("begun", [False, True])
def test_an_interruption_promises_only_what_is_kept(
    capsys, tmp_path, monkeypatch, begun, make_study
):
    from search.launch import dry_run_study as dry_run
    from search.launch import start

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "launch_study", interrupt)
    monkeypatch.setattr(dry_run, "dry_run", interrupt)
    if begun:
        make_study("runs/bad").trial(0, 0.5)
    config = study(tmp_path)
    assert main(["run", "--config", config, "--dry-run"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert main(["run", "--config", config]) == 130
    goes_on = "; started again, it continues where it ended" * begun
    assert capsys.readouterr().err == f"interrupted{goes_on}\n"


def test_dry_run_leaves_nothing(tiny):
    output = tiny.run("--dry-run")
    assert not tiny.folder.exists()
    for word in (
        "16 combinations",
        "7 trials",
        "about 15 in all",
        "train 128",
        "at most about",
        "disk",
        "2 seeds and 359 test images find",
    ):
        assert word in " ".join(output.split())


def test_cost_compares_names_files_and_words(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"]}]})
    )
    assert main(["cost", "swin_t", "w_msa+mdta:gate", str(tmp_path / "mine.yaml")]) == 0
    out = capsys.readouterr().out
    assert "28,288,354" in out
    assert "4,490,566,656" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("swin_tt", ["did you mean 'swin_t'"]),
        ("missing.yaml", ["missing.yaml", "cannot be read"]),
        ("w_msa+mtda", ["did you mean 'mdta'"]),
    ],
)
def test_cost_of_what_does_not_exist(refused, name, words):
    message = refused("cost", name)
    for word in words:
        assert word in message


def test_leaderboard_shows_a_study_in_every_format(finished, capsys):
    assert main(["leaderboard", str(finished.folder)]) == 0
    assert "plain" in capsys.readouterr().out
    assert main(["leaderboard", str(finished.folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == finished.digest()
    assert main(["leaderboard", str(finished.folder), "--format", "csv"]) == 0
    assert capsys.readouterr().out == (finished.folder / "leaderboard.csv").read_text()


@pytest.mark.parametrize("command", ["leaderboard", "figures", "attribution"])
def test_a_folder_of_studies_and_a_slip_name_the_studies(refused, make_study, command):
    for name in ("tiny", "wide"):
        make_study(f"runs/{name}").trial(0, 0.5)
    message = refused(command, "runs")
    assert "it holds the folders of tiny, wide: give one of them, such as 'runs/tiny'" in message
    assert "did you mean 'runs/tiny'?" in refused(command, "runs/tyni")
    assert "did you mean" not in refused(command, "runs/nothing-like-it")


def test_a_file_in_the_place_of_a_command_gives_the_command(refused, tmp_path):
    study(tmp_path)
    assert "`run --config study.yaml` runs it" in refused("study.yaml")
    (tmp_path / "arms.yaml").write_text("arms: []\nbaseline: a\n")
    assert "`compare --config arms.yaml` runs it" in refused("arms.yaml")


def test_leaderboard_of_no_study(refused):
    assert "is nowhere the folder of a study?" in refused("leaderboard", "nowhere")


def test_export_of_a_finalist(capsys, tmp_path):
    """The same command as that of ``python -m hybrid_swin``, which is tested there."""
    variant = hs.Variant(8, 1, 3, 1, 4, 2, [hs.Stage(8, 1, 2, ("w_msa",))])
    model = hs.create_model(variant)
    folder = tmp_path / "runs" / "finalists" / "0a1b2c" / "0" / "attempt-1"
    folder.mkdir(parents=True)
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": {"variant": variant.to_dict()}}
    torch.save(content, folder / "final.ckpt")
    assert main(["export", str(folder.parent), "--format", "safetensors"]) == 0
    assert "differs from the network by 0" in capsys.readouterr().out
    assert (folder / "final.safetensors").is_file()


def test_export_of_no_training(refused):
    assert "does not exist" in refused("export", "nowhere", "--format", "onnx")


@pytest.mark.parametrize(
    "command", [[], ["run"], ["space"], ["leaderboard"], ["blocks"], ["cost"], ["export"]]
)
def test_help_imports_nothing_heavy(command, tmp_path):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['search.py', *{command!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(DOOR)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'torch', 'lightning', 'optuna', 'wandb', 'numpy', 'scipy', 'sklearn', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=DOOR.parent, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "usage" in done.stdout


def test_the_default_study_is_found_from_any_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, str(DOOR), "run", "--print_config"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    settings = yaml.safe_load(done.stdout)
    assert settings["name"] == "digits"
    assert settings["trials"] >= 8
    assert list(tmp_path.iterdir()) == []

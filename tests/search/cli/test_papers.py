"""The bundled papers: listed, shown, timed, planned, and run shrunk to a verdict."""

import json
import shlex
from pathlib import Path

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from search.cli import papers
from search.cli.commands import COMMANDS
from search.cli.main import main
from search.comparison.report import figures
from search.launch.comparison import check, prepare
from search.launch.hours import estimate
from search.settings.config_files import bundled_configs
from tests.search.records import instant_folders

FILES = {file.stem: file for file in bundled_configs("papers")}
SHORT = ["--seeds", "2", "--learning_rates", "[0.003]", "--recipe.epochs", "5"]


@pytest.fixture
def shrunk(tmp_path, monkeypatch):
    """Runs a paper with trainings that take no time; gives its comparison.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(figures, "save_figures", lambda *_: None)  # tested where they are
    monkeypatch.setattr(instant_folders, "keep_weights", lambda *_: None)
    instant_folders.use_instant_workers(monkeypatch)

    def run(name, *words):
        line = ["compare", "--config", f"configs/papers/{name}.yaml", "--folder", "runs"]
        assert main([*line, *SHORT, *words]) == 0
        (file,) = Path("runs").glob("*/comparison.json")
        return json.loads(file.read_text())

    return run


@pytest.mark.parametrize("name", FILES)
def test_each_runs_shrunk_to_a_verdict_on_every_claim(name, shrunk, capsys):
    paper = papers.read_paper(FILES[name])
    content = shrunk(name)
    judged = content["published"]
    sources = {one["claim"]["source"] for one in judged}
    assert sources == {claim.source for claim in paper.settings.published}
    assert {one["verdict"] for one in judged} <= {"reproduced", "contradicted", "underpowered"}, [
        one["why"] for one in judged
    ]
    assert "published difference" in capsys.readouterr().out


@pytest.mark.parametrize("name", FILES)
def test_each_network_takes_a_step_and_each_arm_a_control_or_a_claim(name):
    paper = papers.read_paper(FILES[name])
    plan, _ = check(paper.settings)
    for variant in {entry.variant for entry in plan.entries}:
        images = torch.randn(2, variant.in_channels, *variant.image_size)
        HybridSwin(variant)(images).sum().backward()
    claimed = {c.arm for c in paper.settings.published if c.arm} | {plan.entries[0].arm}
    controls = {arm for entry in plan.entries for arm in entry.controls.values()}
    assert controls, "no control"
    assert claimed <= {entry.arm for entry in plan.entries}


@pytest.mark.parametrize("name", FILES)
def test_each_says_what_it_asks_and_of_whom(name):
    paper = papers.read_paper(FILES[name])
    head = "\n".join(paper.head)
    assert "?" in paper.head[0] and "https://" in paper.head[0]
    assert f"python search.py compare --config {paper.path}" in head
    for word in ("Published:", "Here:", "direction"):
        assert word in head, word
    for claim in paper.settings.published:
        assert claim.source and claim.url and claim.metric
    assert paper.settings.name == name.replace("_", "-")


def test_listed_and_shown(capsys):
    assert main(["papers", "--time", "none"]) == 0
    out = capsys.readouterr().out
    assert "time" not in out
    for name in FILES:
        assert name in out
    assert main(["papers", "coswin_convolution", "--time", "none"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "+conv against swin +2.17 CIFAR-10 top-1 CoSwin, abstract" in out
    assert "run python search.py compare --config configs/papers/coswin_convolution.yaml" in out


def test_a_claim_names_what_it_is_against_unless_that_is_the_baseline():
    first, second = papers.read_paper(FILES["flatten_linear"]).claims.split("), ")
    assert first.startswith("linear +0.8 (")
    assert second.startswith("linear against linear alone +2.3 (")


def test_the_command_for_images_of_ones_own_is_complete(capsys, photos, tmp_path, monkeypatch):
    """All that it leaves out is in the config: nothing is trained before it is accepted."""
    monkeypatch.chdir(tmp_path)
    assert main(["papers", "coswin_convolution", "--time", "none"]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "--data" in x)
    classes = len([folder for folder in photos.iterdir() if folder.is_dir()])
    for placeholder, value in (
        ("FOLDER", photos),
        ("_size S", "_size 32"),
        ("_channels C", "_channels 3"),
    ):
        line = line.replace(placeholder, str(value))
    words = shlex.split(line.replace("num_classes N", f"num_classes {classes}"))[2:]
    name, *words = (word for word in words if word != "--dry-run")
    _, settings, _ = COMMANDS[name].parse(name, words)
    plan, _ = check(settings)
    prepared = prepare(plan)
    assert settings.path == Path("runs/mine")
    assert next(iter(prepared.data.values()))["classes"]


def test_an_unknown_paper_is_refused(capsys):
    assert main(["papers", "coswin_convolutoin"]) == 2
    assert "did you mean 'coswin_convolution'?" in capsys.readouterr().err


def test_the_time_is_found_as_asked(monkeypatch, capsys):
    monkeypatch.setattr(estimate, "estimated_seconds", lambda settings: 5400.0)
    monkeypatch.setattr(estimate, "timed_seconds", lambda settings, console: 9000.0)
    for words, by, hours in (
        (["--time", "none"], "none", None),
        ([], "estimate", 1.5),
        (["--time=pilots"], "pilots", 2.5),
    ):
        assert main(["papers", *words, "--format", "json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["time_by"] == by and {one["hours"] for one in answer["papers"]} == {hours}
    assert main(["papers"]) == 0
    assert "estimated from counted MACs and one timed" in " ".join(capsys.readouterr().out.split())
    assert main(["papers", "cct_stem"]) == 0
    assert "time about 90 min here: estimated from " in " ".join(capsys.readouterr().out.split())


def test_a_paper_whose_images_are_missing_says_so(monkeypatch, capsys):
    def missing(settings):
        raise InputError("give pip install")

    monkeypatch.setattr(estimate, "estimated_seconds", missing)
    assert main(["papers", "cct_stem", "--format", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["papers"]
    assert (one["hours"], one["fault"]) == (None, "give pip install")

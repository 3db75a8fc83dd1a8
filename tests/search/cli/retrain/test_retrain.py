"""`retrain`: the study that trains a candidate again, and what it is told of the run."""

import json
from pathlib import Path

import pytest
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import init_hash
from search.cli.commands import COMMANDS
from search.cli.main import main
from search.cli.retrain.options import run_of
from search.settings.first_weights import InitSettings
from tests.search.records import instant_folders


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A study and a comparison that took no time."""
    place = tmp_path_factory.mktemp("studied")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("WANDB_MODE", "disabled")
        instant_folders.use_instant_workers(patch)
        study = {**instant_folders.STUDY, "trials": 3}
        for command, content in (("run", study), ("compare", instant_folders.COMPARISON)):
            (place / f"{command}.yaml").write_text(yaml.safe_dump(content))
            assert main([command, "--config", f"{command}.yaml"]) == 0
    return place


@pytest.fixture(autouse=True)
def place(studied, monkeypatch):
    monkeypatch.chdir(studied)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    instant_folders.use_instant_workers(monkeypatch)
    return studied


def ask(*words):
    (question,) = COMMANDS["retrain"].parse("retrain", words)
    run, _ = run_of(question.options.target)
    return question.settings(run)


def first(pattern):
    return sorted(Path("runs").glob(pattern))[0]


def test_a_study_means_its_first_row(capsys):
    assert main(["retrain", "runs/study", "--seeds", "4"]) == 0
    said = capsys.readouterr().out
    first = json.loads(Path("runs/study/leaderboard.json").read_text())["rows"][0]
    assert f"candidate  {first['label']}, the first row of study" in said
    assert "before     val/accuracy " in said and " over 2 seeds\n" in said
    (folder,) = Path("runs").glob("study-*-retrained")
    (row,) = json.loads((folder / "leaderboard.json").read_text())["rows"][:1]
    assert (row["label"], row["seeds"]) == (first["label"], 4)
    assert row["variant_id"] == first["variant_id"]
    runs = [json.loads(file.read_text()) for file in folder.glob("finalists/*/*/run.json")]
    old = [
        json.loads(file.read_text()) for file in Path("runs/study").glob("finalists/*/*/run.json")
    ]
    assert {run["candidate_id"] for run in runs} == {first["candidate_id"]}
    assert not {run["seed"] for run in runs} & {run["seed"] for run in old}
    assert main(["retrain", "runs/study", "--seeds", "4"]) == 0  # goes on, and trains nothing


@pytest.mark.parametrize(
    "pattern", ["study/trials/*", "study/baselines/*", "comparison/*/*/run.json"]
)
def test_any_run_with_a_network(pattern):
    run = first(pattern)
    about = json.loads((run if run.is_file() else run / "run.json").read_text())
    settings = ask(str(run), "--seeds", "2")
    assert settings.variant["stages"][0]["blocks"] == about["variant"]["stages"][0]["blocks"]
    assert settings.recipe["learning_rate"] == about["recipe"]["learning_rate"]
    assert settings.finalists.seeds == 2 and settings.trials == 0
    assert settings.data.validation_seed is None


def test_settings_are_changed_by_words():
    settings = ask("runs/study", "--recipe.epochs", "100", "--name", "long", "--seed", "9")
    assert (settings.recipe["epochs"], settings.name, settings.seed) == (100, "long", 9)


def test_other_images_bring_their_classes(capsys, photos):
    words = ["retrain", "runs/study", "--images", str(photos), "--variant.in_channels", "3"]
    assert main([*words, "--print_config"]) == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert settings["data"]["options"] == {"path": str(photos)}
    assert settings["variant"]["num_classes"] == 10
    few = ["--data.source", "constellation", "--variant.image_size", "16", "--print_config"]
    assert main(["retrain", "runs/study", *few]) == 0
    said = capsys.readouterr().err
    assert "classes    2 of these images, instead of 10" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "'nowhere': there is no such folder in "),
        (["run.yaml"], "'run.yaml' is not a run of a study"),
        (["runs/comparison"], "a comparison has none"),
        (["runs/study", "--hours", "1"], "unknown option '--hours'"),
        (["runs/study", "--seeds", "0"], "--seeds must be at least 1"),
        ([], "needs target"),
    ],
)
def test_what_cannot_be_trained_is_said(words, message):
    with pytest.raises(InputError, match=message):
        ask(*words)


def test_a_run_that_began_from_weights_begins_from_the_same_again(tmp_path):
    run = first("study/trials/*")
    content = json.loads((run / "run.json").read_text())
    record = run.parents[1] / "study.json"
    study = json.loads(record.read_text())
    file = tmp_path / "swin.pth"
    file.write_bytes(b"weights")
    start = {"init": str(file), "weights_prefix": "ema", "init_strict": False}
    (run / "run.json").write_text(json.dumps(content | start))
    data = study["data"] | {"init": init_hash(file, "ema")}
    record.write_text(json.dumps(study | {"data": data}))
    try:
        assert ask(str(run)).init == InitSettings(str(file), prefix="ema")
        file.write_bytes(b"others")
        with pytest.raises(InputError, match=r"swin.pth' is another file by now; put it back"):
            ask(str(run))
    finally:
        (run / "run.json").write_text(json.dumps(content))
        record.write_text(json.dumps(study))

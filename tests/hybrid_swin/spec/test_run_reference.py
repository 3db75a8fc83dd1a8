"""Networks and recipes of runs of a study, which is fabricated."""

import json
import os

import pytest

from hybrid_swin.__main__ import main
from hybrid_swin.errors import InputError
from hybrid_swin.interop.factory import create_model
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.spec.recipe import Recipe, with_defaults
from hybrid_swin.spec.run_reference import (
    names_run,
    refuse_reading,
    refuse_study,
    run_data,
    run_recipe,
    run_variant,
    with_runs,
)

STAGES = [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}]
VARIANT = {"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 4, "window_size": 2}
RECIPE = {"epochs": 1, "batch_size": 256, "learning_rate": 0.02}


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "many"
    for key in ("trials/0000", "finalists/0a1b2c/0", "references/plain"):
        network = None if key.startswith("ref") else VARIANT | {"stages": STAGES}
        (folder / key / "attempt-1").mkdir(parents=True)
        (folder / key / "attempt-1/final.ckpt").touch()
        content = {"key": key, "variant": network, "recipe": network and RECIPE}
        (folder / key / "run.json").write_text(json.dumps(content))
    (folder / "settings.yaml").write_text("variant: {mlp_ratio: {choose: [2, 4]}}")
    return folder


@pytest.fixture
def run(study):
    return study / "finalists/0a1b2c/0"


@pytest.mark.parametrize("file", ["", "run.json"])
def test_a_run_is_a_variant_and_a_recipe(run, file):
    assert names_run(run / file)
    assert resolve_variant(str(run / file)) == run_variant(run / file)
    assert run_variant(run / file).stages[0].width == 8
    assert run_recipe(run / file) == Recipe(**RECIPE)
    with pytest.warns(UserWarning, match="with fresh weights; pretrained=True takes"):
        assert create_model(run / file, num_classes=3).variant.num_classes == 3


def test_what_is_no_run_is_left_as_it_is(tmp_path):
    inline = json.dumps(Recipe().to_dict())  # longer than a file's name may be
    assert not any(map(names_run, ("swin_t", tmp_path, inline, "mine.yaml", "a\0b")))
    given = ["fit", "--recipe", inline, "--recipe=mine.yaml", "--recipe.epochs", "3"]
    assert with_runs(given) == given


def test_recipes_of_runs_are_put_in_their_place(run):
    given = ["fit", "--variant", str(run), "--recipe", str(run), f"--recipe={run}"]
    *same, pair, joined = with_runs(given)
    assert same == given[:4]
    for text in (pair, joined.removeprefix("--recipe=")):
        # with fields at their default too, in the place of those of a recipe given before it
        assert json.loads(text) == with_defaults(Recipe(**RECIPE).to_dict())


def test_what_the_study_settled_stands_in_the_run(run, tmp_path, capsys):
    content = json.loads((run / "run.json").read_text())
    settled = {"precision": "32-true", "data": {"source": "digits", "split_seed": 3}}
    (run / "run.json").write_text(json.dumps(content | {"settled": settled}))
    assert run_recipe(run).precision == "32-true"
    assert run_data(run) == settled["data"]
    # as `refuse_reading` suggests it
    words = ["fit", "--run", str(run), "--folder", str(tmp_path / "own")]
    assert main([*words, "--accelerator", "cpu"]) == 0
    assert "32-true on" in capsys.readouterr().out
    assert "split_seed: 3" in (tmp_path / "own/settings.yaml").read_text()
    # a precision of the recipe's own, and data of the run's own, come before the study's
    own = {"recipe": RECIPE | {"precision": "bf16-mixed"}, "data": {"source": "npz"}}
    (run / "run.json").write_text(json.dumps(content | own | {"settled": settled}))
    assert (run_recipe(run).precision, run_data(run)) == ("bf16-mixed", {"source": "npz"})


@pytest.mark.parametrize("given", [["--run", "swin_t"], ["--run=mine.yaml"], ["--run"]])
def test_what_is_no_run_cannot_stand_for_one(given):
    with pytest.raises(InputError, match="is not a run of a study"):
        with_runs(["fit", *given])


def test_a_run_that_does_not_say_its_data_is_refused(run):
    with pytest.raises(
        InputError, match=r"does not say what it was trained on; give --data\.source"
    ):
        run_data(run)


def test_fit_trains_a_runs_network_anew(run, tmp_path, capsys):
    """With its recipe where that is given as well, changed by what comes after it."""
    own = tmp_path / "own"
    names = ["fit", "--variant", str(run), "--accelerator", "cpu", "--folder", str(own)]
    assert main([*names, "--recipe", str(run), "--recipe.batch_size", "512"]) == 0
    out = capsys.readouterr().out
    assert "complete after 1 of 1 epochs" in out
    assert "default recipe" not in out
    settings = (own / "settings.yaml").read_text()
    assert "learning_rate: 0.02" in settings
    assert "batch_size: 512" in settings
    assert main(["test", str(own), "--accelerator", "cpu"]) == 0


def test_fit_says_how_to_take_a_runs_recipe(run, tmp_path, capsys):
    names = ["--variant", str(run), "--folder", str(tmp_path), "--data.class_path", "no.such.Data"]
    assert main(["fit", *names]) == 2
    note = f"note: the default recipe; --recipe {run} takes the run's own"
    assert note in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "is a study; give the folder of one of its runs, such as "),
        ("references/plain", "is of no network; give a trial, baseline or finalist"),
        ("run.json", "cannot be read"),
    ],
)
def test_what_holds_no_network_is_refused(study, place, words):
    with pytest.raises(InputError, match=words):
        run_variant(study / place)


def test_a_study_without_a_trained_run_names_none(tmp_path):
    (tmp_path / "trials").mkdir()
    with pytest.raises(InputError, match=r"one of its runs$"):
        refuse_study(tmp_path)


@pytest.mark.parametrize("command", ["test", "validate"])
@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("", "is a study,"),
        ("finalists/0a1b2c/0", "is a run of a study,"),
        ("finalists/0a1b2c/0/attempt-1", "is a run of a study,"),
    ],
)
def test_studies_are_not_read_again(study, run, capsys, monkeypatch, command, place, what):
    monkeypatch.chdir(study.parent)  # the commands are whole where paths are not very long
    run, study = run.relative_to(study.parent), study.relative_to(study.parent)
    assert main([command, str(study / place)]) == 2
    error = capsys.readouterr().err
    assert what in error
    assert f"`python search.py leaderboard {study}`" in error
    assert f"fit --run {run} --folder NEW" in error


def test_a_run_is_known_from_within(study, run, monkeypatch):
    monkeypatch.chdir(run)
    with pytest.raises(InputError, match=f"leaderboard {os.path.join('..', '..', '..')}`"):
        refuse_reading(run.relative_to(run))

"""`--images`, `--hours` and `--preset`: what is taken, refused and settled; no pilot is trained."""

import io
import json
import os
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from hybrid_swin.cost import count_cost
from hybrid_swin.data.loading import load_data
from hybrid_swin.errors import InputError
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import write_json_atomically
from search.cli import experiments
from search.cli.commands import COMMANDS
from search.cli.experiments import in_time
from search.cli.main import main
from search.launch.hours import pilots as timed
from search.launch.hours.pace import Pace
from search.launch.proposal.images import look_at, name_of
from search.launch.proposal.network import network_sizes
from search.launch.proposal.presets import PRESETS
from search.records.runs import RunResult, RunSpec
from search.records.settings import write_settings
from search.records.study_file import write_study_file
from search.records.time_limit import TimeLimit, write_time_limit
from search.settings.comparison import ComparisonSettings
from search.settings.names import check_name
from search.settings.study import StudySettings

PACE = Pace(0.05, 1e-4, 3e-10, 0.3, 5.0, 2)


@pytest.fixture
def paced(monkeypatch, tmp_path):
    """The pace of a machine, as if pilots had told it; and a working folder. Counts the pilots."""
    pilots = []

    def tell(self, specs, *_):
        pilots.append(specs)
        return PACE

    monkeypatch.setattr(timed.PilotWorkers, "pace", tell)
    monkeypatch.setattr(timed, "start_workers", NoWorkers)
    monkeypatch.chdir(tmp_path)
    return pilots


class NoWorkers:
    """Stands for workers that are ready."""

    slots = 2

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait_until_ready(self, timeout=0):
        return True


load_digits = cache(datasets.load_digits)


def digits(root, count=120):
    """scikit-learn's digits as files, one folder per class."""
    data = load_digits()
    for index in range(count):
        place = root / f"{data.target[index]}" / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[index] * 15).astype(np.uint8)).save(place)
    return root


def textures(root, classes, each, size, mode="RGB"):
    """Colour gratings, an orientation per class."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    for label in range(classes):
        angle = np.pi * label / classes
        for index in range(each):
            phase = rng.uniform(0, 6.3)
            wave = np.sin(0.7 * (np.cos(angle) * x + np.sin(angle) * y) + phase)
            pixels = 127 + 60 * wave[..., None] + rng.normal(0, 20, (*size, 3))
            place = root / f"class{label}" / f"{index}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.convert(mode).save(place)
    return root


def settle(*words, kind=StudySettings, ago=0.0):
    """What a command that began so many seconds ago would do, and what it says."""
    text = io.StringIO()
    command = COMMANDS["run" if kind is StudySettings else "compare"]
    options, settings, given = command.parse("", words)
    began = time.monotonic() - ago
    found = in_time(options, settings, given, began, Console(file=text, width=1000))
    return found, text.getvalue()


# What is taken and refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hours"], "--hours: expected one argument"),
        (["--hours", "soon"], "hours must be a number; got 'soon'"),
        (["--hours", "0"], "must be above 0"),
        (["--hours", "nan"], "hours must be a number; got 'nan'"),
        (["--preset", "quick"], "--preset quick belongs to --images"),
        (["--images", "nowhere"], "--images 'nowhere': there is no such folder or file"),
        (
            ["--images", "~no-such-user/photos"],
            "option '--images': '~no-such-user/photos' cannot be used",
        ),
        (["--images", "circle"], "option '--images': 'circle' cannot be used"),
        (["--images", "x" * 300], "cannot be used: File name too long"),
        (["--images", "two", "--hours", "0"], "--hours must be above 0"),
        (["--images", ""], "images is empty; give a text, or leave it out"),
        (["--images", "two", "--data.options.path", "one"], "--data.options.path names others"),
        (["--images", "two", "--data.source", "digits"], "--data.source names others; leave one"),
        (["--images", "a.txt"], "is a file of another kind"),
        (["--images", "x", "--config", "digits.yaml"], "give one of the two"),
        (["--images", "x", "--preset", "quik"], "did you mean 'quick'?"),
        (["--images", "one"], "holds the class(es) ['only']; a classifier needs at least two"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(paced, capsys, tmp_path, words, message):
    (tmp_path / "a.txt").write_text("no images")
    (tmp_path / "circle").symlink_to("circle")
    textures(tmp_path / "two", 2, 2, (8, 8))
    (tmp_path / "one" / "only").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "one" / "only" / "1.png")
    assert main(["run", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert not paced


# Images of every kind


@pytest.mark.parametrize(
    ("make", "shape", "channels", "classes", "kind"),  # both kinds take the same of images
    [
        (lambda root: digits(root), 8, 1, 10, ComparisonSettings),
        (lambda root: textures(root, 3, 20, (40, 60)), [40, 80], 3, 3, StudySettings),
        (lambda root: textures(root, 2, 30, (32, 32)), 32, 3, 2, StudySettings),
        (lambda root: textures(root, 40, 4, (32, 32)), 32, 3, 40, StudySettings),
        (lambda root: textures(root, 4, 15, (28, 28), "L"), 28, 1, 4, StudySettings),
        (lambda root: textures(root, 2, 3, (900, 700)), [96, 64], 3, 2, StudySettings),
        (lambda root: textures(root, 2, 4, (40, 80)), [40, 80], 3, 2, ComparisonSettings),
    ],
    ids=["digits", "small", "two", "many", "grey", "large", "wide"],
)
def test_settings_fit_the_images(paced, tmp_path, make, shape, channels, classes, kind):
    make(tmp_path / "photos")
    found, text = settle("--images", "photos", "--hours", "0.3", kind=kind)
    variant = found.settings.variant
    assert variant["image_size"] == shape
    assert (variant["in_channels"], variant["num_classes"]) == (channels, classes)
    assert found.plan.seconds < 0.3 * 3600
    assert len(paced) == 1
    flip = found.settings.recipe["flip"]
    assert flip == ("none" if channels == 1 else "horizontal")
    for heading in ("images", "network", "training", "plan", "settings", "resolution"):
        assert f"\n{heading}" in text


def test_what_tells_classes_apart_at_the_end_of_long_images_is_kept(paced, tmp_path):
    for index in range(12):
        pixels = np.full((64, 640), 100, np.uint8)
        pixels[:, :40] = 250 * (index % 2)
        place = tmp_path / "photos" / f"class{index % 2}" / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
    found, text = settle("--images", "photos", "--hours", "0.3")
    assert found.settings.variant["image_size"] == [64, 192]
    assert "squeezed to 64 x 192 (proportions change up to 3.33 times; nothing is cut)" in text
    images = load_data(found.settings.data, (64, 192), 1, None).images
    left = images.images[:, :, :8].mean(axis=(1, 2, 3))
    assert (left[images.labels == 0] < 50).all()
    assert (left[images.labels == 1] > 200).all()


def test_what_scaling_cuts_is_said_before_anything_is_trained(paced, tmp_path):
    textures(tmp_path / "photos", 2, 3, (70, 74))
    found, text = settle("--images", "photos", "--hours", "0.3")
    assert found.settings.variant["image_size"] == 64
    assert "scaled to 64 x 64 and cropped: up to 5% of each image" in text
    for index in range(3):  # now upright ones beside
        shape = (40, 80) if index else (80, 40)
        textures(tmp_path / "mixed" / f"{index}", 1, 4, shape)
    _, text = settle("--images", "mixed", "--hours", "0.3")
    assert "proportions change up to" in text


def test_a_file_that_cannot_be_read_is_left_out(paced, tmp_path):
    textures(tmp_path / "photos", 2, 10, (16, 16))
    (tmp_path / "photos" / "class0" / "0.png").write_bytes(b"\x89PNG broken")
    found, text = settle("--images", "photos", "--hours", "0.3")
    assert found.settings.variant["image_size"] == 16
    assert "2 classes of 9 to 10 images" in text
    assert "; 1 file left out" in text


def test_given_splits_a_table_and_arrays(paced, tmp_path):
    for split in ("train", "val", "test"):
        textures(tmp_path / "split" / split, 2, 6, (16, 16))
    _, text = settle("--images", "split", "--hours", "0.3")
    assert "train 12, validation 12, test 12 (test, train, validation given)" in text
    rows = [
        f"split/{s}/class{c}/{i}.png,{c},g{i}" for s in ("train",) for c in (0, 1) for i in range(6)
    ]
    (tmp_path / "table.csv").write_text("path,label,group\n" + "\n".join(rows))
    found, text = settle("--images", "table.csv", "--hours", "0.3")
    assert found.settings.data.options == {"csv": "table.csv"}
    assert "6 groups" in text
    images = np.random.default_rng(0).integers(0, 255, (60, 20, 30, 3), np.uint8)
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.arange(60) % 3)
    found, _ = settle("--images", "set.npz", "--hours", "0.3")
    assert found.settings.data.source == "npz"
    assert found.settings.variant["image_size"] == [20, 30]


# The file, and going on


def test_the_file_is_what_is_run_and_can_be_edited(paced, tmp_path):
    digits(tmp_path / "photos")
    found, text = settle("--images", "photos", "--hours", "0.5")
    file = tmp_path / "runs" / "photos" / "begin.yaml"
    again, _ = settle("--config", str(file))
    assert again.settings == found.settings
    assert again.plan is None
    head = file.read_text().split("name:")[0]
    assert "run --images photos --hours 0.5" in head
    assert "Measured: 0.05 s for each epoch" in head
    assert "run --config runs/photos/begin.yaml" in text


def test_a_file_that_was_edited_is_never_replaced(paced, tmp_path, capsys):
    digits(tmp_path / "photos")
    for hours in ("0.5", "0.6"):  # what the program wrote, it replaces
        settle("--images", "photos", "--hours", hours)
    file = tmp_path / "runs" / "photos" / "begin.yaml"
    assert "--hours 0.6" in file.read_text()
    edited = file.read_text() + "# mine\n"
    file.write_text(edited)
    for _ in range(2):
        assert main(["run", "--images", "photos", "--hours", "0.5"]) == 2
        error = capsys.readouterr().err
        assert "'runs/photos/begin.yaml' was edited, and a new proposal would replace it" in error
        assert "run --config runs/photos/begin.yaml`, or move it away" in error
        assert file.read_text() == edited
    assert len(paced) == 2  # it is said before any pilot


def test_a_plan_that_replaces_another_says_what_changed(paced, tmp_path):
    digits(tmp_path / "photos")
    settle("--images", "photos", "--hours", "0.5", "--trials", "5", "--finalists.seeds", "3")
    folder = tmp_path / "runs" / "photos"
    first = (folder / "begin.yaml").read_text()
    words = "--images", "photos", "--hours", "0.5", "--trials", "4", "--finalists.seeds", "3"
    _, text = settle(*words)
    said = (
        "\nchanged    runs/photos/begin.yaml held another plan, now in runs/photos/begin.old.yaml: "
    )
    assert said in text and "trials: 5 -> 4" in text
    assert (folder / "begin.old.yaml").read_text() == first
    assert "changed" not in settle(*words)[1]


def test_an_edited_copy_of_an_earlier_plan_is_never_replaced(paced, tmp_path):
    digits(tmp_path / "photos")
    folder = tmp_path / "runs" / "photos"

    def propose_with(*threads):
        for number in threads:
            settle("--images", "photos", "--hours", "0.5", "--workers.threads", number)
        return sorted(path.name for path in folder.glob("begin.old*"))

    assert propose_with("1", "2", "3") == ["begin.old.yaml"]  # its own, it replaces
    (folder / "begin.old.yaml").write_text("# mine")
    assert propose_with("4", "5") == ["begin.old.2.yaml", "begin.old.yaml"]
    assert (folder / "begin.old.yaml").read_text() == "# mine"


def test_a_file_of_an_earlier_version_is_never_replaced(paced, tmp_path):
    digits(tmp_path / "photos")
    settle("--images", "photos", "--hours", "0.5")
    (tmp_path / "runs" / "photos" / "proposal.json").unlink()
    with pytest.raises(InputError, match="was edited or is of an earlier version"):
        settle("--images", "photos", "--hours", "0.5")


# Options that do not depend on each other go together.
STUDY_WORDS = {
    "retrainings": [
        *("--finalists.seeds", "4", "--finalists.top", "1", "--finalists.random", "0"),
        *("--trials", "3", "--objective.against", "[macs]"),
        *("--variant.window_size", "2", "--variant.mlp_ratio", "{choose: [2, 4]}"),
        *("--wandb.mode", "offline", "--wandb.tags", "[a, b]", "--wandb.project", "birds"),
    ],
    "looks": [
        *("--finalists.seeds", "[3, 5]"),
        *("--recipe.epochs", "20", "--recipe.learning_rate", "0.003"),
        *("--sampler.random_search", "true", "--rungs.first", "0"),
        *("--baselines", "[{blocks: [w_msa]}, {label: conv, blocks: [conv]}]"),
    ],
    "budget": [
        *("--budget.macs", "900K", "--budget.parameters", "100K"),
        *("--recipe.batch_size", "32", "--data.epoch_images", "64"),
        *("--objective.monitor", "val/balanced_accuracy", "--seed", "7"),
        *("--name", "mine", "--folder", "there", "--workers.threads", "2"),
    ],
}
COMPARISON_WORDS = {
    "arms": [
        *("--arms", "[{label: plain}, {add: conv}, {add: mdta(attention=false)}]"),
        *("--seeds", "4", "--learning_rates", "[0.001, 0.002]", "--choose_rate", "once"),
        *("--recipe.epochs", "20", "--recipe.flip", "none"),
    ],
    "factors": [
        *("--arms", "[{label: base}, {add: mdta}]"),
        *("--factors", "{fusion: [sum, gate]}", "--baseline", "base"),
        *("--name", "mine", "--workers.count", "2", "--wandb.mode", "disabled"),
    ],
    "looks": [
        *("--arms", "[{label: base}, {add: mdta}]", "--seeds", "[3, 5]", "--primary.arm", "+mdta"),
        *("--match.by", "[macs, parameters]", "--equivalence", "1"),
    ],
}


@pytest.mark.parametrize("words", STUDY_WORDS.values(), ids=list(STUDY_WORDS))
def test_the_file_alone_gives_the_study_of_the_command(paced, tmp_path, words):
    same_from_the_file(tmp_path, words, StudySettings)


@pytest.mark.parametrize("words", COMPARISON_WORDS.values(), ids=list(COMPARISON_WORDS))
def test_the_file_alone_gives_the_comparison_of_the_command(paced, tmp_path, words):
    same_from_the_file(tmp_path, words, ComparisonSettings)


def same_from_the_file(tmp_path, words, kind):
    digits(tmp_path / "photos")
    found, _ = settle("--images", "photos", "--hours", "3", *words, kind=kind)
    file = found.settings.path / "begin.yaml"
    again, _ = settle("--config", str(file), kind=kind)
    assert again.settings == found.settings
    assert found.proposal  # so a dry run has said all
    command = COMMANDS["run" if kind is StudySettings else "compare"]
    _, plain, _ = command.parse("", ["--images", "photos", *words])
    for path in (word.strip("-").partition("=")[0].split(".") for word in words[::2]):
        values = found.settings.to_dict(), plain.to_dict()
        for name in path:
            values = values[0][name], values[1][name]
        if isinstance(values[1], dict):  # of which the default config may have more
            values = values[0], {name: values[1][name] for name in values[0]}
        assert values[0] == values[1]


def test_what_is_said_and_timed_is_what_is_asked_for(paced, tmp_path, write_plugin):
    digits(tmp_path / "photos")
    plugin = write_plugin("average")
    arms = "[{label: plain}, {add: average}, {add: pointwise}]"
    words = ["--images", "photos", "--plugin", str(plugin), "--arms", arms, "--hours", "0.5"]
    found, text = settle(*words, kind=ComparisonSettings)
    seeds = found.settings.seeds
    assert f"plan       quick: 3 arms (plain, +average, +pointwise) over {seeds} paired" in text
    assert "; 2 differences are tested together" in text
    arms = {spec.label.partition(" | ")[0] for spec in paced[-1]}
    assert arms == {"plain", "+average", "+pointwise"}
    assert f"--config runs/photos-compared/begin.yaml --plugin {plugin}" in text
    again, _ = settle("--config", "runs/photos-compared/begin.yaml", kind=ComparisonSettings)
    named = ["--config", "runs/photos-compared/begin.yaml", "--plugin", str(plugin)]
    assert again.settings == found.settings == settle(*named, kind=ComparisonSettings)[0].settings
    of_all, _ = settle("--images", "photos", "--hours", "0.5", kind=ComparisonSettings)
    assert found.plan.seconds < of_all.plan.seconds or seeds > of_all.settings.seeds


def test_options_that_change_no_training_need_no_other_pilot(paced, tmp_path):
    digits(tmp_path / "photos")
    settle("--images", "photos", "--hours", "0.3", "--recipe.epochs", "20", "--name", "x")
    assert len(paced) == 2  # of the proposal, and of what was changed
    words = "--folder", "there", "--workers.threads", "2"
    plain, _ = settle("--images", "photos", "--hours", "0.3", *words)
    assert plain.settings.path.as_posix() == "there/photos"
    assert len(paced) == 3


def test_what_follows_from_an_option_follows_it(paced, tmp_path):
    digits(tmp_path / "photos")
    found, text = settle("--images", "photos", "--hours", "3", "--recipe.epochs", "20")
    assert found.settings.recipe["warmup_epochs"] == 2
    assert found.settings.rungs.first == 2
    assert "\ntraining   20 epochs of " in text


def begun(found):
    """A study that has trained, as far as its folder tells; gives the folder."""
    folder = found.settings.path
    write_time_limit(folder, found.plan.limit)
    write_settings(folder, found.settings)
    place = folder / "trials" / "0000"
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    settings = found.settings.fixed() | {"plugins": None}
    fixed = {"schema_version": 1, "settings": settings, "working_folder": os.getcwd()}
    write_study_file(folder, fixed)
    return folder


def test_a_study_that_has_begun_keeps_its_settings_and_its_plan(paced, tmp_path):
    digits(tmp_path / "photos")
    first, _ = settle("--images", "photos", "--hours", "0.3")
    begun(first)
    digits(tmp_path / "photos", 200)  # more images: nothing is proposed anew
    again, text = settle("--images", "photos", "--hours", "0.3", kind=StudySettings)
    assert "going on with the settings in runs/photos/begin.yaml" in text
    assert again.settings == first.settings
    assert again.plan.limit == first.plan.limit
    assert len(paced) == 1


def test_runs_that_have_ended_count_for_other_hours(paced, tmp_path):
    digits(tmp_path / "photos")
    first, _ = settle("--images", "photos", "--hours", "0.3")
    folder = begun(first)
    with pytest.raises(InputError, match="a study of these settings") as whole:
        settle("--images", "photos", "--hours", "0.03")
    variant = network_sizes(look_at(str(tmp_path / "photos")), 10, 64, 48)[0].variant()
    for number in range(60):
        key = f"finalists/c/{number}"
        cost = {"macs": 4 * count_cost(variant).macs}
        spec = RunSpec(
            "s", key, "finalist", "final", "", variant.to_dict(), {}, "v", "c", 0, cost=cost
        )
        (folder / key).mkdir(parents=True)
        write_json_atomically(folder / key / "run.json", spec.to_dict())
        result = RunResult(key, 1, "complete", 0.5, epochs=300, seconds={"total": 9.0})
        write_json_atomically(folder / key / "result.json", result.to_dict())
    with pytest.raises(InputError, match="of which 60 runs have ended, takes at least") as rest:
        settle("--images", "photos", "--hours", "0.03")
    hours = [float(str(e.value).split("at least ")[1].split(" h")[0]) for e in (whole, rest)]
    assert hours[1] < hours[0]


def test_a_study_goes_on_with_its_own_images_only(paced, tmp_path):
    textures(tmp_path / "a" / "photos", 2, 3, (8, 8))
    textures(tmp_path / "b" / "photos", 3, 3, (8, 8))
    first, _ = settle("--images", "a/photos", "--hours", "0.3")
    begun(first)
    (tmp_path / "link").symlink_to("a")
    for same in ("./a/../a/photos/", "link/photos", str(tmp_path / "a" / "photos")):
        again, _ = settle("--images", same, "--hours", "0.3")
        assert again.settings == first.settings
    with pytest.raises(InputError) as refused:
        settle("--images", "b/photos", "--hours", "0.3")
    assert str(refused.value) == (
        f"study 'photos' is of '{tmp_path}/a/photos'; give another --name for '{tmp_path}/b/photos'"
    )
    with pytest.raises(InputError, match="there is no such folder or file"):
        settle("--images", "/nonexistent/photos", "--hours", "0.3")
    assert len(paced) == 1


def test_a_study_of_another_version_goes_on_with_its_own_images_only(paced, tmp_path):
    textures(tmp_path / "a" / "photos", 2, 3, (8, 8))
    textures(tmp_path / "b" / "photos", 3, 3, (8, 8))
    first, _ = settle("--images", "a/photos", "--hours", "0.3")
    (begun(first) / "proposal.json").unlink()
    again, _ = settle("--images", "a/photos", "--hours", "0.3")
    assert again.settings == first.settings
    with pytest.raises(InputError, match=r"study 'photos' is of .*; give another --name for"):
        settle("--images", "b/photos", "--hours", "0.3")
    with pytest.raises(InputError, match="did not write its preset down; leave --preset out"):
        settle("--images", "a/photos", "--hours", "0.3", "--preset", "quick")


def test_a_study_goes_on_where_it_and_its_images_were_moved_to(paced, tmp_path, monkeypatch):
    for name in ("old", "other"):
        textures(tmp_path / name / "photos", 2, 3, (8, 8))
    monkeypatch.chdir(tmp_path / "old")
    first, _ = settle("--images", "photos", "--hours", "0.3")
    begun(first)
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(InputError, match=r"study 'photos' is of .*old/photos'; give another"):
        settle("--images", "photos", "--folder", "../old/runs")
    with pytest.raises(InputError, match=f"calls its images 'photos', .*: cd {tmp_path}/old"):
        settle("--images", "../old/photos", "--folder", "../old/runs")
    (tmp_path / "old").rename(tmp_path / "new")
    textures(tmp_path / "old" / "photos", 2, 3, (8, 8))
    monkeypatch.chdir(tmp_path / "new")
    again, _ = settle("--images", "photos", "--hours", "0.3")
    assert again.settings == first.settings


def test_another_preset_than_the_begun_one_is_refused(paced, tmp_path):
    textures(tmp_path / "photos", 2, 3, (8, 8))
    first, _ = settle("--images", "photos", "--hours", "0.3")
    begun(first)
    again, _ = settle("--images", "photos", "--hours", "5")  # hours alone name none
    assert again.settings.variant == first.settings.variant
    settle("--images", "photos", "--hours", "0.3", "--preset", "quick")
    with pytest.raises(InputError, match="begun with --preset quick, not careful; leave"):
        settle("--images", "photos", "--hours", "5", "--preset", "careful")


def test_more_trials_than_were_planned_are_refused_in_the_same_hours(paced, tmp_path):
    textures(tmp_path / "photos", 2, 3, (8, 8))
    first, _ = settle("--images", "photos", "--hours", "0.3")
    begun(first)
    trials = first.settings.trials
    again, _ = settle("--images", "photos", "--trials", str(trials - 1))
    assert again.settings.trials == trials - 1
    with pytest.raises(InputError, match=f"began with {trials} in 0.3 h and goes on with them"):
        settle("--images", "photos", "--hours", "0.3", "--trials", str(trials + 1))
    again, _ = settle("--images", "photos", "--hours", "3", "--trials", str(trials + 1))
    assert again.settings.trials == trials + 1


def test_fewer_trials_than_are_given_are_said(paced, tmp_path, monkeypatch):
    textures(tmp_path / "photos", 2, 3, (8, 8))
    fit = experiments._fitted
    monkeypatch.setattr(
        experiments, "_fitted", lambda settings, *rest: fit(replace(settings, trials=7), *rest)
    )
    found, text = settle("--images", "photos", "--hours", "1", "--trials", "9")
    assert found.settings.trials == 7
    assert "--trials 9: 7 fit into 1 h" in text


def test_a_given_image_size_makes_the_network(paced, tmp_path):
    textures(tmp_path / "photos", 2, 3, (20, 300))
    words = "--images", "photos", "--hours", "1", "--variant.image_size"
    found, text = settle(*words, "32")
    assert found.settings.variant["image_size"] == 32
    assert found.settings.variant["patch_size"] == 2
    assert "20 x 300 pixels, colour, squeezed to 32 x 32 (proportions change up to 15 times" in text
    found, text = settle(*words, "[16, 240]")
    assert "colour, scaled to 16 x 240; train" in text


def test_names_of_folders_are_taken_and_differ(tmp_path):
    assert name_of("a/Photos 2024") == "Photos-2024"
    assert name_of("/") == "images"
    assert name_of("/", "-compared") == "images-compared"
    assert name_of("a/aux") == "images-aux"
    names = [name_of(f"a/{word}") for word in ("日本", "中国", "фото", "🙂", "..")]
    names += [name_of(tmp_path / ("x" * 120), "-compared")]
    assert len(set(names)) == len(names)
    for name in names:
        check_name(name)
    assert name_of("日本", "-compared") == f"{name_of('b/日本')}-compared"


def test_another_studys_folder_is_refused(paced, tmp_path, capsys):
    digits(tmp_path / "photos")
    place = tmp_path / "runs" / "photos" / "trials" / "0000"
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    assert main(["run", "--images", "photos", "--hours", "0.3"]) == 2
    assert "give another --name" in capsys.readouterr().err


# Hours with a file


def test_trials_are_fitted_to_the_hours_and_never_more_than_asked_for(paced, tmp_path):
    trials = []
    more = ("--trials", "60", "--recipe.epochs", "200")  # so long that seconds of a start are few
    for hours in ("0.89", "0.93", "100"):
        found, _ = settle("--config", "digits.yaml", "--hours", hours, *more)
        trials.append(found.settings.trials)
        assert found.plan.limit.planned_trials == found.settings.trials
    assert 3 < trials[0] < trials[1] < trials[2] == 60


def test_seeds_of_a_comparison_are_fitted_to_the_hours(paced, tmp_path):
    words = ["--learning_rates", "[0.003]", "--seeds", "40", "--arms", "[{label: a}, {add: mdta}]"]
    few, _ = settle("--hours", "0.4", *words, kind=ComparisonSettings)
    all_of_them, _ = settle("--hours", "100", *words, kind=ComparisonSettings)
    assert 3 <= few.settings.seeds < 40 == all_of_them.settings.seeds


@pytest.mark.parametrize("command", ["run", "compare"])
def test_too_little_time_is_refused_with_what_to_give(paced, capsys, command):
    assert main([command, "--hours", "0.02"]) == 2
    error = capsys.readouterr().err
    what = "study" if command == "run" else "comparison"
    assert f"a {what} of these settings takes at least 0." in error
    assert "--hours is 0.02; give --hours 0." in error
    assert "fewer epochs: --recipe.epochs 1" in error


def test_the_plan_that_was_refused_fits_the_hours_that_were_named(paced, capsys):
    main(["run", "--hours", "0.02"])
    hours = capsys.readouterr().err.partition("give --hours ")[2].partition(",")[0]
    found, _ = settle("--hours", str(float(hours) + 0.01))
    assert found.settings.trials >= 3


def test_the_hours_count_from_the_start_of_the_command(paced, monkeypatch):
    """Not of the process, which may have run others."""
    assert settle("--hours", "1")[0].plan.limit.hours == 1
    with pytest.raises(InputError, match="takes at least"):
        settle("--hours", "1", ago=3600)
    monkeypatch.setattr(time, "monotonic", lambda at=time.monotonic: at() + 3600)
    assert main(["run", "--hours", "1", "--dry-run"]) == 0


def test_a_limit_is_plain_json(tmp_path):
    write_time_limit(tmp_path, TimeLimit(1.0, 3, 3, pace=PACE.to_dict()))
    assert Pace(**json.loads((tmp_path / "time_limit.json").read_text())["pace"]) == PACE


def test_every_preset_can_be_named():
    for name in PRESETS:
        options, _, _ = COMMANDS["run"].parse("run", ["--images", "x", "--preset", name])
        assert options.preset == name

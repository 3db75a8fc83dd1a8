"""`inspect` on real files: a small network, digits, a checkpoint as trainings leave it."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.test_reads import LEDGER, read_ledger
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import write_json_atomically
from search.cli.inspect import command as inspect_command
from search.cli.inspect.command import inspect
from search.cli.inspect.images import show_images
from search.cli.inspect.options import InspectQuestion
from search.cli.inspect.target import find_target
from search.records.runs import RunSpec
from search.reporting.wandb import inspection as inspect_wandb

VARIANT = Variant(8, 1, 10, 2, 2, 2, [Stage(8, 2, 2, ("w_msa+mdta", "conv"))])
NAMES = [str(digit) for digit in range(10)]
ONE = "attention_distance"
FAST = f"receptive_field(images=2),{ONE}"
NOISE = DataSettings(source="noise")


@pytest.fixture
def variant_file(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(VARIANT.to_yaml())
    return str(path)


@pytest.fixture
def run_folder(tmp_path):
    """A run of the study `mine`, as the study leaves it."""

    def write(variant=VARIANT, data=None, names=NAMES, mean=0.3, identity=None, **learned):
        study = tmp_path / "runs" / "mine"
        attempt = study / "finalists" / "0a1b2c" / "0" / "attempt-1"
        attempt.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(5)
        model = HybridSwin(variant)
        content = {
            "state_dict": {f"model.{name}": t for name, t in model.state_dict().items()},
            "hyper_parameters": {"variant": variant.to_dict()},
            "data": {"mean": [mean], "std": [0.4], "full_scale": 1.0, "class_names": names}
            | learned,
            "identity": identity or {},
        }
        torch.save(content, attempt / "final.ckpt")
        settings = {"schema_version": 1, "name": "mine", "data": data or {"source": "digits"}}
        (study / "settings.yaml").write_text(yaml.safe_dump(settings))
        (study / "study.json").write_text("{}")
        return attempt.parent

    return write


def write_run(folder, **changes):
    """What a run was asked to do, beside its weights."""
    spec = RunSpec(
        study="mine",
        key="finalists/0a1b2c/0",
        kind="finalist",
        stage="final",
        label="mine",
        variant=VARIANT.to_dict(),
        recipe={"epochs": 1},
        variant_id=VARIANT.id,
        candidate_id="0a1b2c",
        seed=1,
    )
    write_json_atomically(folder / "run.json", replace(spec, **changes).to_dict())


def told(question, width=200):
    """What the command prints."""
    text = StringIO()
    assert inspect(question, Console(file=text, width=width)) == 0
    return text.getvalue()


def test_numbers_figures_and_an_index_are_written(variant_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = told(InspectQuestion(variant_file, DataSettings(), images=4, only=FAST))
    folder = tmp_path / "inspections" / "small"
    index = json.loads((folder / "index.json").read_text())
    subject = index["subject"]
    digits = load_data(DataSettings(), (8, 8), 1, None)
    assert subject["variant_id"] == VARIANT.id
    assert subject["checkpoint"] is None
    assert subject["data"] == {
        "source": "digits",
        "split": "validation",
        "data_hash": digits.data_hash,
        "split_hash": digits.splits.hash,
        "test_hash": digits.splits.test_hash,
        "images": 4,
    }
    assert {"python", "torch", "matplotlib"} <= set(index["versions"])
    for name, entry in index["inspections"].items():
        assert entry["numbers"] == f"{name}.json" and entry["figure"] == f"{name}.svg"
        numbers = json.loads((folder / entry["numbers"]).read_text())
        assert numbers["rows"]
        assert (folder / entry["figure"]).read_text().startswith("<?xml")
    assert index["inspections"]["receptive_field"]["options"] == {"images": 2}
    assert "random weights" in output
    assert "attention_distance: mdta: attends between channels" in output
    assert "attention_distance: conv: " in output
    assert "half of the gradient within" in output
    assert "inspections/small/" in output


def test_what_is_seen_of_a_run_is_written_into_its_folder(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_folder()
    output = told(InspectQuestion(str(run), images=4, only="attention_distance"))
    assert (run / "inspections" / "index.json").is_file()
    shown = run.resolve().relative_to(tmp_path.resolve()) / "inspections"
    assert f"numbers and figures: {shown}/" in output


def test_a_run_is_shown_what_it_was_trained_on(run_folder, tmp_path):
    question = InspectQuestion(str(run_folder()), images=5, only=FAST, out=str(tmp_path / "out"))
    output = told(question)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["subject"]["trained"]
    assert len(index["subject"]["checkpoint_hash"]) == 10
    assert index["subject"]["data"]["source"] == "digits"
    assert "mine-finalists-0a1b2c-0" in output
    assert "(trained)" in output


def test_images_are_normalised_as_the_network_has_learned(run_folder):
    question = InspectQuestion(str(run_folder(mean=0.3)), images=6)
    target = find_target(question)
    shown = show_images(question, target)
    digits = load_data(DataSettings(), (8, 8), 1, None)
    assert set(shown.labels.tolist()) <= set(range(10))
    assert shown.class_names == tuple(NAMES)
    pixels = {image.tobytes() for image in digits.images.images[digits.splits.validation]}
    back = np.round((shown.images.permute(0, 2, 3, 1).numpy() * 0.4 + 0.3) * 16) / 16
    assert all(image.astype(np.float32).tobytes() in pixels for image in back)


@pytest.mark.parametrize("split", ["validation", "test", "train"])
def test_images_that_were_trained_on_are_not_shown_as_unseen(run_folder, split):
    digits = load_data(DataSettings(), (8, 8), 1, None)
    folder = str(run_folder(identity={"data": digits.data_hash, "splits": digits.splits.hash}))
    question = InspectQuestion(folder, split=split, images=4)
    target = find_target(question)
    assert show_images(question, target).about["split_hash"] == digits.splits.hash
    fewer = DataSettings(train_images=300)  # other splits, but none of what was trained on
    other = DataSettings(split_seed=2)
    asked = InspectQuestion(folder, fewer, split, 4)
    assert show_images(asked, target).about["split_hash"] != digits.splits.hash
    asked = InspectQuestion(folder, other, split, 4)
    if split == "train":
        assert len(show_images(asked, target).images) == 4
        return
    drawn = getattr(load_data(other, (8, 8), 1, None).splits, split)
    count = len(set(drawn) & set(digits.splits.train))
    with pytest.raises(InputError, match=f"{split} split {count} of the {len(drawn)} were trained"):
        show_images(asked, target)


@pytest.mark.parametrize("split", ["validation", "train"])
def test_images_that_have_changed_since_the_training_are_refused(run_folder, split):
    folder = str(run_folder(identity={"data": "0123456789", "splits": "0123456789"}))
    question = InspectQuestion(folder, split=split, images=4)
    with pytest.raises(InputError, match="holds a training with another data"):
        show_images(question, find_target(question))
    asked = InspectQuestion(folder, DataSettings(), split, 4)  # other images, by name
    assert len(show_images(asked, find_target(asked)).images) == 4


def other_images(tmp_path, values):
    file = tmp_path / "others.npz"
    labels = np.arange(len(values)) % 10
    np.savez(file, train_images=values, train_labels=labels)
    return DataSettings("npz", {"path": str(file)})


def test_other_images_are_read_as_those_of_the_training_were(run_folder, tmp_path):
    values = np.random.default_rng(0).integers(0, 321, (60, 8, 8), np.uint16)
    data = other_images(tmp_path, values)
    folder = str(run_folder(value_range=[0, 160], resize="pad"))  # arrays are not resized
    question = InspectQuestion(folder, data, "train", 60)
    shown = show_images(question, find_target(question))
    assert "data.options.value_range: [0.0, 160.0] as in the training" in shown.notes
    assert "values outside value_range clipped" in shown.notes
    loaded = load_data(shown.settings, (8, 8), 1, None)
    expected = (np.clip(values[loaded.splits.train] / 160, 0, 1) - 0.3) / 0.4
    np.testing.assert_allclose(shown.images[:, 0].numpy(), expected, atol=1e-5)
    own = DataSettings("npz", data.options | {"value_range": [0, 320]})
    question = InspectQuestion(folder, own, "train", 60)
    shown = show_images(question, find_target(question))
    expected = (values[loaded.splits.train] / 320 - 0.3) / 0.4
    np.testing.assert_allclose(shown.images[:, 0].numpy(), expected, atol=1e-5)


def test_images_are_shown_in_the_size_in_which_the_training_read_them(run_folder, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 1), np.uint8)
    for index, image in enumerate(values):
        file = tmp_path / "own" / str(index % 10) / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(file)
    data = {"source": "folder", "options": {"path": str(tmp_path / "own")}}
    identity = {"recipe": {"test_image_size": 12}}
    folder = str(run_folder(data=data, identity=identity, full_scale=255.0))
    for split, side in (("validation", 12), ("test", 12), ("train", 8)):
        question = InspectQuestion(folder, DataSettings.from_dict(data), split, 4)
        sample = show_images(question, find_target(question))
        assert sample.images.shape == (4, 1, side, side)
        assert sample.about.get("image_size") == (None if side == 8 else side)
        assert any("recipe.test_image_size" in note for note in sample.notes) is (side == 12)
    pixels = {image.tobytes() for image in values}
    question = InspectQuestion(folder, DataSettings.from_dict(data), "validation", 4)
    shown = show_images(question, find_target(question)).images.permute(0, 2, 3, 1).numpy()
    back = np.rint((shown * 0.4 + 0.3) * 255).astype(np.uint8)
    assert all(image.tobytes() in pixels for image in back)
    noise = InspectQuestion(folder, data=NOISE, images=2)
    assert show_images(noise, find_target(noise)).images.shape[-1] == 12


def test_intervals_that_take_images_of_one_group_for_independent_are_noted(run_folder, tmp_path):
    values = np.random.default_rng(0).random((60, 8, 8), np.float32)
    said = "groups: intervals over images take them for independent"
    for size, expected in ((3, True), (1, False)):
        arrays = {"images": values, "labels": np.arange(60) % 10, "groups": np.arange(60) // size}
        file = tmp_path / f"{size}.npz"
        np.savez(file, **{f"train_{name}": array for name, array in arrays.items()})
        data = DataSettings("npz", {"path": str(file)})
        question = InspectQuestion(str(run_folder()), data, "train", 30)
        notes = show_images(question, find_target(question)).notes
        assert any(said in note for note in notes) == expected


def test_images_of_another_scale_are_refused_or_noted(run_folder, tmp_path):
    values = np.random.default_rng(0).uniform(0, 255, (60, 8, 8))
    data = other_images(tmp_path, values)
    question = InspectQuestion(str(run_folder(full_scale=255.0)), data, "train", 40)
    with pytest.raises(InputError, match="learned from whole numbers, but these images are float"):
        show_images(question, find_target(question))
    question = InspectQuestion(str(run_folder()), data, "train", 40, FAST, str(tmp_path / "o"))
    assert "note: the pixels are far from those of the training (mean 3" in told(question)
    question = InspectQuestion(str(run_folder()), DataSettings(), "train", 40)
    assert show_images(question, find_target(question)).notes == ()


def test_a_comparisons_run_is_shown_its_own_images(run_folder):
    folder = run_folder()
    write_run(folder, data={"source": "digits", "split_seed": 3})
    question = InspectQuestion(str(folder), images=4)
    shown = show_images(question, find_target(question))
    other = load_data(DataSettings(split_seed=3), (8, 8), 1, None)
    assert shown.about["split_hash"] == other.splits.hash


def test_the_test_split_is_read_only_where_asked_and_it_is_said(variant_file, tmp_path):
    question = InspectQuestion(variant_file, DataSettings(), "test", 4, ONE, str(tmp_path / "o"))
    assert "the test split is read" in told(question)
    index = json.loads((tmp_path / "o" / "index.json").read_text())
    assert index["subject"]["data"]["split"] == "test"
    validation = InspectQuestion(variant_file, DataSettings(), images=4, only=ONE)
    target = find_target(question)
    one, two = (show_images(q, target).images for q in (question, validation))
    assert not torch.equal(one, two)


def test_damaged_settings_and_runs_are_named(run_folder):
    """A run's own images must not silently become those of its comparison."""
    folder = run_folder()
    for file in (folder / "run.json", folder.parents[2] / "settings.yaml"):
        kept = file.read_bytes() if file.exists() else None
        for damage in (b"{", b"[" * 100_000, b"\xff", b""):
            file.write_bytes(damage)
            with pytest.raises(InputError, match=rf"{file.name} is damaged") as error:
                question = InspectQuestion(str(folder), images=4)
                show_images(question, find_target(question))
            assert len(str(error.value)) <= 320
        file.unlink() if kept is None else file.write_bytes(kept)


def test_a_reading_of_the_test_split_is_recorded_once(run_folder, tmp_path):
    folder = run_folder()
    write_run(folder, candidate_id="c4ndidate")
    study = tmp_path / "runs" / "mine"
    digits = load_data(DataSettings(), (8, 8), 1, None)
    given = {"images": 4, "only": ONE, "out": str(tmp_path / "o")}
    told(InspectQuestion(str(folder), **given))
    assert read_ledger(study / LEDGER) == []
    for _ in range(2):
        output = told(InspectQuestion(str(folder), split="test", **given), width=400)
        assert "test_reads.jsonl as inspect/mine-finalists-0a1b2c-0\n" in output
    (entry,) = read_ledger(study / LEDGER)
    assert entry.reader == "inspect mine"
    assert entry.key == "inspect/mine-finalists-0a1b2c-0"
    assert entry.candidate_id == "c4ndidate"
    assert entry.test_hash == digits.splits.test_hash
    told(InspectQuestion(str(folder), DataSettings(split_seed=2), "test", **given))
    assert len(read_ledger(study / LEDGER)) == 2  # images of another split are another reading
    assert read_ledger(study.parent / LEDGER) == read_ledger(study / LEDGER)


def test_a_network_of_no_study_is_recorded_near_it_and_random_weights_are_not(
    variant_file, run_folder, tmp_path
):
    given = {"split": "test", "images": 4, "only": ONE, "out": str(tmp_path / "o")}
    output = told(InspectQuestion(variant_file, DataSettings(), **given))
    assert "this reading is not recorded: the weights are random" in output
    file = tmp_path / "elsewhere" / "mine.ckpt"
    file.parent.mkdir()
    (tmp_path / LEDGER).touch()  # the nearest one, whatever other tests left above
    file.write_bytes((run_folder() / "attempt-1" / "final.ckpt").read_bytes())
    for _ in range(2):
        assert "this reading is recorded in " in told(
            InspectQuestion(str(file), DataSettings(), **given)
        )
    (entry,) = read_ledger(tmp_path / LEDGER)
    assert entry.reader == "inspect elsewhere"
    assert entry.key.startswith("inspect/")


def test_a_reading_that_cannot_be_recorded_is_not_done(run_folder, tmp_path):
    folder = run_folder()
    (tmp_path / "runs" / "mine" / LEDGER).mkdir()
    given = {"split": "test", "images": 4, "only": ONE, "out": str(tmp_path / "o")}
    with pytest.raises(InputError, match="cannot be recorded in "):
        told(InspectQuestion(str(folder), **given))


def test_the_same_question_gives_the_same_files(variant_file, tmp_path):
    files = []
    for name in "ab":
        question = InspectQuestion(variant_file, NOISE, images=3, out=str(tmp_path / name))
        told(question)
        files.append({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()})
    for one in files:
        one.pop("index.json")
    assert len(files[0]) > 8
    assert files[0] == files[1]


def test_another_seed_is_another_network_and_other_images(variant_file):
    targets = [find_target(InspectQuestion(variant_file, NOISE, seed=s)) for s in (0, 1)]
    shown = [show_images(InspectQuestion(variant_file, NOISE, seed=s), targets[0]) for s in (0, 1)]
    weights = [target.model.patch_embed.proj.weight for target in targets]
    assert not torch.equal(*weights)
    assert not torch.equal(shown[0].images, shown[1].images)


def test_a_folder_never_mixes_two_networks(variant_file, run_folder, tmp_path):
    out = tmp_path / "out"
    given = {"images": 3, "out": str(out)}
    fields, distances = FAST.split(",")
    told(InspectQuestion(variant_file, DataSettings(), only=fields, **given))
    told(InspectQuestion(variant_file, DataSettings(), only=distances, **given))
    index = json.loads((out / "index.json").read_text())
    assert list(index["inspections"]) == ["receptive_field", "attention_distance"]
    output = told(InspectQuestion(str(run_folder()), only=distances, **given))
    assert "are replaced: receptive_field, attention_distance\n" in output
    assert sorted(f.name for f in out.iterdir()) == [
        "attention_distance.json",
        "attention_distance.svg",
        "index.json",
    ]


def test_one_network_spelled_differently_is_one(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = run_folder()
    spellings = (str(folder), f"{folder}/", str(folder.relative_to(tmp_path)))
    for target, name in zip(spellings, ("branches", "receptive_field", "similarity"), strict=True):
        question = InspectQuestion(target, images=4, only=name, out="o")
        assert "are replaced" not in told(question)
    index = json.loads((tmp_path / "o" / "index.json").read_text())
    assert list(index["inspections"]) == ["branches", "receptive_field", "similarity"]


def test_a_checkpoint_outside_of_a_study_is_named_by_its_folder(run_folder, tmp_path, monkeypatch):
    checkpoint = run_folder() / "attempt-1" / "final.ckpt"
    alone = tmp_path / "alone"
    alone.mkdir()
    checkpoint.rename(alone / "final.ckpt")
    assert find_target(InspectQuestion(str(alone / "final.ckpt"))).name == "alone-final"
    monkeypatch.chdir(alone)
    assert find_target(InspectQuestion("final.ckpt")).name == "alone-final"


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"schema_version": 1, "subject": {}, "inspections": []}',
        '{"schema_version": 1, "subject": {}, "inspections": {"spectrum": 1}}',
        '{"subject": {}, "inspections": {}}',
    ],
)
def test_a_foreign_index_is_left_as_it_is(variant_file, tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    question = InspectQuestion(variant_file, NOISE, images=2, only=FAST, out=str(tmp_path))
    with pytest.raises(InputError, match="is not a folder of inspections; give another --out"):
        inspect(question, Console(file=StringIO()))
    assert (tmp_path / "index.json").read_text() == content


def test_a_read_only_folder_is_refused_before_anything_is_computed(
    variant_file, tmp_path, monkeypatch
):
    def refuse(path, data):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(inspect_command, "write_json_atomically", refuse)
    monkeypatch.setattr(inspect_command, "run_inspections", lambda *given: pytest.fail("computed"))
    question = InspectQuestion(variant_file, NOISE, images=2, only=FAST, out=str(tmp_path / "o"))
    with pytest.raises(InputError, match="cannot be written: Permission denied; give another"):
        inspect(question, Console(file=StringIO()))


def test_what_cannot_be_made_is_listed_beside_what_can(variant_file, tmp_path):
    only = "receptive_field,patch_drop"
    output = told(
        InspectQuestion(variant_file, NOISE, images=4, only=only, out=str(tmp_path / "o"))
    )
    assert "patch_drop" in output and "not here: " in output
    index = json.loads((tmp_path / "o" / "index.json").read_text())
    entry = index["inspections"]["patch_drop"]
    assert entry["reason"] and entry["figure"] is None
    alone = InspectQuestion(variant_file, NOISE, images=4, only="patch_drop", out=str(tmp_path))
    with pytest.raises(InputError, match="nothing that was asked for can be inspected here"):
        inspect(alone, Console(file=StringIO()))


def test_a_users_own_data_module_is_read_as_it_is(variant_file, tmp_path, monkeypatch):
    (tmp_path / "their_images.py").write_text(
        "import torch\n"
        "from lightning.pytorch import LightningDataModule\n"
        "class Theirs(LightningDataModule):\n"
        "    def val_dataloader(self):\n"
        "        return [(torch.full((4, 1, 8, 8), float(i)), torch.arange(4)) for i in range(9)]\n"
        "    train_dataloader = test_dataloader = val_dataloader\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    data = DataSettings(class_path="their_images.Theirs")
    question = InspectQuestion(variant_file, data, images=6)
    shown = show_images(question, find_target(question))
    assert shown.images[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1]
    assert shown.labels.tolist() == [0, 1, 2, 3, 0, 1]
    assert shown.about["source"] == "their_images.Theirs"


def test_an_own_module_whose_splits_have_changed_is_refused(run_folder, tmp_path, monkeypatch):
    (tmp_path / "torn_images.py").write_text(
        "import torch\n"
        "from lightning.pytorch import LightningDataModule\n"
        "class Theirs(LightningDataModule):\n"
        "    def val_dataloader(self):\n"
        "        return [(torch.zeros(4, 1, 8, 8), torch.arange(4))]\n"
        "    train_dataloader = test_dataloader = val_dataloader\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    identity = {"validation split": "0123456789"}
    folder = run_folder(data={"class_path": "torn_images.Theirs"}, identity=identity)
    question = InspectQuestion(str(folder), images=4, split="test", trust=True)
    with pytest.raises(InputError, match="images to test on may have been trained on"):
        show_images(question, find_target(question))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("swin_q", "did you mean 'swin_"),
        ("none.ckpt", "unknown network 'none.ckpt'"),
        ("none.yaml", "none.yaml"),
        ("swin_t", "--data noise for random images, since random weights"),
    ],
)
def test_what_is_no_network_or_has_no_images_is_refused(target, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        inspect(InspectQuestion(target), Console(file=StringIO()))
    assert not (tmp_path / "inspections").exists()


def test_data_of_another_size_is_refused(variant_file):
    question = InspectQuestion("swin_t", DataSettings())
    target = find_target(InspectQuestion(variant_file))
    large = Variant(16, 1, 10, 2, 2, 2, VARIANT.stages)
    target.model.variant = large
    with pytest.raises(InputError, match="the images are 8 x 8"):
        show_images(question, target)


def test_classes_that_the_network_has_not_learned_are_refused(run_folder):
    named = {"only": "spectrum,patch_drop"}
    few = Variant(8, 1, 3, 2, 2, 2, VARIANT.stages)
    question = InspectQuestion(str(run_folder(few, names=None)), **named)
    with pytest.raises(InputError, match="tells 3 classes apart, but the images are of 10") as told:
        show_images(question, find_target(question))
    assert "num_classes" not in str(told.value)
    question = InspectQuestion(str(run_folder(few, names=list("abc"))), **named)
    with pytest.raises(InputError, match=r"patch_drop asks .* has learned the classes a, b, c"):
        show_images(question, find_target(question))
    question = InspectQuestion(str(run_folder(names=NAMES[::-1])), **named)
    with pytest.raises(InputError, match="in another order"):
        show_images(question, find_target(question))


@pytest.mark.parametrize("only", [None, FAST])
def test_what_needs_no_labels_is_shown_images_of_other_classes(run_folder, tmp_path, only):
    folder = str(run_folder(names=list("abcdefghij")))
    question = InspectQuestion(folder, DataSettings(), images=4, only=only, out=str(tmp_path / "o"))
    shown = show_images(question, find_target(question))
    assert shown.labels is None
    assert shown.class_names is None
    output = told(question)
    assert "labels are left out: the network has learned the classes a, b, c" in output
    assert "half of the gradient within" in output


def test_a_checkpoint_of_another_variant_is_refused(run_folder):
    folder = run_folder()
    path = folder / "attempt-1" / "final.ckpt"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["variant"]["stages"][0]["blocks"] = ["conv"]
    torch.save(content, path)
    with pytest.raises(InputError, match=r"final\.ckpt"):
        find_target(InspectQuestion(str(folder)))


def test_a_folder_that_cannot_be_written_is_refused(variant_file, tmp_path):
    (tmp_path / "file").touch()
    question = InspectQuestion(variant_file, NOISE, images=2, out=str(tmp_path / "file" / "out"))
    with pytest.raises(InputError, match="give another --out"):
        inspect(question, Console(file=StringIO()))


def test_figures_are_sent_only_where_asked(variant_file, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(inspect_wandb, "send", lambda *given: sent.append(given) or "sent")
    asked = {"images": 2, "only": "attention_distance", "out": str(tmp_path / "out")}
    told(InspectQuestion(variant_file, NOISE, **asked))
    assert sent == []
    told(InspectQuestion(variant_file, NOISE, **asked, wandb=True))
    told(InspectQuestion(variant_file, NOISE, **asked, wandb=True, log_images=True))
    names = ["attention_distance"]
    assert [given[1:] for given in sent] == [(False, names), (True, names)]

"""``python -m hybrid_swin``: every command, and one message for bad input."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open

from hybrid_swin.__main__ import main
from hybrid_swin.data import loading
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources.digits import DigitsSource
from hybrid_swin.data.test_reads import read_ledger
from hybrid_swin.interop.trained import load, load_trained
from hybrid_swin.interop.weights.load_save import save_weights
from hybrid_swin.training import train_images
from hybrid_swin.training.metric_facts import metric_text
from hybrid_swin.training.resume import load_state, save_state

VARIANT = """
image_size: 8
in_channels: 1
num_classes: 10
patch_size: 4
window_size: 2
stages: [{width: 8, depth: 1, num_heads: 2, blocks: [w_msa]}]
"""
RECIPE = "{epochs: 2, batch_size: 256, learning_rate: 1e-2}"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "variant.yaml").write_text(VARIANT)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def fit(files, folder, *more):
    names = ("--variant", str(files / "variant.yaml"), "--recipe", str(files / "recipe.yaml"))
    return main(["fit", *names, "--folder", str(folder), "--accelerator", "cpu", *more])


@pytest.fixture(scope="module")
def trained(files):
    assert fit(files, files / "run", "--recipe.epochs", "1", "--seed", "3") == 0
    return files / "run"


def test_fit_knows_the_parts_of_a_recipe_in_a_plugin(files, tmp_path, capsys):
    (tmp_path / "halved.py").write_text(
        "from hybrid_swin import Schedule\n\n\nclass Halved(Schedule):\n"
        '    """Half."""\n\n'
        "    def learning_rate(self, step, steps, peak, least):\n        return peak / 2\n"
    )
    words = ("--recipe.schedule", "halved", "--recipe.epochs", "1")
    assert fit(files, tmp_path / "run", *words, "--plugin", str(tmp_path / "halved.py")) == 0
    assert load_state(tmp_path / "run" / "final.ckpt")["hyper_parameters"]["recipe"][
        "schedule"
    ] == ("halved")


def test_fit_says_that_a_network_of_one_channel_sees_colour_as_grey(files, tmp_path, capsys):
    for number in range(20):
        image = np.zeros((8, 8, 3), np.uint8)
        image[..., number % 2] = 200
        for name in "ab":
            file = tmp_path / "photos" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image + number + (name == "b")).save(file)
    data = ("--data.source", "folder", "--data.options.path", str(tmp_path / "photos"))
    variant = files / "grey.yaml"
    variant.write_text(VARIANT.replace("num_classes: 10", "num_classes: 2"))
    assert fit(files, tmp_path / "run", "--variant", str(variant), *data) == 0
    told = capsys.readouterr().out
    assert told.split("epoch 1/")[0].count("colour became grey: 40 image(s), such as ") == 1
    assert told.count("colour became grey") == 1


def test_a_batch_that_does_not_fit_in_memory_is_one_message(files, tmp_path, monkeypatch, capsys):
    def augment(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr(train_images, "augment", augment)
    assert fit(files, tmp_path / "run") == 2
    assert capsys.readouterr().err == (
        "error: out of memory with 256 images at once: it asked for 2 GiB more of the GPU's "
        "memory; give a smaller --recipe.batch_size\n"
    )


def test_fit_leaves_settings_result_and_checkpoint(trained):
    settings = yaml.safe_load((trained / "settings.yaml").read_text())
    assert settings["recipe"]["epochs"] == 1  # the command line over the file
    assert settings["recipe"]["learning_rate"] == 0.01
    assert (settings["seed"], settings["data"]["source"]) == (3, "digits")
    result = json.loads((trained / "result.json").read_text())
    assert (result["state"], result["epochs"]) == ("complete", 1)
    assert result["checkpoint"] == "final.ckpt" and (trained / "final.ckpt").is_file()


def test_validate_prints_what_fit_measured(trained, capsys):
    assert main(["validate", str(trained), "--accelerator", "cpu"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines()[1:])
    measured = json.loads((trained / "result.json").read_text())["history"][-1]
    assert printed.keys() == {name for name in measured if name.startswith("val/")}
    assert printed == {name: metric_text(name, measured[name]) for name in printed}
    assert printed["val/accuracy"].endswith("%") and not printed["val/loss"].endswith("%")


def test_test_prints_the_other_split(trained, capsys):
    assert main(["test", str(trained), "--accelerator", "cpu"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "359 images of the test split, one training"
    assert second.startswith("test/accuracy")


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """The file that this test's readings go to."""
    file = tmp_path / "readings.jsonl"
    monkeypatch.setenv("HYBRID_SWIN_LEDGER", str(file))
    return file


def test_every_reading_of_test_is_in_the_ledger_and_none_of_validation(trained, ledger, tmp_path):
    output = str(tmp_path / "out.csv")
    assert main(["validate", str(trained)]) == 0
    assert main(["predict", str(trained), "--output", output, "--split", "validation"]) == 0
    assert main(["test", str(trained), "--accelerator", "tpu"]) == 2
    assert read_ledger(ledger) == []
    for _ in range(2):  # the same weights again tell nothing new
        assert main(["test", str(trained)]) == 0
        assert main(["predict", str(trained), "--output", output]) == 0
    data = load_data(DataSettings(), (8, 8), 1, None)
    entries = read_ledger(ledger)
    assert [entry.reader for entry in entries] == ["test run", "predict run"]
    hashes = {(entry.test_hash, entry.data_hash) for entry in entries}
    assert hashes == {(data.splits.test_hash, data.data_hash)}


def test_a_reading_that_cannot_be_recorded_is_not_done(trained, ledger, capsys):
    ledger.mkdir()
    assert main(["test", str(trained)]) == 2
    printed = capsys.readouterr()
    assert "cannot be recorded" in printed.err
    assert printed.out == ""


def test_predict_writes_the_same_numbers_to_both_formats(trained, tmp_path, ledger):
    for name in ("out.csv", "out.npz"):
        assert main(["predict", str(trained), "--output", str(tmp_path / name)]) == 0
    with np.load(tmp_path / "out.npz") as file:
        arrays = dict(file)
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == arrays["ids"].tolist()
    names = arrays["class_names"].tolist()
    assert [names.index(row["label"]) for row in rows] == arrays["labels"].tolist()
    logits = [[float(row[f"logit {name}"]) for name in names] for row in rows]
    assert np.array_equal(np.float32(logits), arrays["logits"])
    assert [names.index(row["answer"]) for row in rows] == arrays["logits"].argmax(1).tolist()


HOSTILE = ["=cmd|' /C calc'!A0", "\x1b[31mred\x07", "line\r\nbreak", "\u202etfel", 'a,b "c"']


def test_class_names_do_nothing_in_a_table(files, tmp_path):
    """A folder's name may be anything, and the table is opened in a spreadsheet or a terminal."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8), np.uint8)
    labels = np.arange(60) % len(HOSTILE)
    arrays = {"train_images": pixels, "train_labels": labels, "class_names": HOSTILE}
    np.savez(tmp_path / "images.npz", **arrays)
    data = ["--data.source", "npz", "--data.options", f"{{path: {tmp_path / 'images.npz'}}}"]
    run, output = tmp_path / "run", tmp_path / "answers.csv"
    assert fit(files, run, "--num_classes", "5", "--recipe.epochs", "1", *data) == 0
    assert main(["predict", str(run), "--output", str(output)]) == 0
    text = output.read_bytes().decode()
    assert all(char.isprintable() for char in text.replace("\r\n", ""))
    with output.open(newline="", encoding="utf-8") as file:
        heads, *rows = csv.reader(file)
    shown = ["'=cmd|' /C calc'!A0", "?[31mred?", "line??break", "?tfel", 'a,b "c"']
    logits = [name.removeprefix("'") for name in shown]  # behind a word it is not a formula
    assert heads == ["id", "label", "answer", *(f"logit {name}" for name in logits)]
    assert {row[1] for row in rows} <= set(shown) and len(rows) > 5
    assert not any(cell.startswith("=") for row in rows for cell in row)


def test_an_exported_network_answers_to_raw_pixels_as_predict_does(trained, tmp_path, capsys):
    """The whole way: from the source's images to logits, with nothing of ours but the file."""
    path = tmp_path / "digits.onnx"
    arguments = ["--format", "onnx", "--input", "pixels", "--output", str(path)]
    assert main(["export", str(trained), *arguments]) == 0
    printed = capsys.readouterr().out
    assert f"{path} (onnx)" in printed and "ONNX Runtime at batches of 3 and 1" in printed
    assert main(["predict", str(trained), "--output", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as file:
        predicted = dict(file)
    digits = DigitsSource().load((8, 8), 1, None)
    index = [digits.ids.index(name) for name in predicted["ids"]]
    pixels = digits.images[index].transpose(0, 3, 1, 2).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": pixels})
    np.testing.assert_allclose(logits, predicted["logits"], rtol=1e-4, atol=1e-5)
    told = {p.key: json.loads(p.value) for p in onnx.load(path).metadata_props}
    assert told["classes"] == predicted["class_names"].tolist()


def test_an_export_lies_beside_its_checkpoint_and_comes_back(trained, capsys):
    assert main(["export", str(trained / "final.ckpt"), "--format", "safetensors"]) == 0
    assert "normalised: (pixels / " in capsys.readouterr().out
    model, again = load(trained), load(trained / "final.safetensors")
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(model(images), again(images))
    assert again.pretrained_cfg == model.pretrained_cfg
    save_weights(model, trained / "saved.safetensors")
    assert load(trained / "saved.safetensors").pretrained_cfg == model.pretrained_cfg
    assert load_trained(trained)[1:3] == load_trained(trained / "final.safetensors")[1:3]


def test_an_export_is_of_the_size_that_was_tested(trained, tmp_path):
    state = load_state(trained / "final.ckpt")
    state["identity"]["recipe"]["test_image_size"] = 12
    save_state(state, tmp_path / "final.ckpt")
    assert main(["export", str(tmp_path / "final.ckpt"), "--format", "safetensors"]) == 0
    with safe_open(tmp_path / "final.safetensors", "pt") as file:
        assert json.loads(file.metadata()["input"])["shape"] == ["batch", 1, 12, 12]


def test_fit_again_goes_on_and_changes_of_the_variant_are_taken(files, trained, capsys):
    same = ("--recipe.epochs", "1", "--seed", "3")
    assert fit(files, trained, *same) == 0
    assert "epoch 1/1" not in capsys.readouterr().out  # it was over
    assert fit(files, trained, *same, "--resume", "false") == 0
    assert "epoch 1/1" in capsys.readouterr().out
    assert fit(files, files / "b", *same, "--num_classes", "11") == 2
    assert "num_classes 11" in capsys.readouterr().err


def test_fit_starts_from_weights_and_says_how(files, trained, capsys):
    known = torch.load(trained / "final.ckpt", weights_only=True)["state_dict"]
    both = {
        f"{kind}.{name}": tensor
        for kind in ("student", "teacher")
        for name, tensor in known.items()
    }
    both["student.model.norm.bias"] = known["model.norm.bias"] + 1
    torch.save(both, files / "both.pth")
    still = ("--recipe.epochs", "1", "--recipe.learning_rate", "1e-6", "--seed", "3")
    start = ("--init", str(files / "both.pth"))
    assert fit(files, files / "c", *still, *start) == 2
    assert "holds 2 networks: 'student.model', 'teacher.model'" in capsys.readouterr().err
    assert not (files / "c").exists()
    assert fit(files, files / "c", *still, *start, "--weights_prefix", "teacher.model") == 0
    assert "blocks as in the source at 8x8: 1" in capsys.readouterr().out
    found = torch.load(files / "c" / "final.ckpt", weights_only=True)["state_dict"]
    for name, tensor in known.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=1e-3)
    kept = yaml.safe_load((files / "c" / "settings.yaml").read_text())
    assert kept["init"] == str(files / "both.pth") and kept["weights_prefix"] == "teacher.model"
    other = ("--init", str(files / "both.pth"), "--weights_prefix", "student.model")
    assert fit(files, files / "c", *still, *other) == 2  # another training
    assert fit(files, files / "d", *still, "--weights_prefix", "x") == 2
    assert "weights_prefix chooses a network of init" in capsys.readouterr().err
    assert fit(files, files / "e", *still, "--init", str(trained)) == 0


def test_fit_follows_the_rules_of_its_first_weights(files, trained, capsys):
    save_weights(load(trained), files / "torchvision.pth", layout="torchvision")
    start = ("--recipe.epochs", "1", "--init", str(files / "torchvision.pth"))
    folder = files / "followed"
    assert fit(files, folder, *start, "--follow_source", "true") == 0
    assert "other sizes: logits are those of torchvision wherever" in capsys.readouterr().out
    kept = yaml.safe_load((folder / "settings.yaml").read_text())
    assert kept["variant"]["stages"][0]["blocks"] == ["w_msa(small_map=pad)"]
    assert load(folder).variant.to_dict() == kept["variant"]
    assert fit(files, folder, *start, "--follow_source", "true") == 0  # goes on with the same
    assert fit(files, folder, "--follow_source", "true") == 2
    assert "follow_source follows the library of init; give --init" in capsys.readouterr().err


@pytest.fixture(scope="module")
def photos(files):
    """A folder of each class, and the training on it."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (files / "photos" / label).mkdir(parents=True)
        for index in range(8):
            pixels = rng.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(files / "photos" / label / f"{index}.png")
    (files / "photos" / "cat" / "broken.png").write_text("broken")
    return files / "photos"


def fit_photos(files, photos, folder, *more):
    data = ("--data.source", "folder", "--data.options", json.dumps({"path": str(photos)}))
    return fit(files, folder, "--num_classes", "2", "--recipe.epochs", "1", *data, *more)


def rename(photos):
    (photos / "cat").rename(photos / "zcat")


def add(photos):
    shutil.copy(photos / "dog" / "0.png", photos / "cat" / "new.png")


@pytest.mark.parametrize("change", [rename, add])
def test_images_that_are_not_those_of_the_training_are_refused(
    files, photos, tmp_path, capsys, ledger, change
):
    """Else each cat is taken for a dog, or is tested on what it has learned from."""
    mine, run, output = tmp_path / "mine", tmp_path / "run", str(tmp_path / "out.csv")
    shutil.copytree(photos, mine)
    assert fit_photos(files, mine, run) == 0
    assert main(["validate", str(run)]) == 0
    change(mine)
    capsys.readouterr()
    loading._load.cache_clear()  # as in a new process
    loading._load_images.cache_clear()
    for command in (["validate"], ["test"], ["predict", "--output", output]):
        assert main([command[0], str(run), *command[1:]]) == 2
        printed = capsys.readouterr()
        assert "run holds a training with another data" in printed.err
        assert printed.out == ""
    assert read_ledger(ledger) == []  # nothing was read
    assert fit_photos(files, mine, run) == 2
    assert "holds a training with another data" in capsys.readouterr().err


@pytest.mark.parametrize("generator", ["None", "torch.Generator().manual_seed(time.time_ns())"])
def test_an_own_module_is_tested_on_nothing_that_it_was_trained_on(
    files, tmp_path, capsys, ledger, monkeypatch, generator
):
    """A module that splits by the global generators does so alike in each process."""
    (tmp_path / "drawing.py").write_text(
        f"""
import time
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset, random_split

class Drawing(LightningDataModule):
    def setup(self, stage):
        images = torch.arange(120.0).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)
        images = TensorDataset(images, torch.arange(120) % 10)
        parts = random_split(images, [60, 30, 30], {generator})
        self.train, self.val, self.test = parts
    def train_dataloader(self):
        return DataLoader(self.train, 30)
    def val_dataloader(self):
        return DataLoader(self.val, 30)
    def test_dataloader(self):
        return DataLoader(self.test, 30)
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "drawing", raising=False)
    torch.rand(5)
    run, output = tmp_path / "run", tmp_path / "out.npz"
    assert fit(files, run, "--data.class_path", "drawing.Drawing", "--recipe.epochs", "1") == 0
    seen = set(torch.load(run / "final.ckpt", weights_only=True)["identity"])
    assert seen == {"variant", "recipe", "seed", "validation split"}
    torch.rand(7)  # another process has drawn other numbers before
    asked = ["predict", str(run), "--output", str(output), "--trust"]
    if generator == "None":
        assert main(["validate", str(run), "--trust"]) == 0
        assert main(asked) == 0
        with np.load(output) as file:
            assert len(file["labels"]) == 30
        return
    for command in (["validate", str(run), "--trust"], ["test", str(run), "--trust"], asked):
        capsys.readouterr()
        assert main(command) == 2
        assert "images to test on may have been trained on" in capsys.readouterr().err
    assert read_ledger(ledger) == []
    assert fit(files, run, "--data.class_path", "drawing.Drawing", "--recipe.epochs", "1") == 2


def test_fit_says_what_its_images_are_and_keeps_it(files, photos, tmp_path, capsys):
    assert fit_photos(files, photos, tmp_path / "run") == 0
    printed = capsys.readouterr().out.splitlines()
    begin = [line.split(None, 1) for line in printed]
    said = {words[0]: words[1] for words in begin if len(words) == 2}
    assert said["classes"] == "2: cat, dog; 8 images each"
    assert said["splits"].startswith("drawn: train ")
    assert "1 image(s) that cannot be used, first 'cat/broken.png'" in "\n".join(printed)
    assert any(line.endswith("all in data.json") for line in printed)
    assert any("recipe.batch_size 256 is more than" in line for line in printed)
    assert any("recipe.warmup_epochs 2 does not end" in line for line in printed)
    kept = json.loads((tmp_path / "run" / "data.json").read_text())
    assert kept["classes"] == ["cat", "dog"]
    assert [name for name, _ in kept["left_out"]] == ["cat/broken.png"]


def test_other_names_of_the_classes_are_refused(files, tmp_path, capsys):
    """Labels and pixels, and with them all hashes, are the same."""
    rng = np.random.default_rng(0)
    arrays = {"train_images": rng.integers(0, 255, (40, 8, 8), np.uint8)}
    arrays["train_labels"] = np.arange(40) % 2
    path, run = tmp_path / "set.npz", tmp_path / "run"
    data = ("--data.source", "npz", "--data.options", json.dumps({"path": str(path)}))
    asked = ("--num_classes", "2", "--recipe.epochs", "1", *data)
    np.savez(path, class_names=np.array(["cat", "dog"]), **arrays)
    assert fit(files, run, *asked) == 0
    np.savez(path, class_names=np.array(["dog", "cat"]), **arrays)
    loading._load.cache_clear()
    loading._load_images.cache_clear()
    capsys.readouterr()
    assert main(["validate", str(run)]) == 2
    message = "holds a training with another name of class 0 ('cat', now 'dog')"
    assert message in capsys.readouterr().err
    assert fit(files, run, *asked) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "command"),
        (["train"], "unknown command 'train' (commands: export, fit, predict, test, validate)"),
        (["fit"], "python -m hybrid_swin fit needs --variant, --folder"),
        (["fit", "--recipe", "\udcff"], "--recipe holds bytes that are not UTF-8"),
        (["fit", "--seed", "010"], "write 10, or '010'"),
        (["test"], "python -m hybrid_swin test needs folder"),
        (["fit", "--variant", "swin_t", "--folder", "{new}", "--recipe.epochs", "1:30"], "'1:30'"),
        (["fit", "--variant", "swin_t", "--folder", "a\0b"], "holds a zero byte"),
        (["fit", "--variant", "swin_t", "--foldr", "x"], "did you mean '--folder'"),
        (["fit", "--variant", "swin_x", "--folder", "{new}"], "did you mean 'swin_t'"),
        (["fit", "--variant", "swin_t", "--folder", "{new}"], "the images are 8 x 8"),
        (["fit", "--variant", "nothing.yaml", "--folder", "{new}"], "nothing.yaml"),
        (
            ["fit", "--variant", "{v}", "--folder", "{new}", "--recipe.epochs", "0"],
            "epochs must be a whole number of at least 1 and at most 1,000,000; got 0",
        ),
        (
            ["fit", "--variant", "{v}", "--folder", "{new}", "--recipe.epoch", "1"],
            "did you mean '--recipe.epochs'?",
        ),
        (
            ["fit", "--variant", "{v}", "--folder", "{new}", "--recipe", "{bad}"],
            "unknown setting of recipe 'epoch'; did you mean 'epochs'?",
        ),
        (
            ["fit", "--variant", "{v}", "--folder", "{new}", "--data.source", "digitz"],
            "did you mean 'digits'",
        ),
        (["fit", "--variant", "{v}", "--folder", "{v}"], "File exists"),
        (["test", "{new}"], "is not the folder of a finished fit"),
        (["predict", "{run}", "--output", "x.txt"], "must end in .csv or .npz"),
        (
            ["predict", "{run}", "--output", "x.csv", "--split", "train"],
            "split must be one of validation, test; got 'train'",
        ),
        (["test", "{run}", "--accelerator", "tpu"], "accelerator must be one of"),
        (["export", "{run}"], "format"),
        (["export", "{run}", "--format", "onxx"], "unknown format 'onxx'; did you mean 'onnx'"),
        (["export", "{new}", "--format", "onnx"], "does not exist"),
        (["export", "{v}", "--format", "onnx"], "holds no weights"),
        (["export", "{run}", "--format", "onnx", "--output", "{new}/x.onnx"], "no such folder"),
        (["export", "{run}", "--format", "onnx", "--plugin", "x.py"], "plug-in 'x.py' is not"),
        (["export", "{run}", "--format", "onnx", "--image_size", "big"], "image_size"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    files, trained, tmp_path, capsys, arguments, message
):
    (tmp_path / "bad.yaml").write_text("epoch: 3")
    places = {
        "v": files / "variant.yaml",
        "new": tmp_path / "new",
        "bad": tmp_path / "bad.yaml",
        "run": trained,
    }
    assert main([argument.format(**places) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ") and "Traceback" not in error
    assert not (tmp_path / "new" / "settings.yaml").exists()


def test_arguments_are_read_without_importing_torch():
    code = (
        "import sys; from hybrid_swin.__main__ import main\n"
        "assert main(['fit', '--variant', 'x', '--folder', 'y', '--recipe.epochs', '0']) == 2\n"
        "try: main(['fit', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert main(['export', 'x', '--format', 'onnx', '--image_size', 'y']) == 2\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--recipe.learning_rate" in done.stdout

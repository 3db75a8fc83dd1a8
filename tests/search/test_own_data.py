"""Studies on a user's own images, from every kind of source, through the door."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

CLASSES = ("dark", "light", "striped")
OWN_MODULE = """
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset


class Squares(LightningDataModule):
    def __init__(self, count: int, batch_size: int = 8):
        super().__init__()
        self.count, self.batch_size = count, batch_size

    def _loader(self, seed):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(self.count) % 3
        images = torch.randn(self.count, 3, 16, 16, generator=generator)
        images += labels[:, None, None, None]
        return DataLoader(TensorDataset(images, labels), batch_size=self.batch_size)

    def train_dataloader(self):
        return self._loader(0)

    def val_dataloader(self):
        return self._loader(1)

    def test_dataloader(self):
        return self._loader(2)
"""


def image(rng, label):
    pixels = rng.integers(0, 60, (20, 24, 3)) + 90 * (label == 1)
    if label == 2:
        pixels[::4] += 150
    return pixels.astype(np.uint8)


@pytest.fixture
def photos(tmp_path):
    """Eight scenes of five images for each of three classes, and one file that is not an image."""
    rng = np.random.default_rng(0)
    root = tmp_path / "photos"
    rows = []
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for index in range(40):
            path = root / name / f"{index:02d}.png"
            Image.fromarray(image(rng, label)).save(path)
            rows.append((path.relative_to(root).as_posix(), name, f"{name}-{index // 5}"))
    (root / "dark" / "broken.jpg").write_bytes(b"no image")
    return root, rows


def variant(classes=3):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}
    return {
        "image_size": 16,
        "in_channels": 3,
        "num_classes": classes,
        "patch_size": 4,
        "window_size": 2,
        "stages": [stage],
    }


def run(tiny, data):
    tiny.write(
        data=data,
        variant=variant(),
        baselines=[{"blocks": ["conv+w_msa"]}],
        trials=0,
        finalists={"top": 0, "seeds": 2, "random": 0},
        recipe={"epochs": 2, "batch_size": 16},
    )
    output = tiny.run()
    states = {key: r["state"] for key, r in tiny.results().items()}
    assert set(states.values()) == {"complete"}, states
    return output, json.loads((tiny.folder / "receipt.json").read_text())


def test_a_folder_of_classes(tiny, photos):
    root, _ = photos
    output, receipt = run(tiny, {"source": "folder", "options": {"path": str(root)}})
    assert "1 image(s) that cannot be used, first 'dark/broken.jpg'" in output
    assert "classes 3: dark, light, striped; 40 images each" in output
    assert [name for name, _ in receipt["data"]["left_out"]] == ["dark/broken.jpg"]
    assert receipt["data"]["classes"] == list(CLASSES)
    assert sum(receipt["data"]["images"].values()) == 120
    assert "references/logistic_regression" in tiny.results()


def test_a_table_with_groups_and_splits(tiny, photos):
    root, rows = photos
    table = root / "table.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "group"])
        for path, label, group in rows:
            writer.writerow([path, label, "test" if group.endswith("-0") else "", group])
    run(tiny, {"source": "folder", "options": {"csv": str(table)}})
    found = next(tiny.folder.glob("finalists/*/0/predictions.npz"))
    with np.load(found) as predictions:
        assert {str(g) for g in predictions["groups"]} == {f"{name}-0" for name in CLASSES}
        assert len(predictions["logits"]) == 15


def test_an_archive_of_arrays(tiny, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 60), ("val", 30), ("test", 30)):
        labels = np.arange(count) % 3
        arrays[f"{part}_images"] = np.stack([image(rng, label)[:16, :16] for label in labels])
        arrays[f"{part}_labels"] = labels[:, None]
    np.savez(tmp_path / "set.npz", **arrays)
    _, receipt = run(tiny, {"source": "npz", "options": {"path": str(tmp_path / "set.npz")}})
    assert receipt["data"]["images"] == {"train": 60, "validation": 30, "test": 30}


def test_a_data_module_of_ones_own(tiny, tmp_path, monkeypatch):
    (tmp_path / "own_squares.py").write_text(OWN_MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _, receipt = run(tiny, {"class_path": "own_squares.Squares", "init_args": {"count": 48}})
    assert receipt["data"] == {}
    assert "references/logistic_regression" not in tiny.results()
    assert len(list(tiny.folder.glob("finalists/*/*/predictions.npz"))) == 2

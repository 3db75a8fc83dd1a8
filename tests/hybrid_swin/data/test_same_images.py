"""Images that a training has learned from are told from others, also in a module of the user's."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset, random_split

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.own_modules import set_up, shared_images
from hybrid_swin.data.same_images import check_data, data_identity
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError

IMAGES = torch.arange(900.0).reshape(-1, 1, 1, 1)


def test_data_without_hashes_has_no_identity():
    class Module:
        data_hash = "0123456789"

    assert data_identity(object()) == {}
    assert data_identity(Module()) == {"data": "0123456789"}


class Drawn(LightningDataModule):
    """Splits as many modules do: by whatever the generators give."""

    generator: torch.Generator | None = None
    reads = 0

    def setup(self, stage):
        images = TensorDataset(IMAGES, torch.arange(len(IMAGES)) % 3)
        self.train, self.val = random_split(images, [500, 400], self.generator)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=self.batch_size)

    def __init__(self, batch_size=30):
        super().__init__()
        self.batch_size = batch_size


class Noisy(Drawn):
    """Other validation images at each reading."""

    def val_dataloader(self):
        self.reads += 1
        return [(torch.full((4, 1, 1, 1), float(self.reads)), torch.zeros(4))]


def made(cls, **settings):
    data = DataSettings(class_path=f"{__name__}.{cls.__name__}", **settings)
    module = make_datamodule(data, None, 30, seed=0)
    torch.rand(3)  # whatever happens in between
    set_up(module)
    return module


def saved(module):
    return {"identity": data_identity(module)}


def test_a_module_splits_alike_in_each_process_by_the_split_seed():
    one, other, reseeded = made(Drawn), made(Drawn), made(Drawn, split_seed=1)
    assert one.val.indices == other.val.indices != reseeded.val.indices
    check_data(saved(one), other, Path("run"), "")
    other.batch_size = 77
    check_data(saved(one), other, Path("run"), "")
    with pytest.raises(InputError, match="another validation split than to the training in run: "):
        check_data(saved(one), reseeded, Path("run"), "")


def test_what_is_drawn_by_a_generator_without_a_seed_is_refused(monkeypatch):
    monkeypatch.setattr(Drawn, "generator", torch.Generator())
    one = made(Drawn)
    with pytest.raises(InputError, match="images to test on may have been trained on"):
        check_data(saved(one), made(Drawn), Path("run"), "train again")


class Overlapping(Drawn):
    """Tests on all images, as one may by mistake."""

    def setup(self, stage):
        super().setup(stage)
        self.test = ConcatDataset([self.train, self.val]) if stage == "test" else None

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def test_dataloader(self):
        return DataLoader(self.test, batch_size=self.batch_size)


class Apart(Overlapping):
    def test_dataloader(self):
        return self.val_dataloader()


def test_test_images_that_are_train_images_are_counted():
    assert shared_images(made(Overlapping)) == (500, 900)
    assert shared_images(made(Apart)) == (0, 400)
    assert shared_images(made(Drawn)) == (0, 0)  # has none


def test_images_that_are_others_at_each_reading_are_not_compared():
    check_data(saved(made(Noisy)), made(Noisy), Path("run"), "")
    assert data_identity(LightningDataModule()) == {}

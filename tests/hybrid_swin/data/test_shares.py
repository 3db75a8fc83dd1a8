"""Batches in shares: the same images and order, and of our own sources no image read twice."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from hybrid_swin.data.batches import NormalisedImages
from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.own_modules import made_by, validation_digest
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.shares import Cut, cut
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant

VARIANT = Variant.from_dict(
    {
        **{"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2},
        "window_size": 2,
        "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}],
    }
)


def digits(num_workers=0, epoch_images=131):
    settings = DataSettings(epoch_images=epoch_images, num_workers=num_workers)
    data = make_datamodule(settings, VARIANT, 32, 1)
    data.setup()
    return data


def batches_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return list(loader)


@pytest.mark.parametrize("name", ["train_dataloader", "val_dataloader"])
@pytest.mark.parametrize("cuts", [(2, 1), (2, 2), (3, 2)])
def test_a_process_reads_its_shares_alone(monkeypatch, name, cuts):
    ranks, turns = cuts
    data, taken = digits(), []
    take = NormalisedImages.take
    monkeypatch.setattr(
        NormalisedImages, "take", lambda self, index: taken.append(len(index)) or take(self, index)
    )
    for rank in range(ranks):
        whole = getattr(data, name)()
        expected = list(Cut(batches_of(whole, 3), rank, ranks, turns))
        taken.clear()
        with cut(data, rank, ranks, turns):
            loader = getattr(data, name)()
            shares = batches_of(loader, 3)
        assert len(loader) == len(shares) == len(expected)
        for mine, theirs in zip(shares, expected, strict=True):
            assert mine[2] == theirs[2]
            assert torch.equal(mine[0], theirs[0]) and torch.equal(mine[1], theirs[1])
        assert taken == [len(images) for images, _, _ in shares]


def test_processes_that_prepare_batches_give_the_same_shares():
    here, there = digits(), digits(num_workers=1)
    with cut(here, 1, 2, 1), cut(there, 1, 2, 1):
        pairs = zip(here.val_dataloader(), there.val_dataloader(), strict=True)
        for mine, theirs in pairs:
            assert torch.equal(mine[0], theirs[0]) and mine[2] == theirs[2]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_memory_is_pinned_for_a_gpu_alone(monkeypatch, device):
    """A worker on the CPU would take memory of a GPU that others use."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    data = digits()
    assert not data.val_dataloader().pin_memory
    strategy = SimpleNamespace(root_device=torch.device(device))
    data.trainer = SimpleNamespace(strategy=strategy)
    with cut(data, 1, 2, 1):
        parts = data.val_dataloader()
    assert data.val_dataloader().pin_memory == parts.pin_memory == (device == "cuda")


class Own(LightningDataModule):
    """A module of the user's own."""

    def __init__(self, count=70):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        labels = torch.randint(10, (count,), generator=draw)
        self._images = TensorDataset(torch.randn(count, 1, 8, 8, generator=draw), labels)

    def val_dataloader(self):
        return DataLoader(self._images, 32)


class CutAlready(Own):
    """One that gives each process other images."""

    def train_dataloader(self):
        sampler = DistributedSampler(self._images, num_replicas=2, rank=0)
        return DataLoader(self._images, 32, sampler=sampler)


def test_batches_that_are_cut_already_are_refused():
    """Else each device would train on its part of a part, and half of the images on none."""
    module = CutAlready()
    with cut(module, 0, 2, 1), pytest.raises(InputError, match="has a DistributedSampler"):
        module.train_dataloader()
    with cut(module, 0, 1, 2):
        assert len(module.train_dataloader()) == 4


def test_an_own_module_is_known_by_its_images_on_several_devices_as_on_one():
    module = made_by(Own, 0)
    one = validation_digest(module)
    with cut(module, 1, 2, 1):
        assert validation_digest(module) == one is not None
    assert validation_digest(made_by(lambda: Own(71), 0)) != one

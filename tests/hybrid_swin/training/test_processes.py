"""One training by two processes, and by micro-batches, is that of one process but for rounding.

Rank 1 is this file run as a script, which does the same trainings as the test.
"""

import dataclasses
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
from torch._C._distributed_c10d import TCPStore
from torch.utils.data import DataLoader, TensorDataset

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.shares import Cut
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.whole_batch import has_batch_norm
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.file_names import FINAL, LAST
from hybrid_swin.system.processes import python_environment
from hybrid_swin.training import processes as module
from hybrid_swin.training.fit import evaluate, fit
from hybrid_swin.training.processes import Processes, may_leave_out
from hybrid_swin.training.resume import load_state

# A branch of the user's own, with what drops in the three ways that people write it, and a layer
# that it does not use.
PLUGIN = '''
from torch import nn
from hybrid_swin.cost import linear
from hybrid_swin.network.branches import Branch

class Drops(Branch):
    """Noisy."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.norm = nn.BatchNorm2d(dim)
        self.drop = nn.Dropout(0.2)
        self.proj = nn.Linear(dim, dim)
        self.spare = nn.Linear(dim, dim)

    def mix(self, x, value_gate=None):
        if self.training:
            x = x * x.new_empty(len(x), 1, 1, 1).bernoulli_(0.8)
        return self.drop(self.norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''
# Everything random is on, and the last batch of an epoch has 3 images.
RECIPE = Recipe(
    epochs=2,
    batch_size=32,
    learning_rate=2e-3,
    warmup_epochs=0.0,
    drop_path=0.3,
    shift=1,
    flip="horizontal",
    class_weights="balanced",
    precision="32-true",
)
# Shares must draw alike, and hold the images that they mix in. Beside the weights there are an
# average, those of the best epoch, and several batches of a step.
AUGMENTED = dataclasses.replace(
    RECIPE,
    augmentations=(
        *("random_resized_crop(scale=0.5-1)", "rand_augment", "color_jitter"),
        *("random_erasing(probability=0.5)", "random_crop(padding=1)"),
    ),
    mixup=0.8,
    cutmix=1.0,
    mix_probability=0.8,
    repeats=2,
    ema=0.8,
    accumulate_batches=2,
    early_stopping=1,
)
WORDS = {
    "attention": ["w_msa+mdta", "sw_msa"],
    "cross": ["conv+w_msa:cross(norm=batch)", "w_msa"],
    "selective": ["w_msa+mdta:selective(norm=batch)", "w_msa"],
}


def variant(blocks):
    stage = {"width": 8, "depth": 2, "num_heads": 2, "blocks": blocks}
    return Variant.from_dict(
        {
            **{"image_size": 8, "in_channels": 1, "num_classes": 10, "patch_size": 2},
            **{"window_size": 2, "stages": [stage]},
        }
    )


def train(folder, blocks, processes=None, micro_batches=1, recipe=RECIPE, callbacks=()):
    network = variant(blocks)
    settings = DataSettings(epoch_images=131, validation_share=0.11)
    return fit(
        network,
        recipe,
        make_datamodule(settings, network, recipe.batch_size, 1),
        seed=1,
        folder=folder,
        accelerator="cpu",
        checkpoint_every_seconds=0.0,
        processes=processes,
        micro_batches=micro_batches,
        callbacks=callbacks,
    )


class Copy(L.Callback):
    """Keeps what a kill in the second epoch would leave."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and trainer.is_global_zero:
            self.folder.mkdir()
            shutil.copy(Path(trainer.default_root_dir) / LAST, self.folder)


def trainings(folder, processes):
    """What both ranks do, one after another; the results of this one by name."""
    done = {}
    registry.add_plugin(folder / "drops.py")
    words = {
        "attention": WORDS["attention"],
        "norms": [WORDS["cross"][0], WORDS["selective"][0]],
        "plugin": ["w_msa+drops", "w_msa"],
    }
    for name, blocks in words.items():
        cut_off = [Copy(folder / "from-two")] if name == "attention" else []
        done[name] = train(folder / f"two-{name}", blocks, processes, callbacks=cut_off)
    done["augmented"] = train(
        folder / "two-augmented", WORDS["attention"], processes, 2, recipe=AUGMENTED
    )
    done["go on"] = train(folder / "from-one", WORDS["attention"], processes)
    broken = dataclasses.replace(RECIPE, learning_rate=1e4, min_learning_rate=0, gradient_clip=0)
    done["diverged"] = train(folder / "diverged", WORDS["attention"], processes, recipe=broken)
    return words, done


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def answers(folder, micro_batches=1):
    """Logits of the test split: a bias before a batch norm drifts by rounding, and says nothing."""
    data = make_datamodule(DataSettings(), variant(WORDS["attention"]), 32, 1)
    path = folder / FINAL
    read = evaluate(path, data, "test", accelerator="cpu", micro_batches=micro_batches)
    return torch.from_numpy(read.logits)


def assert_same(one, two):
    torch.testing.assert_close(answers(one), answers(two), rtol=1e-3, atol=2e-5)


def test_two_processes_are_one_but_for_rounding(tmp_path, write_plugin):
    write_plugin("drops", PLUGIN)
    train(tmp_path / "one-attention", WORDS["attention"], callbacks=[Copy(tmp_path / "from-one")])
    processes, port = Processes.lead(2)
    command = [sys.executable, __file__, str(port), str(tmp_path)]
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(command, env=python_environment(PYTHONPATH=root)) as other:
        try:
            words, two = trainings(tmp_path, processes)
            assert other.wait(60) == 0
        finally:
            other.kill()
    for name, blocks in words.items():
        one = train(tmp_path / f"one-{name}", blocks)  # the first is there already
        assert one.epochs == two[name].epochs == 2
        for before, after in zip(one.history, two[name].history, strict=True):
            assert after == pytest.approx(before, rel=1e-4, abs=1e-5)
        assert_same(tmp_path / f"one-{name}", tmp_path / f"two-{name}")
    expected = tmp_path / "one-attention"
    # by micro-batches: 4 shares, of which 1 has no image
    one = train(tmp_path / "one-augmented", WORDS["attention"], recipe=AUGMENTED)
    assert one.kept_epoch == two["augmented"].kept_epoch
    assert_same(tmp_path / "one-augmented", tmp_path / "two-augmented")
    assert two["go on"].resumed_from == 1
    assert_same(expected, tmp_path / "from-one")
    assert train(tmp_path / "from-two", WORDS["attention"]).resumed_from == 1
    assert_same(expected, tmp_path / "from-two")
    assert two["diverged"].state == "diverged"
    assert two["attention"].device.startswith("2 x ")


@pytest.mark.parametrize("recipe", [RECIPE, AUGMENTED])
def test_micro_batches_are_the_batch_but_for_rounding(tmp_path, recipe):
    one = train(tmp_path / "one", WORDS["attention"], recipe=recipe)
    four = train(tmp_path / "four", WORDS["attention"], micro_batches=4, recipe=recipe)
    assert_same(tmp_path / "one", tmp_path / "four")
    assert four.metrics == pytest.approx(one.metrics, rel=1e-4, abs=1e-5)
    assert not one.notes and not four.notes
    steps = [load_state(tmp_path / name / FINAL)["global_step"] for name in ("one", "four")]
    assert steps == [2 * math.ceil(5 / recipe.accumulate_batches)] * 2
    torch.testing.assert_close(answers(tmp_path / "four"), answers(tmp_path / "four", 4))


class Shuffled(L.LightningDataModule):
    """A module of the user's own, whose loader draws from the global generators."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        images = torch.randn(70, 1, 8, 8, generator=draw)
        self.images = TensorDataset(images, torch.randint(10, (70,), generator=draw))

    def train_dataloader(self):
        return DataLoader(self.images, 32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.images, 32)


def test_a_loader_that_shuffles_gives_the_same_order(tmp_path):
    one, two = (
        fit(
            variant(WORDS["attention"]),
            dataclasses.replace(RECIPE, class_weights="none"),
            Shuffled(),
            seed=1,
            folder=tmp_path / str(count),
            accelerator="cpu",
            micro_batches=count,
        )
        for count in (1, 2)
    )
    assert two.history[1] == pytest.approx(one.history[1], rel=1e-5, abs=1e-6)


def test_batch_norm_over_micro_batches_is_said(tmp_path):
    result = train(tmp_path, WORDS["cross"], micro_batches=4)
    assert result.state == "complete"
    assert result.notes == ("batch norm took its statistics over micro-batches of 8",)
    assert has_batch_norm(HybridSwin(variant(WORDS["cross"])))
    assert not has_batch_norm(HybridSwin(variant(WORDS["attention"])))


@pytest.mark.parametrize("whole", [1, 2, 3, 7, 8])
def test_shares_come_with_what_lies_opposite(whole):
    images = torch.arange(whole)
    for rank in range(2):
        for x, labels, share in Cut([(images, 10 * images)], rank, 2, 2, True):
            own, opposite = x.tensor_split(2)
            assert own.tolist() == list(range(whole))[share.rows]
            assert opposite.flip(0).tolist() == [whole - 1 - i for i in own.tolist()]
            assert labels.tolist() == (10 * x).tolist()


@pytest.mark.parametrize("whole", [1, 2, 3, 7, 8])
def test_shares_hold_each_image_once(whole):
    images = torch.arange(whole)
    taken = [part for rank in range(2) for part in Cut([(images, images)], rank, 2, 2)]
    held = [image for x, _, share in taken for image in x[: share.size].tolist()]
    assert held == list(range(whole))
    assert all(len(x) == max(1, share.size) for x, _, share in taken)
    # the mean over shares of what each weighs is the mean over images
    means = [share.weight * float(x.float().mean()) for x, _, share in taken]
    assert sum(means) / len(means) == pytest.approx(float(images.float().mean()))


@pytest.fixture
def fake_cuda(monkeypatch):
    """Four GPUs that are only talked about; what is asked of them."""
    asked = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", asked.append)
    group = module.distributed
    monkeypatch.setattr(group, "init_process_group", lambda *a, **k: asked.append((a, k)))
    monkeypatch.setattr(group, "destroy_process_group", lambda: asked.append("destroyed"))
    for library in ("NCCL", "GLOO"):
        monkeypatch.delenv(f"{library}_SOCKET_IFNAME", raising=False)
    return asked


def test_each_process_takes_the_gpu_of_its_rank_and_stays_on_this_machine(fake_cuda):
    store = TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False)
    third = Processes(2, 4, store)
    third.take_device("cuda")
    assert fake_cuda == [2]
    with third.connected("cuda", "training"):
        (backend,), options = fake_cuda[1]
        assert (backend, options["device_id"]) == ("nccl", torch.device("cuda", 2))
        assert (options["rank"], options["world_size"]) == (2, 4)
        assert options["timeout"].days == 7  # what started it says when silence is too long
        assert os.environ["NCCL_SOCKET_IFNAME"] == "lo"
    assert fake_cuda[2:] == ["destroyed"]
    Processes().take_device("cuda")  # one process takes what torch takes
    third.take_device("cpu")
    assert len(fake_cuda) == 3


def test_fewer_gpus_than_devices_are_said(fake_cuda, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a1,MIG-b2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError) as error:
        Processes(1, 2).take_device("cuda")
    assert str(error.value) == (
        "a training over 2 devices sees 1 GPU here (CUDA_VISIBLE_DEVICES='MIG-a1,MIG-b2'); give "
        "workers.devices at most 1"
    )
    assert fake_cuda == []


def test_only_plug_ins_are_searched_for_unused_parameters(write_plugin):
    """A search at every step costs time."""
    registry.add_plugin(write_plugin("drops", PLUGIN))
    ours = [HybridSwin(variant(blocks)) for blocks in WORDS.values()]
    theirs = HybridSwin(variant(["w_msa+drops", "w_msa"]))
    assert [may_leave_out(network) for network in (*ours, theirs)] == [False, False, False, True]
    for network, searched in ((ours[0], False), (theirs, True)):
        strategy = Processes(0, 2).trainer_options(network)["strategy"]
        assert strategy._ddp_kwargs["find_unused_parameters"] is searched
    used = []
    for network in (*ours, theirs):
        network(torch.randn(4, 1, 8, 8)).sum().backward()
        used.append(all(parameter.grad is not None for parameter in network.parameters()))
    assert used == [True, True, True, False]


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainings(Path(sys.argv[2]), Processes.join(1, 2, int(sys.argv[1])))

"""From settings to batches, in Lightning's hands; and the user's own modules."""

import sys
from dataclasses import replace
from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image

from hybrid_swin.data import loading
from hybrid_swin.data.batches import NormalisedImages
from hybrid_swin.data.datamodule import ImageData, make_datamodule
from hybrid_swin.data.same_images import check_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.quiet import quiet

VARIANT = Variant(
    image_size=8,
    in_channels=1,
    num_classes=10,
    patch_size=1,
    window_size=4,
    stages=(Stage(8, 1, 2, ("w_msa",)),),
)


@pytest.fixture(autouse=True)
def nothing_loaded():
    loading._load.cache_clear(), loading._load_images.cache_clear()


def ready(settings=DataSettings(), variant=VARIANT, batch_size=64, seed=0, cache=None):  # noqa: B008
    data = make_datamodule(settings, variant, batch_size, seed, cache)
    data.setup()
    return data


def everything(loader):
    return tuple(torch.cat(parts) for parts in zip(*loader, strict=True))


def test_images_are_normalised_as_the_settings_say_and_a_training_knows_it(tmp_path):
    plain, given = ready(), ready(DataSettings(mean=(0.25,), std=(0.5,)))
    (first, _), (other, _) = (everything(data.val_dataloader()) for data in (plain, given))
    torch.testing.assert_close(other, (first * plain.std[0] + plain.mean[0] - 0.25) / 0.5)
    assert given.hashes == plain.hashes
    learnt = {"data": {"mean": list(plain.mean), "std": list(plain.std)}}
    check_data(learnt, plain, tmp_path, "train again")
    with pytest.raises(InputError, match=r"normalised by another mean \(.*now \[0.25\]\)"):
        check_data(learnt, given, tmp_path, "train again")
    with pytest.raises(InputError, match="are of 3 channels, and the images have 1"):
        ready(DataSettings(mean=(0.5,) * 3, std=(0.5,) * 3))


def variant_for(image_size, in_channels, num_classes):
    return Variant(image_size, in_channels, num_classes, 1, 4, 4.0, VARIANT.stages)


@pytest.fixture
def folder(tmp_path):
    """Three classes of 20 colour images whose brightness is the class."""
    random = np.random.default_rng(0)
    for label in range(3):
        for index in range(20):
            path = tmp_path / "images" / f"class{label}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(60 * label, 60 * label + 50, (9, 9, 3), np.uint8)
            Image.fromarray(pixels).save(path)
    return tmp_path / "images"


def test_digits_are_ready_after_setup():
    data = ready()
    assert data.num_classes == 10
    assert data.class_names == tuple("0123456789")
    assert (len(data.data_hash), len(data.splits.hash)) == (10, 10)
    assert data.left_out == ()
    x, y = everything(data.train_dataloader())
    assert x.shape == (len(data.splits.train), 1, 8, 8)
    assert torch.bincount(y).tolist() == list(data.class_counts)
    torch.testing.assert_close(x.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(correction=0), torch.tensor(1.0))


def test_an_epoch_may_be_shorter_than_the_train_split():
    data, whole = ready(DataSettings(epoch_images=150)), ready()
    loader = data.train_dataloader()
    assert len(loader) == 3
    assert [len(labels) for _, labels in loader] == [64, 64, 22]
    assert (data.class_counts, data.mean, data.std) == (whole.class_counts, whole.mean, whole.std)
    assert (data.data_hash, data.splits.hash) == (whole.data_hash, whole.splits.hash)
    for name in ("val_dataloader", "test_dataloader"):
        labels, expected = (everything(getattr(module, name)())[1] for module in (data, whole))
        assert labels.tolist() == expected.tolist()


def test_an_epoch_longer_than_the_train_split_is_refused():
    count = len(ready().splits.train)
    assert len(everything(ready(DataSettings(epoch_images=count)).train_dataloader())[1]) == count
    with pytest.raises(InputError, match=f"choose at most {count}, or 0 for all"):
        ready(DataSettings(epoch_images=count + 1))


def test_validation_and_test_come_in_the_order_of_their_splits():
    data = ready()
    for loader, indices in (
        (data.val_dataloader(), data.splits.validation),
        (data.test_dataloader(), data.splits.test),
    ):
        x, y = everything(loader)
        assert y.tolist() == data.images.labels[indices].tolist()
        raw = torch.from_numpy(data.images.images[indices]).permute(0, 3, 1, 2)
        torch.testing.assert_close(x, (raw - data.mean[0]) / data.std[0])


def test_statistics_are_those_of_the_train_split_only(tmp_path):
    arrays = {
        "train_images": np.tile(np.array([[[100]], [[140]]], np.uint8), (6, 8, 8)),
        "train_labels": np.arange(12) // 2 % 2,
    }
    for split in ("val", "test"):
        arrays[f"{split}_images"] = np.full((4, 8, 8), 255, np.uint8)
        arrays[f"{split}_labels"] = np.arange(4) % 2
    np.savez(tmp_path / "set.npz", **arrays)
    settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    data = ready(settings, variant_for(8, 1, 2))
    assert data.mean == pytest.approx((120 / 255,))
    assert data.std == pytest.approx((20 / 255,))
    x, _ = everything(data.train_dataloader())
    assert sorted(set(x.flatten().tolist())) == pytest.approx([-1, 1])
    x, _ = everything(data.test_dataloader())
    torch.testing.assert_close(x, torch.full_like(x, 6.75))


@pytest.mark.parametrize("held_bytes", [0, 10**6])
def test_folders_by_way_of_the_cache_and_a_worker_process(
    folder, tmp_path, held_bytes, monkeypatch
):
    monkeypatch.setattr(
        loading, "NormalisedImages", partial(NormalisedImages, held_bytes=held_bytes)
    )
    options = {"path": str(folder)}
    variant = variant_for((6, 7), 3, 3)
    plain = ready(DataSettings("folder", options), variant)
    mapped = ready(DataSettings("folder", options, num_workers=1), variant, cache=tmp_path / "c")
    assert isinstance(mapped.images.images, np.memmap)
    assert mapped.data_hash == plain.data_hash
    assert mapped.splits.hash == plain.splits.hash
    for name in ("train_dataloader", "val_dataloader"):
        x, y = everything(getattr(plain, name)())
        other_x, other_y = everything(getattr(mapped, name)())
        assert x.shape[1:] == (3, 6, 7)
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


def test_a_channel_that_never_changes_stays_finite(tmp_path):
    images = np.full((12, 8, 8, 2), 0.1, np.float32)
    images[..., 0] = np.random.default_rng(0).random((12, 8, 8))
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.arange(12) % 2)
    data = ready(DataSettings("npz", {"path": str(tmp_path / "set.npz")}), variant_for(8, 2, 2))
    assert data.std[1] == 1
    x, _ = everything(data.train_dataloader())
    assert x[:, 1].abs().max() < 1e-6


def test_a_nan_names_its_image(tmp_path):
    images = np.zeros((12, 8, 8), np.float32)
    images[5, 2, 2] = np.nan
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.arange(12) % 2)
    data = make_datamodule(
        DataSettings("npz", {"path": str(tmp_path / "set.npz")}), variant_for(8, 1, 2), 4, 0
    )
    with pytest.raises(InputError, match="'train/5' holds a NaN"):
        data.setup()


def test_the_hash_is_over_pixels_labels_and_ids(folder):
    settings, variant = DataSettings("folder", {"path": str(folder)}), variant_for(6, 3, 3)
    hashes = [ready(settings, variant).data_hash]
    hashes.append(ready(settings, variant_for(5, 3, 3)).data_hash)
    for change in (
        lambda: (folder / "class0" / "0.png").rename(folder / "class0" / "00.png"),
        lambda: (folder / "class0" / "00.png").rename(folder / "class1" / "00.png"),
        lambda: Image.new("RGB", (9, 9)).save(folder / "class1" / "00.png"),
    ):
        change()
        loading._load.cache_clear(), loading._load_images.cache_clear()
        hashes.append(ready(settings, variant).data_hash)
    assert len(set(hashes)) == 5


def test_equal_settings_share_what_is_loaded():
    one = ready()
    two = ready(DataSettings.from_dict(DataSettings().to_dict()), batch_size=32, seed=1)
    assert two.images is one.images
    assert two.splits is one.splits
    assert ready(DataSettings(split_seed=1)).splits.hash != one.splits.hash
    for seed in range(5):
        ready(DataSettings(split_seed=seed))
    assert loading._load.cache_info().currsize <= 2


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (variant_for(8, 1, 7), "set num_classes: 10 in the variant"),
        (variant_for(16, 1, 10), "set image_size: 8"),
        (variant_for(8, 3, 10), "in_channels: 1"),
    ],
)
def test_a_variant_that_does_not_fit_is_told_the_values(variant, message):
    with pytest.raises(InputError, match=message):
        ready(variant=variant)


def test_wrong_settings_are_told_before_anything_is_loaded():
    with pytest.raises(InputError, match="did you mean 'digits'"):
        make_datamodule(DataSettings(source="digit"), VARIANT, 64, 0)
    with pytest.raises(InputError, match="batch_size"):
        make_datamodule(DataSettings(), VARIANT, 0, 0)


class Recorder(pl.LightningModule):
    """Writes down the labels of every training step."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
        self.seen = {}

    def training_step(self, batch):
        x, y = batch
        self.seen.setdefault(self.current_epoch, []).extend(y.tolist())
        return torch.nn.functional.cross_entropy(self.layer(x.flatten(1)), y)

    def validation_step(self, batch):
        self.log(
            "loss", torch.nn.functional.cross_entropy(self.layer(batch[0].flatten(1)), batch[1])
        )

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(epochs, tmp_path, checkpoint=None):
    recorder = Recorder()
    data = make_datamodule(DataSettings(), VARIANT, 128, seed=3)
    with quiet():
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(recorder, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
    return recorder.seen


def test_a_resumed_training_sees_what_an_unbroken_one_sees(tmp_path):
    unbroken = fit(4, tmp_path)
    assert len({tuple(labels) for labels in unbroken.values()}) == 4
    fit(3, tmp_path)
    resumed = fit(4, tmp_path, tmp_path / "3.ckpt")
    assert resumed == {3: unbroken[3]}


OWN = """
import lightning.pytorch as pl
import torch

class Own(pl.LightningDataModule):
    def __init__(self, path, batch_size=1, scale: float = 1.0):
        super().__init__()
        self.path, self.batch_size, self.scale = path, batch_size, scale

class NoBatchSize(pl.LightningDataModule):
    def __init__(self, **options):
        super().__init__()
        self.options = options

class Fails(pl.LightningDataModule):
    def __init__(self):
        super().__init__()
        raise FileNotFoundError("no such data")

class Loader:
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_images.py").write_text(OWN)
    (tmp_path / "broken_images.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_images", None)


def make_own(class_path, **init_args):
    settings = DataSettings(class_path=class_path, init_args=init_args)
    return make_datamodule(settings, VARIANT, batch_size=32, seed=0)


def test_an_own_module_gets_its_arguments_and_the_batch_size_where_it_takes_it(own):
    data = make_own("own_images.Own", path="x", scale=2)
    assert (data.path, data.batch_size, data.scale) == ("x", 32, 2)
    assert make_own("own_images.NoBatchSize", a=1).options == {"a": 1}


@pytest.mark.parametrize(
    ("class_path", "init_args", "message"),
    [
        ("not_there.Class", {}, "module 'not_there' cannot be imported"),
        ("broken_images.Class", {}, "No module named 'not_there_at_all'"),
        ("own_images.Onw", {}, "did you mean 'Own'"),
        ("own_images.Loader", {}, "is not a LightningDataModule"),
        ("own_images.torch", {}, "is not a LightningDataModule"),
        ("own_images.Own", {}, "missing 1 required positional argument: 'path'"),
        ("own_images.Own", {"pth": 1}, "did you mean 'path'"),
        ("own_images.Own", {"path": "x", "batch_size": 3}, "belongs to the recipe"),
        ("own_images.Fails", {}, "FileNotFoundError: no such data"),
    ],
)
def test_mistakes_with_own_modules(own, class_path, init_args, message):
    with pytest.raises(InputError, match=message):
        make_own(class_path, **init_args)


def test_our_modules_are_lightnings():
    assert isinstance(ready(), ImageData)
    assert isinstance(ready(), pl.LightningDataModule)


def test_validation_and_test_are_read_at_their_own_size(tmp_path):
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4), ("test", 4)):
        for label in ("a", "b"):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 256, (12, 12), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / label / f"{i}.png")
    settings = DataSettings(source="folder", options={"path": str(tmp_path)})
    variant = replace(VARIANT, num_classes=2)
    data, larger = (
        make_datamodule(settings, variant, 4, 0, test_image_size=side) for side in (None, 12)
    )
    data.setup()
    larger.setup()
    assert larger.hashes == data.hashes and larger.mean == data.mean
    for name, side in (("train", 8), ("val", 12), ("test", 12)):
        ours, theirs = (getattr(x, f"{name}_dataloader")() for x in (larger, data))
        for (images, labels), (_, same) in zip(ours, theirs, strict=True):
            assert images.shape[2:] == (side, side) and torch.equal(labels, same)
    first = np.asarray(Image.open(tmp_path / "test" / "a" / "0.png"))
    shown = next(iter(larger.test_dataloader()))[0][0, 0] * data.std[0] + data.mean[0]
    np.testing.assert_allclose(shown.numpy() * 255, first, atol=1e-3)


def test_what_cannot_be_read_at_another_size_is_said():
    data = make_datamodule(DataSettings(), VARIANT, 64, 0, test_image_size=16)
    with pytest.raises(InputError, match=r"recipe.test_image_size 16: .* leave it out"):
        data.setup()


def test_a_source_that_cuts_other_images_of_the_same_names_is_refused():
    """Patches of 63 and of 64 pixels are as many, of other places."""
    settings, variant = DataSettings(source="photographs"), replace(VARIANT, image_size=63)
    data = make_datamodule(settings, variant, 64, 0, test_image_size=64)
    with pytest.raises(InputError, match=r"test_image_size 64: .* other images in this size"):
        data.setup()


def test_an_epoch_of_repeated_images_has_as_many_images():
    data = make_datamodule(DataSettings(), VARIANT, 64, 0, repeats=3)
    data.setup()
    labels = torch.cat([labels for _, labels in data.train_dataloader()])
    assert len(labels) == len(data.splits.train)
    assert torch.equal(labels[0:300:3], labels[1:300:3])


def test_balanced_sampling_gives_each_class_equally_often(tmp_path):
    labels = np.repeat([0, 1, 2], [80, 15, 5])
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 1), dtype=np.uint8)
    splits = {f"{name}_{kind}": values for name in ("train", "val", "test")
              for kind, values in (("images", images), ("labels", labels))}  # fmt: skip
    np.savez(tmp_path / "set.npz", **splits)
    settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
    variant = replace(VARIANT, num_classes=3)
    data = make_datamodule(settings, variant, 32, 7, sampling="balanced")
    data.setup()
    loader = data.train_dataloader()
    epochs = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)
        epochs.append([*loader])
    for batches in epochs:
        seen = torch.cat([answers for _, answers in batches])
        assert sorted(seen.bincount().tolist()) == [33, 33, 34]
        pixels = torch.cat([x for x, _ in batches])
        few = {x.numpy().tobytes() for x, label in zip(pixels, seen, strict=True) if label == 2}
        many = {x.numpy().tobytes() for x, label in zip(pixels, seen, strict=True) if label == 0}
        assert len(few) == 5 and len(many) >= 33  # of the largest class none comes twice
    assert torch.equal(epochs[0][0][0], epochs[2][0][0])
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])
    read = torch.cat([answers for _, answers in data.val_dataloader()])
    assert read.tolist() == labels.tolist()  # validation is read as it is

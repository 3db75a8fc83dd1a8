"""The LightningModule: loss, weights, learning rate, clipping, checkpoints."""

import copy
import math

import lightning.pytorch as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from hybrid_swin.errors import InputError
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.classifier import Classifier
from hybrid_swin.training.fit import fit
from hybrid_swin.training.loss import balanced_weights
from hybrid_swin.training.optimization import learning_rate
from hybrid_swin.training.quiet import quiet

BATCH = 16


def variant(num_classes=3, **changes):
    return Variant.from_dict(
        {
            "image_size": 4,
            "in_channels": 1,
            "num_classes": num_classes,
            "patch_size": 2,
            "window_size": 2,
            "stages": [{"width": 8, "depth": 2, "num_heads": 2, "blocks": ["w_msa", "conv"]}],
        }
        | changes
    )


class Patterns(L.LightningDataModule):
    """A data module such as a user has: noise with a class's own bright pixel."""

    def __init__(self, train=64, validation=32, num_classes=3):
        super().__init__()
        self.classes = num_classes
        self.parts = {"train": self.draw(train, 0), "val": self.draw(validation, 1)}

    def draw(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(self.classes, (count,), generator=generator)
        images = torch.randn(count, 1, 4, 4, generator=generator)
        images.view(count, 16)[torch.arange(count), labels] += 4
        return TensorDataset(images, labels)

    def train_dataloader(self):
        return DataLoader(self.parts["train"], BATCH)

    def val_dataloader(self):
        return DataLoader(self.parts["val"], BATCH)

    def test_dataloader(self):
        return self.val_dataloader()


class Counted(Patterns):
    """The same with what `balanced` needs."""

    num_classes = 3
    class_counts = (10, 30, 20)


class Steps(L.Callback):
    """Watches every step from outside."""

    def __init__(self):
        self.losses, self.expected, self.rates, self.norms = [], [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])
        images, labels = batch
        with torch.no_grad():
            logits = copy.deepcopy(pl_module.model)(images)
        self.expected.append(
            slow_loss(logits, labels, pl_module.recipe.label_smoothing, self.weights()).item()
        )

    def weights(self):
        return None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item())
        gradients = [p.grad.norm() for p in pl_module.parameters()]
        self.norms.append(torch.stack(gradients).norm().item())


def slow_loss(logits, labels, smoothing, weights):
    """The formula of the docstring, an image and a class at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for image, label in zip(logits.double(), labels.tolist(), strict=True):
        for k in range(len(image)):
            target = (1 - smoothing) * (k == label) + smoothing / len(image)
            probability = image[k].exp() / image.exp().sum()
            total -= target * probability.log() * (1 if weights is None else weights[label])
    return total / len(labels)


def train(folder, callback=None, data=None, network=None, **recipe):
    recipe = Recipe(**{"epochs": 2, "batch_size": BATCH, "precision": "32-true"} | recipe)
    return fit(
        network or variant(),
        recipe,
        data or Patterns(),
        seed=0,
        folder=folder,
        accelerator="cpu",
        callbacks=[callback] if callback else [],
    )


def test_the_loss_is_smoothed_cross_entropy_and_its_mean_is_logged(tmp_path):
    steps = Steps()
    result = train(tmp_path, steps, label_smoothing=0.3)
    assert steps.losses == pytest.approx(steps.expected, rel=1e-5)
    assert len(steps.losses) == 8
    assert result.history[1]["train/loss"] == pytest.approx(sum(steps.losses[4:]) / 4, rel=1e-5)


def test_the_mean_counts_images_not_batches(tmp_path):
    steps = Steps()
    result = train(tmp_path, steps, data=Patterns(train=BATCH + 4), epochs=1)
    first, last = steps.losses
    assert first != last
    expected = (BATCH * first + 4 * last) / (BATCH + 4)
    assert result.history[0]["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_balanced_weights_come_from_the_data(tmp_path):
    class Balanced(Steps):
        def weights(self):
            return torch.tensor([60 / (3 * 10), 60 / (3 * 30), 60 / (3 * 20)])

    steps = Balanced()
    train(tmp_path, steps, data=Counted(), class_weights="balanced")
    assert steps.losses == pytest.approx(steps.expected, rel=1e-5)


def test_training_fills_the_buffers_that_no_checkpoint_holds(tmp_path):
    class Emptied(Steps):
        def on_fit_start(self, trainer, pl_module):  # as a strategy does by ``to_empty``
            saved = pl_module.state_dict()
            unsaved = [b for name, b in pl_module.named_buffers() if name not in saved]
            assert len(unsaved) == 2
            for buffer in unsaved:
                buffer.fill_(float("nan"))

        def weights(self):
            return torch.tensor([60 / (3 * 10), 60 / (3 * 30), 60 / (3 * 20)])

    steps = Emptied()
    result = train(tmp_path, steps, data=Counted(), class_weights="balanced")
    assert steps.losses == pytest.approx(steps.expected, rel=1e-5)
    assert result.history[0]["train/loss"] == pytest.approx(
        sum(steps.losses[: len(steps.losses) // 2]) / (len(steps.losses) // 2), rel=1e-5
    )


def test_balanced_weights_average_to_one_over_the_images():
    counts = [5, 0, 20, 75]
    weights = balanced_weights(counts)
    assert sum(n * w for n, w in zip(counts, weights, strict=True)) == pytest.approx(100)
    assert weights[1] == 0 and weights[0] == 4 * weights[2]
    assert balanced_weights([7, 7]) == [1.0, 1.0]


def test_balanced_without_counts_and_other_classes_than_the_data_are_refused(tmp_path):
    with pytest.raises(InputError, match="needs a data module with class_counts"):
        train(tmp_path / "a", class_weights="balanced")
    with pytest.raises(InputError, match="num_classes 4 does not fit the data's 3"):
        train(tmp_path / "b", data=Counted(), network=variant(4))


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_classes", 2), ("nb_classes", 5), ("classes", ["a", "b"]), ("class_names", tuple("abcd"))],
)
def test_other_words_for_the_number_of_classes_are_compared_too(tmp_path, name, value):
    data = Patterns()
    setattr(data, name, value)
    count = value if isinstance(value, int) else len(value)
    with pytest.raises(InputError, match=f"not fit the data's {count} classes .{name} of the data"):
        train(tmp_path, data=data)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((10, 30), "2 numbers for num_classes 3"),
        ((10, -1, 5), "at least 0"),
        ((0, 0, 0), "one of them above 0"),
        ((10, 30, 0), "class 2 has no train image, but"),
    ],
)
def test_counts_that_cannot_be_those_of_the_images_are_refused(tmp_path, counts, message):
    data = Counted()
    data.class_counts = counts
    with pytest.raises(InputError, match=message):
        train(tmp_path, data=data, class_weights="balanced")


def test_a_class_without_train_images_keeps_its_share_of_the_smoothing(tmp_path):
    class Balanced(Steps):
        def weights(self):
            return torch.tensor([40 / (2 * 10), 40 / (2 * 30), 0.0])

    data, steps = Counted(), Balanced()
    images, labels = data.parts["train"].tensors
    data.parts["train"] = TensorDataset(images[labels < 2], labels[labels < 2])
    data.class_counts = (10, 30, 0)
    train(tmp_path, steps, data=data, class_weights="balanced", label_smoothing=0.3)
    assert steps.losses == pytest.approx(steps.expected, rel=1e-5)


@pytest.mark.parametrize("classes", [0, 1])
def test_fewer_than_two_classes_are_refused(tmp_path, classes):
    with pytest.raises(InputError, match=f"num_classes {classes} leaves nothing to tell apart"):
        train(tmp_path, network=variant(classes))
    with pytest.raises(InputError, match=f"num_classes {classes}"):
        Classifier(variant(classes).to_dict(), Recipe().to_dict())


def test_class_weights_of_another_number_are_refused():
    with pytest.raises(InputError, match="class weights: 2 numbers for num_classes 3"):
        Classifier(variant().to_dict(), Recipe().to_dict(), [1.0, 2.0])


@pytest.mark.parametrize("warmup", [0.5, 2])
def test_the_learning_rate_of_every_step_is_the_schedules(tmp_path, warmup):
    steps = Steps()
    train(tmp_path, steps, warmup_epochs=warmup)
    recipe = Recipe(epochs=2, batch_size=BATCH, warmup_epochs=warmup)
    expected = [learning_rate(step, recipe, 4) for step in range(8)]
    assert [rates[0] for rates in steps.rates] == pytest.approx(expected)
    assert all(len(set(rates)) == 1 and len(rates) == 2 for rates in steps.rates)


def test_gradients_are_clipped_to_the_norm_and_only_where_asked(tmp_path):
    clipped, free = Steps(), Steps()
    train(tmp_path / "a", clipped, gradient_clip=0.01)
    train(tmp_path / "b", free, gradient_clip=0)
    assert max(clipped.norms) <= 0.01 * 1.001
    assert min(free.norms) > 0.01


@pytest.mark.parametrize("zero_init_residual", [True, False])
def test_the_recipe_says_where_norms_behind_mixers_start(zero_init_residual):
    stage = {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["conv"], "norm": "post"}
    recipe = Recipe(zero_init_residual=zero_init_residual).to_dict()
    block = Classifier(variant(stages=[stage]).to_dict(), recipe).model.layers[0].blocks[0]
    assert (block.norm1.weight == 1 - zero_init_residual).all()


def test_drop_path_reaches_the_model_and_acts_in_training_only():
    module = Classifier(variant().to_dict(), Recipe(drop_path=0.5).to_dict())
    images = torch.randn(256, 1, 4, 4)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1)  # a fresh head is close to silent
        assert not torch.equal(module.train()(images), module.train()(images))
        assert torch.equal(module.eval()(images), module.eval()(images))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_trains_and_clips_in_every_precision_of_a_cpu(tmp_path, precision):
    result = train(tmp_path, precision=precision)
    assert (result.state, result.precision) == ("complete", precision)
    assert all(math.isfinite(value) for row in result.history for value in row.values())


def test_two_classes_learn(tmp_path):
    result = train(
        tmp_path, data=Patterns(num_classes=2), network=variant(2), epochs=8, learning_rate=0.01
    )
    assert result.metrics["val/accuracy"] > 0.8
    assert result.metrics["val/auroc"] > result.history[0]["val/auroc"] - 0.2
    assert "val/top5" not in result.metrics


def test_lightning_reads_the_checkpoint_without_running_code(tmp_path):
    result = train(tmp_path, data=Counted(), class_weights="balanced", drop_path=0.2)
    module = Classifier.load_from_checkpoint(result.checkpoint, weights_only=True)
    assert module.recipe.drop_path == 0.2
    assert module.variant == variant()
    images = torch.randn(2, 1, 4, 4)
    again = Classifier.load_from_checkpoint(result.checkpoint, weights_only=True)
    assert torch.equal(module.eval()(images), again.eval()(images))


def test_works_under_a_plain_trainer(tmp_path):
    module = Classifier(variant().to_dict(), Recipe(epochs=1, batch_size=BATCH).to_dict())
    with quiet():
        trainer = L.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(module, datamodule=Patterns())
    assert {"train/loss", "val/loss", "val/accuracy"} <= set(trainer.callback_metrics)


@pytest.mark.filterwarnings("ignore:Total length of")  # Lightning's, before our error
def test_a_loader_without_a_length_or_without_a_batch_is_refused(tmp_path):
    with pytest.raises(InputError, match="gives no batch"):
        train(tmp_path, data=Patterns(train=0))

    class Endless(Patterns):
        def train_dataloader(self):
            class Stream(torch.utils.data.IterableDataset):
                def __iter__(self):
                    yield from ()

            return DataLoader(Stream(), BATCH)

    with pytest.raises(InputError, match="the train loader has no length"):
        train(tmp_path, data=Endless())

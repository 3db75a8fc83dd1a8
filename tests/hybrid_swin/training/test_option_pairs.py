"""Recipe options together: every pair of them against a training in slow, obvious loops.

The options that touch the loss, the optimiser, the schedule or the sampler are set in rows such
that each two values of two options meet in one row; each row is trained twice.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.seeding import seed_all
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.classifier import Classifier
from hybrid_swin.training.fit import evaluate, fit, load_classifier
from hybrid_swin.training.loss import balanced_weights, classification_loss

SEED, PEAK = 3, 3e-3
OPTIONS = {
    "class_weights": ["none", "balanced"],
    "label_smoothing": [0.0, 0.3],
    "gradient_clip": [0.0, 0.2],
    "weight_decay": [0.0, 3.0],
    "warmup_epochs": [0.0, 0.6, 50.0],  # none, part of an epoch, longer than the training
    "min_learning_rate": [0.0, PEAK],
    "batch_size": [6, 7, 1000, 1],  # a last one of one image, a part, everything, one image
    "drop_path": [0.0, 0.4],
    "shift": [0, 1],
    "flip": ["none", "horizontal"],
    "precision": ["32-true", "bf16-mixed"],
    "weight_init": ["trunc_normal", "lecun_normal"],
    "schedule": ["cosine", "linear"],
    "layer_decay": [1.0, 0.6],
    "ema": [0.0, 0.5],
    "accumulate_batches": [1, 3],
    "epoch_images": [0, 13],
    "train_images": [0, 15],
}
IN_DATA = ("epoch_images", "train_images")
LABELS = [0] * 17 + [1] * 5 + [2] * 2


def rows():
    """Settings in which each two values of two options meet, drawn greedily."""
    missing = {
        ((a, x), (b, y))
        for a, b in itertools.combinations(OPTIONS, 2)
        for x in OPTIONS[a]
        for y in OPTIONS[b]
    }
    found = []
    while missing:
        row = {}
        for name, values in OPTIONS.items():
            news = [
                sum({(name, value), *row.items()} >= set(pair) for pair in missing)
                + sum((name, value) in pair for pair in missing) / 1000
                for value in values
            ]
            row[name] = values[int(np.argmax(news))]
        missing -= {pair for pair in missing if set(row.items()) >= set(pair)}
        found.append(row)
    return found


VARIANT = Variant.from_dict(
    {
        "image_size": 4,
        "in_channels": 1,
        "num_classes": 3,
        "patch_size": 2,
        "window_size": 2,
        "stages": [
            {"width": 8, "depth": 2, "num_heads": 2, "blocks": ["w_msa(attention=cosine)", "xca"]}
        ],
    }
)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """A few images of three classes of unequal size, in one file."""
    random = np.random.default_rng(0)
    parts = {}
    for split, labels in (("train", LABELS), ("val", [0, 1, 2]), ("test", [0, 1, 2])):
        images = random.normal(size=(len(labels), 4, 4, 1)) + np.array(labels)[:, None, None, None]
        parts |= {f"{split}_images": images.astype(np.float32), f"{split}_labels": labels}
    path = tmp_path_factory.mktemp("arrays") / "few.npz"
    np.savez(path, **parts)
    return path


def make_data(path, batch_size, **changes):
    settings = DataSettings(source="npz", options={"path": str(path)}, **changes)
    data = make_datamodule(settings, VARIANT, batch_size, SEED)
    data.setup("fit")
    return data


def slow_training(recipe, data, epoch_images):
    """The network after the documented training, and the mean loss of each epoch."""
    seed_all(SEED, "start")
    model = HybridSwin(VARIANT, recipe.drop_path, recipe.weight_init).train()
    exempt = model.no_weight_decay()
    first = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    second = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    train = data.splits.train.tolist()
    weights = [1.0] * 3
    if recipe.class_weights == "balanced":
        held = [data.images.labels[train].tolist().count(k) for k in range(3)]
        weights = [len(train) / (3 * count) for count in held]
    layer = {name: 0 if name[:5] == "patch" else 3 if name[:4] == "head" else 2 for name in first}
    layer |= {name: 1 for name in first if "blocks.0" in name}
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    step, losses = 0, []
    for epoch in range(recipe.epochs):
        order = np.random.default_rng((SEED, epoch)).permutation(len(train)).tolist()
        order = order[: epoch_images or len(train)]
        batches = [
            order[i : i + recipe.batch_size] for i in range(0, len(order), recipe.batch_size)
        ]
        if len(batches) > 1 and len(batches[-1]) == 1 and recipe.batch_size > 2:
            batches[-1].insert(0, batches[-2].pop())
        seed_all(SEED, "epoch", epoch)
        sum_of_losses = 0.0
        every = recipe.accumulate_batches
        for group in [batches[i : i + every] for i in range(0, len(batches), every)]:
            gradients = [torch.zeros_like(p) for p in first.values()]
            for batch in group:
                chosen = [train[i] for i in batch]
                images = slow_images(data, chosen, recipe)
                labels = data.images.labels[chosen].tolist()
                mixed = recipe.precision == "bf16-mixed"
                with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                    logits = model(images).float()
                loss = slow_loss(logits, labels, recipe.label_smoothing, weights)
                sum_of_losses += loss.item() * len(batch)
                parts = torch.autograd.grad(loss, [*model.parameters()], materialize_grads=True)
                gradients = [g + p / len(group) for g, p in zip(gradients, parts, strict=True)]
            norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
            factor = 1.0
            if recipe.gradient_clip:
                factor = min(1.0, recipe.gradient_clip / norm)
            peak = slow_rate(step, math.ceil(len(batches) / every), recipe)
            step += 1
            with torch.no_grad():
                for (name, p), gradient in zip(model.named_parameters(), gradients, strict=True):
                    rate = peak * recipe.layer_decay ** (3 - layer[name])
                    if p.ndim > 1 and name not in exempt:
                        p.sub_(rate * recipe.weight_decay * p)
                    first[name] = 0.9 * first[name] + 0.1 * factor * gradient
                    second[name] = 0.999 * second[name] + 0.001 * (factor * gradient) ** 2
                    mean = first[name] / (1 - 0.9**step)
                    root = (second[name] / (1 - 0.999**step)).sqrt()
                    p.sub_(rate * mean / (root + 1e-8))
                    average[name] = recipe.ema * average[name] + (1 - recipe.ema) * p
        losses.append(sum_of_losses / len(order))
    model.load_state_dict(average)
    return model.eval(), losses


def slow_images(data, chosen, recipe):
    """Normalised by the train split, then shifted and mirrored a pixel at a time."""
    source, train = data.images.images[..., 0], data.images.images[data.splits.train]
    mean, std = train.astype(np.float64).mean(), train.astype(np.float64).std()
    count, side = len(chosen), 4
    mirrored = [False] * count
    if recipe.flip == "horizontal":
        mirrored = (torch.rand(count, 1) < 0.5)[:, 0].tolist()
    down, right = [0] * count, [0] * count
    if recipe.shift:
        down, right = torch.randint(-recipe.shift, recipe.shift + 1, (2, count, 1))[..., 0].tolist()
    out = torch.empty(count, 1, side, side)
    for i, y, x in itertools.product(range(count), range(side), range(side)):
        row = min(max(y + down[i], 0), side - 1)
        column = min(max((side - 1 - x if mirrored[i] else x) + right[i], 0), side - 1)
        out[i, 0, y, x] = (source[chosen[i], row, column] - mean) / std
    return out


def slow_loss(logits, labels, smoothing, weights):
    """Each image's weight times its loss to a target of 1 - s + s / K and s / K."""
    total = torch.zeros((), dtype=torch.float64)
    for image, label in zip(logits.double(), labels, strict=True):
        for k, log_probability in enumerate(image - image.exp().sum().log()):
            target = (1 - smoothing) * (k == label) + smoothing / len(image)
            total -= weights[label] * target * log_probability
    return total / len(labels)


def slow_rate(step, steps_per_epoch, recipe):
    warm = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warm:
        share = step / warm
        return share * recipe.learning_rate + (1 - share) * recipe.warmup_learning_rate
    done = (step - warm) / (recipe.epochs * steps_per_epoch - warm)
    span = recipe.learning_rate - recipe.min_learning_rate
    if recipe.schedule == "linear":
        return recipe.learning_rate - span * done
    return recipe.min_learning_rate + span * (1 + math.cos(math.pi * done)) / 2


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(map(str, row.values())))
def test_every_pair_of_options_trains_as_written(arrays, tmp_path, row):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fields = {name: value for name, value in row.items() if name not in IN_DATA}
    recipe = Recipe(epochs=2, learning_rate=PEAK, **fields)
    data = make_data(arrays, recipe.batch_size, **{name: row[name] for name in IN_DATA})
    result = fit(VARIANT, recipe, data, seed=SEED, folder=tmp_path, accelerator="cpu")
    expected, losses = slow_training(recipe, data, row["epoch_images"])
    torch.set_num_threads(threads)
    assert [e["train/loss"] for e in result.history] == pytest.approx(losses, rel=1e-3)
    images = slow_images(data, list(range(len(LABELS))), Recipe())
    seed_all(SEED, "start")
    untrained = HybridSwin(VARIANT, 0.0, recipe.weight_init).eval()
    with torch.no_grad():
        wanted = expected(images)
        moved = (wanted - untrained(images)).abs().max()
        error = (load_classifier(result.checkpoint).eval()(images) - wanted).abs().max()
    assert moved > 1e-4 and error < 0.01 * moved


def test_each_two_values_meet_in_a_row():
    found = rows()
    for a, b in itertools.combinations(OPTIONS, 2):
        assert {(row[a], row[b]) for row in found} == {*itertools.product(OPTIONS[a], OPTIONS[b])}
    assert len(found) <= 20


@pytest.mark.parametrize(("classes", "imbalance"), [(2, 1), (2, 20), (2, 40), (10, 100)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_best_answer_does_not_depend_on_the_imbalance(classes, imbalance, smoothing):
    """One free answer a class, as where classes can be told apart: the optimum in closed form."""
    labels = torch.tensor([0] * imbalance + list(range(1, classes)))
    weights = torch.tensor(balanced_weights(torch.bincount(labels).tolist()))
    right = 1 - smoothing + smoothing / classes
    answers = torch.full((classes, classes), smoothing / classes or 1e-9).double()
    answers.fill_diagonal_(right)
    logits = answers.log().requires_grad_()
    loss = classification_loss(logits[labels], labels, smoothing, weights.double())
    loss.backward()
    assert logits.grad.abs().max() < 1e-7  # the loss is convex in the logits: this is its minimum
    # The weights have mean 1 and each class has the same share of them.
    entropy = -sum(p * math.log(p) for p in [right, *[smoothing / classes] * (classes - 1)] if p)
    assert loss.item() == pytest.approx(entropy, abs=1e-6)


def test_an_epochs_mean_loss_is_the_splits_whatever_the_batches():
    """Weights survive batches of one image, of one class and a last part."""
    torch.manual_seed(0)
    labels = torch.tensor(LABELS)
    logits, weights = torch.randn(len(LABELS), 3), torch.tensor(balanced_weights([17, 5, 2]))
    whole = classification_loss(logits, labels, 0.1, weights).item()
    of = [labels == k for k in (0, 1, 2)]
    by_class = [classification_loss(logits[own], labels[own], 0.1) for own in of]
    assert whole == pytest.approx(sum(by_class).item() / 3, rel=1e-5)
    for size in (1, 7):
        parts = zip(logits.split(size), labels.split(size), strict=True)
        total = sum(classification_loss(x, y, 0.1, weights).item() * len(y) for x, y in parts)
        assert total / len(labels) == pytest.approx(whole, rel=1e-5)


def test_rare_bright_images_are_learned(tmp_path):
    """Separable by brightness, 40 to 1, weighted and smoothed: both classes are answered."""
    random = np.random.default_rng(0)
    parts = {}
    for split, (dark, bright) in (("train", (400, 10)), ("val", (80, 2)), ("test", (80, 2))):
        labels = np.array([0] * dark + [1] * bright)
        level = np.where(labels == 1, 170, 60)[:, None, None, None]
        images = level + random.integers(0, 40, (len(labels), 4, 4, 1))
        parts |= {f"{split}_images": images.astype(np.uint8), f"{split}_labels": labels}
    np.savez(tmp_path / "bright.npz", **parts)
    variant = Variant.from_dict(VARIANT.to_dict() | {"num_classes": 2})
    recipe = Recipe(
        epochs=6, learning_rate=5e-3, class_weights="balanced", label_smoothing=0.1,
        precision="32-true",
    )  # fmt: skip
    settings = DataSettings(source="npz", options={"path": str(tmp_path / "bright.npz")})
    data = make_datamodule(settings, variant, recipe.batch_size, SEED)
    result = fit(variant, recipe, data, seed=SEED, folder=tmp_path / "run", accelerator="cpu")
    assert result.metrics["val/balanced_accuracy"] > 0.95
    assert result.metrics["val/accuracy"] > 0.95
    test = evaluate(result.checkpoint, data, "test", accelerator="cpu")
    assert test.metrics["test/balanced_accuracy"] > 0.95


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.0, 0.0, 0.0], "one of them above 0"),
        ([1.0, -1.0, 1.0], "at least 0"),
        ([1.0, math.nan, 1.0], "must be numbers"),
        ([1.0, math.inf, 1.0], "must be numbers"),
    ],
)
def test_weights_that_cannot_weigh_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        Classifier(VARIANT.to_dict(), Recipe().to_dict(), weights)

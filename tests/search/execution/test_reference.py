"""The reference: against scikit-learn used plainly, on real and on awkward images."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.variant import Variant
from search.execution import reference
from search.execution.reference import fit_reference
from search.execution.reference_size import count_parameters, reduced_size


def variant(size=8, channels=1, classes=10):
    stage = {"width": 8, "depth": 1, "num_heads": 1, "blocks": ["conv"]}
    return Variant.from_dict(
        {
            "image_size": size,
            "in_channels": channels,
            "num_classes": classes,
            "patch_size": 1,
            "stages": [stage],
        }
    )


@pytest.fixture
def images(tmp_path):
    """Images of a file of our own, as a data module."""

    def make(arrays, **options):
        np.savez(tmp_path / "set.npz", **arrays)
        settings = DataSettings("npz", {"path": str(tmp_path / "set.npz")})
        data = ImageData(settings, variant(**options), 16, seed=0)
        data.setup()
        return data

    return make


def split(count, classes, size, seed, channels=1):
    """Images whose class stands in one pixel, brightly."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = rng.integers(0, 60, (count, *size, channels), dtype=np.uint8)
    pixels.reshape(count, -1)[np.arange(count), labels * channels] = 255
    return pixels, labels


def arrays(classes, size, channels=1, counts=(60, 30, 30)):
    made = {}
    for seed, (name, count) in enumerate(zip(("train", "val", "test"), counts, strict=True)):
        pixels, labels = split(count, classes, size, seed, channels)
        made |= {f"{name}_images": pixels, f"{name}_labels": labels}
    return made


@pytest.fixture(scope="module")
def digits():
    data = ImageData(DataSettings(), variant(), 256, seed=0)
    data.setup()
    return data, fit_reference(data, "val/accuracy")


def test_digits_are_nearly_solved(digits):
    data, fitted = digits
    assert fitted.score == fitted.validation["val/accuracy"] > 0.9
    assert fitted.reading.metrics["test/accuracy"] > 0.9
    assert fitted.reading.logits.shape == (len(data.splits.test), 10)
    assert list(fitted.reading.labels) == list(data.images.labels[data.splits.test])


def test_it_is_the_best_of_scikit_learns_by_validation(digits):
    data, fitted = digits

    def pixels(which):
        images = data.images.images[which].reshape(len(which), -1)
        x = images / (255 if images.dtype == np.uint8 else 1)
        return ((x - data.mean[0]) / data.std[0]).astype(np.float32), data.images.labels[which]

    train, validation, test = (
        pixels(which) for which in (data.splits.train, data.splits.validation, data.splits.test)
    )
    models = [LogisticRegression(C=c, max_iter=500) for c in (0.001, 0.01, 0.1, 1.0)]
    for model in models:
        model.fit(*train)
    scores = [model.score(*validation) for model in models]
    assert len(set(scores)) > 1
    assert fitted.score == pytest.approx(max(scores), abs=1e-6)
    best = models[int(np.argmax(scores))]
    assert fitted.reading.metrics["test/accuracy"] == pytest.approx(best.score(*test), abs=5e-3)


def test_the_answers_are_log_probabilities(digits):
    _, fitted = digits
    probabilities = np.exp(fitted.reading.logits).sum(axis=1)
    np.testing.assert_allclose(probabilities, 1, atol=1e-4)


@pytest.mark.parametrize("monitor", ["val/loss", "val/f1", "val/top5", "val/auroc"])
def test_the_score_is_the_objective(digits, monitor):
    data, _ = digits
    fitted = fit_reference(data, monitor)
    assert fitted.score == fitted.validation[monitor]


def test_an_objective_that_it_cannot_tell_gives_no_score(images):
    data = images(arrays(3, (4, 4)), size=4, classes=3)
    assert fit_reference(data, "val/top5").score is None


def test_a_class_that_was_not_seen_is_never_the_answer():
    """As may happen where some of many images are taken."""
    pixels = np.eye(4, dtype=np.float32)
    model = LogisticRegression().fit(pixels, [0, 2, 0, 2])
    logits = reference._logits(model, pixels, classes=4)
    assert logits.shape == (4, 4)
    assert (logits[:, [1, 3]] == -30).all()
    assert list(logits.argmax(axis=1)) == [0, 2, 0, 2]


def test_a_probability_of_nothing_is_no_infinity(images, monkeypatch):
    """So far apart that a probability underflows."""
    content = arrays(2, (4, 4))
    data = images(content, size=4, classes=2)
    monkeypatch.setattr(reference, "_REGULARISATIONS", (1e12,))
    fitted = fit_reference(data, "val/loss")
    assert np.isfinite(fitted.reading.logits).all()


@pytest.mark.parametrize(
    ("size", "reduced"),
    [
        ((8, 8), (8, 8)),
        ((32, 32), (32, 32)),
        ((33, 33), (32, 32)),
        ((64, 32), (32, 16)),
        ((224, 224), (32, 32)),
        ((1, 640), (1, 32)),
        ((640, 3), (32, 1)),
    ],
)
def test_large_images_are_averaged_down(size, reduced):
    assert reduced_size(size) == reduced


@pytest.mark.parametrize(
    ("size", "channels", "classes"), [((8, 8), 1, 10), ((4, 6), 3, 3), ((64, 40), 1, 2)]
)
def test_parameters_are_counted(images, monkeypatch, size, channels, classes):
    fitted = []
    real = LogisticRegression.fit

    def fit(model, *data):
        fitted.append(real(model, *data))
        return model

    monkeypatch.setattr(LogisticRegression, "fit", fit)
    data = images(
        arrays(classes, size, channels), size=list(size), channels=channels, classes=classes
    )
    fit_reference(data, "val/accuracy")
    counted = fitted[0].coef_.size + fitted[0].intercept_.size
    assert counted == count_parameters(size, channels, classes)


def test_of_many_images_some_are_enough(images, monkeypatch):
    monkeypatch.setattr(reference, "_MOST_IMAGES", 20)
    seen = []
    real = LogisticRegression.fit

    def fit(model, pixels, labels):
        seen.append(len(labels))
        return real(model, pixels, labels)

    monkeypatch.setattr(LogisticRegression, "fit", fit)
    data = images(arrays(3, (4, 4)), size=4, classes=3)
    torch.manual_seed(0)
    fitted = fit_reference(data, "val/accuracy")
    assert set(seen) == {32}  # whole batches of 16
    assert len(fitted.reading.labels) == 30  # but all of the test split

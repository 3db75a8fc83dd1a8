"""The generator against its definition, image by image and over all draws."""

import hashlib
from collections import Counter
from itertools import product
from math import prod

import numpy as np
import pytest

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import constellation
from hybrid_swin.data.sources.constellation import ConstellationSource
from hybrid_swin.errors import InputError


def slow_image(source, split, index):
    """One image by the definition: a fresh generator, one cell after the other."""
    layout, many = source.layout, source.layout.constellations
    word = source.seed << 8 | ("train", "validation", "test").index(split)
    rng = np.random.Generator(np.random.Philox(key=np.array([word, index], np.uint64)))
    blocks, y = layout.side**2, index % 2
    where = rng.random((many, 2))
    bits = rng.random((many, blocks))
    flips = rng.random((many, 2, 2, blocks))
    signs = rng.random((many, 2, 2, blocks))
    side, c = layout.grid * source.cell, source.cell
    image = np.zeros((side, side))
    root = round(many**0.5)
    for m in range(many):
        oy, ox = (
            layout.margin + layout.room * part + int(where[m, axis] * layout.places)
            for axis, part in enumerate(divmod(m, root))
        )
        for k, (dy, dx) in enumerate(product(range(layout.side), repeat=2)):
            a = 1 if bits[m, k] < 0.5 else -1
            for u, v in product((0, 1), repeat=2):
                value = a * (1 - 2 * (u if y == 0 else v))
                value *= -1 if flips[m, u, v, k] < source.flip else 1
                sign = -1 if source.polarity and signs[m, u, v, k] >= 0.5 else 1
                top, left = oy + dy + u * layout.reach, ox + dx + v * layout.reach
                for py, px in product(range(c), repeat=2):
                    turn = px if value > 0 else py
                    stripe = source.amplitude * sign * (-1) ** turn
                    image[top * c + py, left * c + px] = stripe
    noise = rng.standard_normal((side, side), dtype=np.float32)
    return image + source.noise * noise


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"grid": 14, "reach": 3, "side": 2, "constellations": 4, "margin": 2, "seed": 3},
        {"cell": 4, "reach": 5, "side": 3, "flip": 0.3, "polarity": True, "amplitude": 0.5},
    ],
)
def test_images_are_those_of_the_definition(options):
    source = ConstellationSource(**options)
    for split, indices in (("train", [5, 0, 70]), ("test", [2, 2, 3])):
        images, labels = source.images(split, np.array(indices))
        assert labels.tolist() == [index % 2 for index in indices]
        slow = [slow_image(source, split, index) for index in indices]
        np.testing.assert_allclose(images, slow, atol=1e-6)


def test_an_image_depends_on_seed_split_and_index_only():
    source = ConstellationSource(polarity=True)
    forwards, _ = source.images("train", np.arange(20))
    backwards, _ = source.images("train", np.arange(20)[::-1])
    alone, _ = source.images("train", np.array([7]))
    np.testing.assert_array_equal(backwards[::-1], forwards)
    np.testing.assert_array_equal(alone[0], forwards[7])
    longer = ConstellationSource(polarity=True, train=100, validation=6).images
    np.testing.assert_array_equal(longer("train", np.arange(20))[0], forwards)
    others = [source.images(split, np.arange(20))[0] for split in ("validation", "test")]
    others.append(ConstellationSource(polarity=True, seed=1).images("train", np.arange(20))[0])
    every = [image.tobytes() for part in (forwards, *others) for image in part]
    assert len(set(every)) == 80


def test_golden_cells():
    """The stream of Philox and of ``Generator.random``: a change would change every result."""
    source = ConstellationSource(flip=0.1, polarity=True, seed=11)
    cells = source.cells("validation", np.arange(64))
    digest = hashlib.sha256(cells.bits.tobytes() + cells.signs.tobytes()).hexdigest()
    assert digest[:16] == "df2c3b83bd8f402d"


def test_classes_are_exactly_balanced_and_splits_are_its_own():
    settings = DataSettings(
        "constellation", {"train": 60, "validation": 40, "test": 20, "noise": 0.0}
    )
    loaded = load_data(settings, (16, 16), 1, None)
    assert loaded.class_counts == (30, 30)
    assert loaded.images.images.shape == (120, 16, 16, 1)
    assert loaded.images.images.dtype == np.float32
    sizes = {name: getattr(loaded.splits, name) for name in ("train", "validation", "test")}
    assert {name: len(indices) for name, indices in sizes.items()} == {
        "train": 60,
        "validation": 40,
        "test": 20,
    }
    for indices in sizes.values():
        assert np.bincount(loaded.images.labels[indices]).tolist() == [len(indices) // 2] * 2
    assert loaded.mean == pytest.approx((0.0,), abs=1e-7)  # every texture sums to zero


def test_flips_come_at_their_rate():
    clean, noisy = (ConstellationSource(flip=f, seed=4) for f in (0.0, 0.2))
    indices = np.arange(4000)
    bits, flipped = (source.cells("train", indices).bits for source in (clean, noisy))
    used = bits != 0
    assert (used.sum(axis=(1, 2)) == 16).all()
    np.testing.assert_array_equal(flipped != 0, used)
    rate = (bits != flipped)[used].mean()
    assert rate == pytest.approx(0.2, abs=4 * (0.16 / 64000) ** 0.5)


def test_bits_polarity_and_places_are_fair():
    source = ConstellationSource(reach=3, side=1, polarity=True)
    cells = source.cells("train", np.arange(8000))
    used = cells.bits != 0
    for values in (cells.bits[used], cells.signs[used]):
        assert values.mean(dtype=float) == pytest.approx(0, abs=0.05)
    corner = used.reshape(8000, -1).argmax(axis=1)
    counts = np.bincount(corner, minlength=64).reshape(8, 8)
    assert (counts[:5, :5] > 0).all()
    assert counts[:5, :5].sum() == 8000
    assert np.abs(counts[:5, :5] - 320).max() < 5 * 320**0.5


# The law of windows, over all draws of small layouts


def every_draw(monkeypatch, flip, **options):
    """(cells, weight) of every draw, for both classes."""
    source = ConstellationSource(noise=0.0, flip=flip, **options)
    layout = source.layout
    places = [(i + 0.5) / layout.places for i in range(layout.places)]
    bits, cells = layout.side**2, 4 * layout.side**2
    coins = [(flip / 2, 1.0)] if flip else [(1.0,)]  # below the rate, above it
    axes = [places] * 2 + [[0.25, 0.75]] * bits + coins * cells
    rows = np.array(list(product(*axes)))
    uniform = np.concatenate([rows, np.zeros((len(rows), cells))], axis=1)
    flipped = (rows[:, -cells:] < flip).sum(axis=1)
    weights = flip**flipped * (1 - flip) ** (cells - flipped)
    monkeypatch.setattr(
        constellation.drawing, "random_numbers", lambda *_: (uniform, np.zeros((len(rows), 1, 1)))
    )
    return [(source.cells("train", np.full(len(rows), y)).bits, weights) for y in (0, 1)]


def bags(cells, window):
    """The bag of windows of each image, with empty cells around it."""
    padded = np.pad(cells, ((0, 0), (window - 1,) * 2, (window - 1,) * 2))
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(1, 2))
    return [Counter(view.tobytes() for view in image.reshape(-1, window**2)) for image in views]


def laws(draws, window):
    """For each class: the law of the bag, and the mean number of each window."""
    for cells, weights in draws:
        law, means = Counter(), Counter()
        for bag, weight in zip(bags(cells, window), weights, strict=True):
            law[frozenset(bag.items())] += weight
            for view, count in bag.items():
                means[view] += weight * count
        yield law, means


def same(first, second):
    return first.keys() == second.keys() and all(
        abs(first[key] - second[key]) < 1e-9 for key in first
    )


@pytest.mark.parametrize(
    ("options", "flip"),
    [
        ({"grid": 5, "reach": 3, "side": 1}, 0.0),
        ({"grid": 5, "reach": 3, "side": 1}, 0.2),
        ({"grid": 6, "reach": 3, "side": 2}, 0.0),
        ({"grid": 7, "reach": 4, "side": 2}, 0.0),
    ],
)
def test_windows_tell_nothing_up_to_where_theory_says(monkeypatch, options, flip):
    draws = every_draw(monkeypatch, flip, **options)
    assert prod(draws[0][0].shape) < 10**6
    reach, side = options["reach"], options["side"]
    for window in range(1, reach + 2):
        (law0, means0), (law1, means1) = laws(draws, window)
        assert same(means0, means1) == (window <= reach)
        if window <= reach - side + 1:
            assert same(law0, law1)
        elif window > reach:
            assert not same(law0, law1)


def test_two_blocks_in_a_window_without_a_pair_already_change_the_law(monkeypatch):
    """Between the two: equal means of every local feature, and yet not the same law."""
    draws = every_draw(monkeypatch, 0.0, grid=6, reach=3, side=2)
    (law0, means0), (law1, means1) = laws(draws, 3)
    assert same(means0, means1)
    assert not same(law0, law1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": 3}, "cell must be an even number"),
        ({"flip": 0.6}, "flip must be a number from 0 to 0.5; got 0.6"),
        ({"flip": float("nan")}, "flip must be"),
        ({"noise": -1.0}, "noise must be a number of at least 0"),
        ({"train": 31}, "train must be an even number"),
        ({"test": 0}, "test must be an even number"),
        ({"seed": -1}, "seed must be"),
        ({"reach": 7}, "choose a grid of at least 9"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ConstellationSource(**options)


def test_another_size_is_refused_with_the_right_one():
    with pytest.raises(InputError, match="set image_size: 16 and in_channels: 1 in the variant"):
        ConstellationSource().load((32, 32), 3, None)


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="did you mean 'train'"):
        ConstellationSource().images("trian", np.arange(2))

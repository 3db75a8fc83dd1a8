import numpy as np
import pytest
from scipy import stats

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources.context_xor import ContextXorSource
from hybrid_swin.errors import InputError

INDICES = np.arange(6000)
LABELS = INDICES % 2


def best_accuracy(cells, p):
    """Of two majorities, each of so many cells that show the hidden sign with probability p."""
    shown = np.arange(cells + 1)
    law = stats.binom.pmf(shown, cells, p)
    return 0.5 + (law * np.sign(2 * shown - cells)).sum() ** 2 / 2


def majorities(**options):
    cells = ContextXorSource(**options).cells("train", INDICES)
    return tuple(np.sign(part.sum(axis=(1, 2), dtype=int)) for part in cells)


@pytest.mark.parametrize("count", [4, 7])
def test_the_best_guess_reaches_the_exact_accuracy_and_no_half_of_it_tells_anything(count):
    context, content = majorities(context=count, content=count, agreement=0.8)
    guess = context * content
    right = np.mean(guess == 2 * LABELS - 1) + np.mean(guess == 0) / 2
    four_errors = 4 * 0.5 / len(INDICES) ** 0.5
    assert right == pytest.approx(best_accuracy(count, 0.8), abs=four_errors)
    for half in (context, content):
        shares = [np.mean(half[y == LABELS] > 0) for y in (0, 1)]
        assert shares[0] == pytest.approx(shares[1], abs=2 * four_errors)


def test_cells_stand_anywhere_and_never_on_another():
    source = ContextXorSource(grid=4, context=5, content=6)
    context, content = source.cells("test", INDICES)
    assert ((context != 0).sum(axis=(1, 2)) == 5).all()
    assert ((content != 0).sum(axis=(1, 2)) == 6).all()
    assert not (context * content).any()
    for part, count in ((context, 5), (content, 6)):
        share = (part != 0).mean(axis=0)
        np.testing.assert_allclose(share, count / 16, atol=0.03)


def test_textures_show_kind_and_sign():
    source = ContextXorSource(grid=2, context=2, content=2, noise=0.0, amplitude=3.0)
    images, labels = source.images("train", np.arange(40))
    context, content = source.cells("train", np.arange(40))
    assert labels.tolist() == [0, 1] * 20
    for image, place in ((i, (y, x)) for i in range(40) for y in (0, 1) for x in (0, 1)):
        y, x = place
        pixels = images[image, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] / 3
        sign = context[image, y, x] or content[image, y, x]
        if context[image, y, x]:
            expected = [[sign, -sign], [-sign, sign]]
        else:
            expected = [[1, -1], [1, -1]] if sign > 0 else [[1, 1], [-1, -1]]
        assert pixels.tolist() == expected


def test_an_image_depends_on_seed_split_and_index_only():
    source = ContextXorSource()
    forwards, _ = source.images("train", np.arange(9))
    backwards, _ = source.images("train", np.arange(9)[::-1])
    np.testing.assert_array_equal(backwards[::-1], forwards)
    for other in (
        source.images("test", np.arange(9))[0],
        ContextXorSource(seed=1).images("train", np.arange(9))[0],
    ):
        assert not np.isclose(other, forwards).all(axis=(1, 2)).any()


def test_the_set_is_balanced_and_split():
    settings = DataSettings("context_xor", {"train": 40, "validation": 20, "test": 10})
    loaded = load_data(settings, (16, 16), 1, None)
    assert loaded.class_counts == (20, 20)
    splits = loaded.splits
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [40, 20, 10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 40}, "40 context and 32 content cells do not fit on 8 x 8"),
        ({"content": 0}, "must all be at least 1"),
        ({"agreement": 0.4}, "agreement must be a number from 0.5 to 1"),
        ({"cell": 1}, "cell must be an even number"),
        ({"validation": 3}, "validation must be an even number"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ContextXorSource(**options)
    with pytest.raises(InputError, match="set image_size: 16 and in_channels: 1"):
        ContextXorSource().load((8, 8), 1, None)

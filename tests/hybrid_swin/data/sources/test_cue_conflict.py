import numpy as np
import pytest

from hybrid_swin.data.sources.cue_conflict import (
    ARRANGEMENTS,
    CLASS_NAMES,
    MODES,
    CueConflictSource,
)
from hybrid_swin.data.synthetic.drawing import stripes
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry

INDEX = np.arange(60)
CLEAN = {"noise": 0.0, "purity": 1.0}


def cells(images, texture=None, cell=2):
    """Mean of each cell's pixels, or their product with a texture. (N, n, n)."""
    n = images.shape[1] // cell
    cut = images.reshape(-1, n, cell, n, cell)
    return (cut if texture is None else cut * texture[:, None, :]).mean(axis=(2, 4))


def matches(images, reach, side):
    """For each class, how well the best placed template of four blocks fits. (N, 3)."""
    bright = cells(images)
    n = bright.shape[1]
    places = n - reach - side + 1
    found = np.zeros((len(images), 3))
    for y in range(places):
        for x in range(places):
            corners = np.array(
                [
                    [
                        bright[
                            :,
                            y + u * reach : y + u * reach + side,
                            x + v * reach : x + v * reach + side,
                        ].sum(axis=(1, 2))
                        for v in (0, 1)
                    ]
                    for u in (0, 1)
                ]
            )
            fits = np.abs(np.einsum("kuv,uvn->nk", ARRANGEMENTS, corners))
            found = np.maximum(found, fits)
    return found


def energies(images):
    """How much of each class's texture there is. (N, 3)."""
    vertical, horizontal, checkerboard = stripes(2)
    textures = (horizontal, vertical, checkerboard)
    return np.stack([np.abs(cells(images, t)).sum(axis=(1, 2)) for t in textures], axis=1)


@pytest.mark.parametrize("mode", MODES)
def test_each_cue_can_be_read_where_it_is_shown(mode):
    source = CueConflictSource(mode, **CLEAN)
    images, labels = source.images("train", INDEX)
    cues = source.cues(INDEX)
    assert images.shape == (60, 16, 16)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(labels, cues.arrangement)
    if mode != "texture":
        np.testing.assert_array_equal(matches(images, 5, 3).argmax(axis=1), cues.arrangement)
    else:
        assert np.abs(cells(images)).max() == 0
    if mode != "arrangement":
        np.testing.assert_array_equal(energies(images).argmax(axis=1), cues.texture)
    else:
        assert (energies(images).argmax(axis=1) == cues.texture).mean() < 0.6
    if mode == "conflict":
        assert (cues.texture != cues.arrangement).all()
    else:
        np.testing.assert_array_equal(cues.texture, cues.arrangement)


def test_classes_and_pairs_are_balanced():
    cues = CueConflictSource("conflict").cues(INDEX)
    pairs, counts = np.unique(cues.arrangement * 3 + cues.texture, return_counts=True)
    assert len(pairs) == 6
    assert set(counts) == {10}


def test_an_image_depends_on_seed_split_and_index_alone():
    source = CueConflictSource(seed=5)
    images, labels = source.images("validation", INDEX)
    some, few = source.images("validation", INDEX[[40, 3]])
    np.testing.assert_array_equal(some, images[[40, 3]])
    np.testing.assert_array_equal(few, labels[[40, 3]])
    for other in (
        CueConflictSource(seed=6).images("validation", INDEX),
        source.images("test", INDEX),
    ):
        assert (other[0] != images).mean() > 0.99
    # the modes differ in their cues, not in their noise or places
    conflict, _ = CueConflictSource("conflict", seed=5).images("validation", INDEX)
    np.testing.assert_allclose(cells(conflict), cells(images), atol=1e-6)


def test_purity_is_the_share_of_cells():
    images, _ = CueConflictSource("texture", noise=0, purity=0.5).images("train", np.arange(600))
    vertical, horizontal, checkerboard = stripes(2)
    shown = np.stack([np.abs(cells(images, t)) for t in (horizontal, vertical, checkerboard)])
    np.testing.assert_allclose(np.unique(shown), [0, 0.5])
    share = (shown > 0).mean(axis=(2, 3))  # (texture, image)
    own = share[INDEX % 3, INDEX]
    assert own.mean() == pytest.approx(0.5, abs=0.02)
    others = [share[(INDEX + k) % 3, INDEX].mean() for k in (1, 2)]
    assert others == pytest.approx([0.25, 0.25], abs=0.02)


def test_one_block_alone_says_nothing_of_the_arrangement():
    source = CueConflictSource("arrangement", grid=6, reach=4, side=2, noise=0, amplitude=0)
    images, labels = source.images("train", np.arange(3000))  # a square at one place only
    bright = cells(images)
    for y, x in [(0, 0), (0, 4), (4, 0), (4, 4)]:
        means = [bright[labels == k, y, x].mean() for k in range(3)]
        np.testing.assert_allclose(means, 0, atol=0.1)
        assert set(np.unique(bright[:, y, x])) == {-1, 1}


def test_it_loads_as_a_source():
    source = CueConflictSource(train=12, validation=6, test=6)
    images = source.load((16, 16), 1, None)
    assert images.images.shape == (24, 16, 16, 1)
    assert images.class_names == CLASS_NAMES
    assert images.splits == ("train",) * 12 + ("validation",) * 6 + ("test",) * 6
    assert images.ids[12] == "validation/0"
    np.testing.assert_array_equal(np.bincount(images.labels), [8, 8, 8])
    entry = registry.describe("data source", "cue_conflict")
    assert entry.options["mode"].choices == MODES
    with pytest.raises(InputError, match="set image_size: 16 and in_channels: 1"):
        source.load((32, 32), 3, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "agreed"}, "did you mean 'agree'"),
        ({"side": 6}, "cue_conflict: side 6 is above reach 5"),
        ({"cell": 3}, "cue_conflict: cell must be an even number"),
        ({"purity": 0.3}, "cue_conflict: purity must be above 1/3"),
        ({"brightness": -1.0}, "brightness must be at least 0"),
        ({"validation": 10}, "validation must be a multiple of 6"),
    ],
)
def test_what_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        CueConflictSource(**options)

"""Sizes of networks for images of every size."""

import pytest

from hybrid_swin.cost import count_cost
from search.launch.proposal.images import ImageSizes
from search.launch.proposal.network import BASELINES, WORDS, network_sizes
from search.space.space import Space


def networks(size, fixed=False, largest=64, widest=48, channels=3):
    return network_sizes(ImageSizes("folder", {}, size, fixed, channels), 5, largest, widest)


@pytest.mark.parametrize(
    ("size", "image", "patch", "window"),
    [
        ((3, 3), (4, 4), 1, 2),
        ((8, 8), (8, 8), 1, 4),
        ((28, 28), (28, 28), 2, 7),
        ((32, 32), (32, 32), 2, 4),
        ((50, 50), (48, 48), 4, 6),
        ((3000, 4000), (64, 96), 4, 4),
        ((480, 640), (64, 96), 4, 4),
        ((600, 700), (64, 64), 4, 4),
        ((45, 60), (40, 40), 4, 5),
        ((200, 300), (64, 96), 4, 4),
        ((300, 200), (96, 64), 4, 4),
        ((64, 6400), (64, 192), 4, 4),
    ],
)
def test_image_size_patch_and_window(size, image, patch, window):
    largest = networks(size)[0]
    assert (largest.image_size, largest.patch, largest.window) == (image, patch, window)
    grain = patch * window * 2
    assert all(side % grain == 0 for side in image)


def sized(size, *proportions):
    return ImageSizes("folder", {"path": "x"}, size, False, 3, proportions)


def test_the_shape_follows_all_images():
    turned = sized((560, 560), *[4 / 3] * 5, *[3 / 4] * 5)
    assert network_sizes(turned, 5, 64, 48)[0].image_size == (64, 64)
    wide = sized((480, 640), *[2.0] * 9, 1.0)
    assert network_sizes(wide, 5, 64, 48)[0].image_size == (64, 128)


@pytest.mark.parametrize(
    ("proportions", "resize"),
    [((1.0, 1.0), None), ((1.1, 0.91), None), ((1.0, 1.2), "squash"), ((0.1, 10.0), "squash")],
)
def test_images_are_cropped_only_if_none_loses_more_than_a_tenth(proportions, resize):
    fitted = sized((100, 100), *proportions).fitted((64, 64))
    assert fitted.options.get("resize") == resize


@pytest.mark.parametrize("size", [(8, 8), (30, 30), (100, 60), (3, 3), (224, 224)])
def test_arrays_keep_their_size(size):
    assert {network.image_size for network in networks(size, fixed=True)} == {size}


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (28, 28), (64, 96), (500, 400)])
def test_every_network_on_the_way_down_can_be_built_and_holds_all_blocks(size):
    found = networks(size)
    assert [n.macs for n in found] == sorted((n.macs for n in found), reverse=True)
    for network in found:
        for word in (*WORDS, *(tuple(b["blocks"]) for b in BASELINES)):
            assert network.variant(word).stages[0].width == network.width
        space = Space(network.plain() | {"stages": network.stages()}, {})
        variant, _ = space.resolve(space.default())
        assert variant == network.variant()  # the first values are plain Swin


def test_the_space_holds_what_it_is_about():
    assert {("w_msa", "sw_msa"), ("w_msa+mdta",), ("conv+w_msa",)} <= set(WORDS)
    controls = [b["blocks"] for b in BASELINES if "control" in b.get("label", "")]
    assert ["w_msa+mdta(attention=false)"] in controls
    assert ["w_msa+pointwise"] in controls


def test_the_budget_lets_every_block_in_and_plain_swin_be_wider():
    network = next(n for n in networks((64, 64)) if n.width == 48)
    costs = [count(network, word) for word in WORDS]
    assert max(costs) <= network.most_macs <= 1.11 * max(costs)
    assert network.widths == [48, 56]
    assert count(network, WORDS[0], 56) <= network.most_macs


def count(network, word, width=None):
    return count_cost(network.variant(word, width)).macs

"""Which mixers can tell the classes, whatever their weights: theory's table, without training.

For one placement, a mean over all bit patterns of a class: the mean logits of a network differ
between the classes only if some token sees two blocks of one side. Weights are random and large, so
that what can differ does.
"""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from hybrid_swin.data.sources.constellation import ConstellationSource
from hybrid_swin.inspection.measures.reach_ceiling import variant_ceiling
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

REACHES = range(2, 7)


def network(*blocks, grid=8, depth=2):
    variant = Variant(2 * grid, 1, 2, 2, 4, 2.0, (Stage(8, depth, 2, blocks),))
    torch.manual_seed(0)
    model = HybridSwin(variant).double().eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.Linear):
            part.weight.normal_(std=part.in_features**-0.5)
    for name, table in model.named_parameters():
        if "bias_table" in name:
            table.normal_()
    return model


def images(source, place, label):
    """Every bit pattern at one place, (2 ** s², 1, H, W), by the textures of the source itself."""
    layout = source.layout
    cells = (np.array(place) + layout.corners()).reshape(4, -1, 2)
    signs = [1, -1, 1, -1] if label else [1, 1, -1, -1]
    stripes = np.array([[1.0, -1.0], [1.0, -1.0]])
    patterns = list(product((1, -1), repeat=layout.side**2))
    found = np.zeros((len(patterns), 1, 2 * layout.grid, 2 * layout.grid))
    for image, bits in zip(found, patterns, strict=True):
        for corner, sign in zip(cells, signs, strict=True):
            for (y, x), bit in zip(corner, bits, strict=True):
                texture = stripes if bit * sign > 0 else stripes.T
                image[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = texture
    return torch.from_numpy(found)


def difference(model, source, place):
    """Between the classes' mean logits at one place."""
    first, second = (model(images(source, place, label)).mean(dim=0) for label in (0, 1))
    return float((first - second).abs().max())


def test_these_are_the_images_of_the_source():
    source = ConstellationSource(reach=6, noise=0.0)  # one place only
    given, labels = source.images("train", np.arange(400))
    for label in (0, 1):
        mine = images(source, (0, 0), label)[:, 0].numpy()
        both = (mine, given[labels == label])
        found, expected = ({image.astype(np.int8).tobytes() for image in part} for part in both)
        assert found == expected


# Shares of the placements at reach 2, 3, 4, 5, 6 where the classes' means differ.
@pytest.mark.parametrize(
    ("blocks", "shares"),
    [
        (("identity",), (0, 0, 0, 0, 0)),
        (("w_msa",), (0.96, 0.75, 0, 0, 0)),
        (("w_msa", "sw_msa"), (1, 1, 1, 1, 1)),
        (("conv",), (1, 1, 1, 0, 0)),
        (("w_msa+mdta",), (1, 1, 1, 1, 1)),
        (("mdta(depthwise=false)",), (0, 0, 0, 0, 0)),
    ],
)
def test_the_classes_differ_at_as_many_places_as_theory_says(blocks, shares):
    model = network(*blocks)
    for reach, share in zip(REACHES, shares, strict=True):
        source = ConstellationSource(reach=reach)
        places = list(product(range(source.layout.places), repeat=2))
        found = np.array([difference(model, source, place) for place in places])
        assert np.mean(found > 1e-9) == pytest.approx(share)
        assert not ((found > 1e-13) & (found < 1e-9)).any()  # no doubt what is zero
        if blocks != ("mdta(depthwise=false)",):  # which sees everything and carries no position
            assert variant_ceiling(model.variant, source.layout, 2).seen == pytest.approx(share)


# At chance whatever the head: the swap that turns one class into the other changes no logit.
@pytest.mark.parametrize(
    ("blocks", "options", "invariant"),
    [
        (("identity",), {"reach": 2}, True),
        (("mdta(depthwise=false)",), {"reach": 2}, True),
        (("w_msa",), {"reach": 3}, False),
        (("w_msa",), {"reach": 4}, True),  # whole windows change places
        (("w_msa",), {"reach": 5}, False),  # tokens know their place in the window
        (("conv",), {"reach": 6}, False),  # zero padding tells of position
        (("conv",), {"reach": 6, "grid": 16, "margin": 4}, True),
        (("conv",), {"reach": 5, "grid": 16, "margin": 4}, False),  # 5 cells hold parts of two
        (("conv",), {"reach": 4, "grid": 16, "margin": 4}, False),
    ],
)
def test_the_swap_of_two_blocks(blocks, options, invariant):
    source = ConstellationSource(**options)
    layout = source.layout
    model = network(*blocks, grid=layout.grid)
    place = (layout.margin, layout.margin)
    first, second = (images(source, place, label) for label in (0, 1))
    change = (model(first) - model(second)).abs().max()
    assert (change < 1e-12) == invariant

import json

import pytest
import torch
from matplotlib.figure import Figure

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.patch_grids import orders, shuffle
from hybrid_swin.inspection.methods.patch_shuffle import PatchShuffle
from hybrid_swin.inspection.subject import make_subject


@pytest.fixture
def subject(small_swin):
    """Images whose classes are the network's own words, most of them several."""

    def build(*words, count=40, **options):
        model = small_swin(
            *words, depths=(1,), heads=(2,), image_size=16, patch_size=4, window_size=4
        )
        images = torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3)
            mean = model(images).mean(dim=0)
            model.head.fc.bias.sub_(mean)
            labels = model(images).argmax(dim=1)
        assert len(labels.unique()) > 3
        return make_subject(model, images, options.pop("labels", labels), batch_size=16, **options)

    return build


def drawn(numbers):
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    PatchShuffle().draw(numbers, figure)
    figure.canvas.draw()
    return figure


def test_a_grid_of_one_gives_identical_logits(subject):
    looked_at = subject("w_msa")
    same = shuffle(looked_at.images, orders(0, 1, range(40)), 1)
    assert torch.equal(looked_at.model(same), looked_at.model(looked_at.images))
    row = PatchShuffle("1").measure(looked_at)["rows"][0]
    assert (row["grid"], row["accuracy"], row["relative"]) == (1, 1, 1)


def test_a_bag_of_aligned_patches_loses_nothing(subject):
    bag = subject("pointwise")  # each token by itself, then their mean
    numbers = PatchShuffle().measure(bag)
    assert [row["grid"] for row in numbers["rows"]] == [1, 2, 4]
    assert [row["relative"] for row in numbers["rows"]] == [1, 1, 1]
    assert all(row["relative_low"] < 1 for row in numbers["rows"][1:])
    assert numbers["summary"] == (
        "left of the accuracy above chance: 2 x 2 patches 1.00, 4 x 4 patches 1.00"
    )
    finer = PatchShuffle("8").measure(bag)["rows"][-1]  # cuts the tokens
    assert finer["relative"] < 0.9
    drawn(numbers)


def test_what_mixes_tokens_does_lose(subject):
    conv = subject("conv")
    rows = PatchShuffle("2-4").measure(conv)["rows"]
    assert rows[-1]["relative"] < 1
    grid = 4
    model, images = conv.model, conv.images
    right = model(shuffle(images, orders(0, grid, range(40)), grid)).argmax(dim=1) == conv.labels
    assert rows[-1]["accuracy"] == pytest.approx(float(right.double().mean()))
    expected = (rows[-1]["accuracy"] - 0.1) / (1 - 0.1)
    assert rows[-1]["relative"] == pytest.approx(expected)
    assert rows[-1]["patch_pixels"] == [4, 4]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"labels": None}, "no labels"),
        ({"trained": False}, "not trained"),
        ({"labels": torch.arange(40) % 10}, "not surely above chance, 0.100"),
        ({"labels": torch.zeros(40, dtype=torch.int64)}, "answering the commonest class, 1.000"),
    ],
)
def test_without_an_accuracy_to_lose_it_is_undefined(subject, options, reason):
    numbers = PatchShuffle().measure(subject("conv", **options))
    assert not numbers["rows"]
    assert reason in numbers["undefined"][0]["reason"]


@pytest.mark.parametrize(
    ("grids", "message"), [("3", "choose from 1, 2, 4, 8, 16"), ("2,4", "2-4-8")]
)
def test_grids_that_cannot_be(subject, grids, message):
    with pytest.raises(InputError, match=message):
        PatchShuffle(grids).measure(subject("conv"))

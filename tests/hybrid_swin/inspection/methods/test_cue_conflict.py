import inspect
import json

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from hybrid_swin.data.sources.cue_conflict import ARRANGEMENTS, CLASS_NAMES, CueConflictSource
from hybrid_swin.data.synthetic.drawing import stripes
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods.cue_conflict import CueConflict, decisions
from hybrid_swin.inspection.subject import Subject


class TextureOracle(nn.Module):
    """Sees one cell at a time: how much of each texture there is, wherever it stands."""

    def forward(self, images):
        vertical, horizontal, checkerboard = stripes(2)
        kernels = torch.tensor(np.stack([horizontal, vertical, checkerboard])).float()[:, None]
        return F.conv2d(images, kernels, stride=2).abs().sum(dim=(2, 3))


class ArrangementOracle(nn.Module):
    """Sees brightness alone: the best placed template of four blocks, of either sign."""

    def forward(self, images, reach=5, side=3):
        bright = F.avg_pool2d(images, 2)
        blocks = F.avg_pool2d(bright, side, 1)[:, 0]
        last = blocks.shape[-1] - reach
        corners = [
            blocks[:, u * reach : u * reach + last, v * reach : v * reach + last]
            for u in (0, 1)
            for v in (0, 1)
        ]
        signs = torch.tensor(ARRANGEMENTS.reshape(3, 4)).float()
        fits = torch.einsum("kc,cnyx->nkyx", signs, torch.stack(corners))
        return fits.abs().amax(dim=(2, 3))


class Either(nn.Module):
    """Follows the texture for class 0 of the arrangement, else the arrangement."""

    def forward(self, images):
        texture, arrangement = TextureOracle()(images), ArrangementOracle()(images)
        follows = arrangement.argmax(dim=1) == 0
        return torch.where(follows[:, None], texture, arrangement)


def looked_at(model, **options):
    options = {"class_names": CLASS_NAMES, "batch_size": 64} | options
    images = options.pop("images", torch.zeros(1, 1, 16, 16))
    return Subject(model, images, None, **options)


def measured(model, inspection=None, **options):
    inspection = inspection or CueConflict(images=120)
    numbers = inspection.measure(looked_at(model, **options))
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    if numbers["rows"]:
        inspection.draw(numbers, figure)
        figure.canvas.draw()
    return numbers, figure


@pytest.mark.parametrize(("oracle", "share"), [(ArrangementOracle, 1), (TextureOracle, 0)])
def test_an_oracle_of_one_cue_alone(oracle, share):
    numbers, figure = measured(oracle(), CueConflict(images=120, noise=0.1))
    whole = numbers["rows"][0]
    assert whole["global_share"] == share
    assert whole["global_share_low"] <= share <= whole["global_share_high"]
    assert whole["global_share_high"] - whole["global_share_low"] < 0.05
    assert whole["by_neither"] == 0
    accuracy = {row["mode"]: row["accuracy"] for row in numbers["modes"]}
    assert accuracy["agree"] == 1
    own, other = ("arrangement", "texture") if share else ("texture", "arrangement")
    assert accuracy[own] == 1
    assert accuracy[other] < 0.5  # the other cue says nothing to it
    assert len(figure.axes) == 2


def test_test_images_are_never_read(monkeypatch):
    splits = []
    images = CueConflictSource.images

    def spied(self, split, indices):
        splits.append(split)
        return images(self, split, indices)

    monkeypatch.setattr(CueConflictSource, "images", spied)
    measured(ArrangementOracle())
    assert set(splits) == {"validation"}


def test_shares_by_arrangement():
    numbers, _ = measured(Either(), CueConflict(images=120, noise=0.1))
    found = {row["arrangement"]: row["global_share"] for row in numbers["rows"]}
    assert found == {"all": pytest.approx(2 / 3), "rows": 0, "columns": 1, "diagonals": 1}


def test_decisions_by_hand():
    row = decisions(np.array([0, 1, 2, 2, 0]), np.array([0, 0, 0, 2, 1]), np.array([1, 1, 1, 0, 2]))
    assert (row["by_arrangement"], row["by_texture"], row["by_neither"]) == (2, 1, 2)
    assert row["global_share"] == pytest.approx(2 / 3)
    nothing = decisions(np.array([2]), np.array([0]), np.array([1]))
    assert nothing["global_share"] is None


def test_the_options_are_the_sources():
    own = inspect.signature(CueConflict).parameters
    source = inspect.signature(CueConflictSource).parameters
    shared = own.keys() & source.keys()
    assert source.keys() - shared == {"mode", "cell", "train", "validation", "test"}
    for name in shared:
        assert own[name].default == source[name].default, name


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"trained": False}, "not trained"),
        ({"class_names": ("cat", "dog", "cow")}, "not trained on the data source cue_conflict"),
        ({"class_names": None}, "the images shown carry no class names"),
        ({"images": torch.zeros(1, 3, 16, 16)}, "cue_conflict makes (1, H, H)"),
        ({"images": torch.zeros(1, 1, 24, 24)}, "not 8 cells of an even number"),
    ],
)
def test_other_networks_are_undefined_with_the_reason(options, reason):
    numbers, _ = measured(ArrangementOracle(), **options)
    assert not numbers["rows"]
    assert not numbers["modes"]
    assert reason in numbers["undefined"][0]["reason"]


def test_a_network_that_does_not_know_its_task_is_undefined():
    class Constant(nn.Module):
        def forward(self, images):
            return torch.tensor([0.0, 1.0, 0.0]).expand(len(images), 3)

    numbers, _ = measured(Constant())
    assert numbers["modes"][0]["accuracy"] == pytest.approx(1 / 3)
    assert not numbers["rows"]
    assert "not surely above chance" in numbers["undefined"][0]["reason"]


def test_other_sizes_and_wrong_options():
    numbers, _ = measured(
        nn.Sequential(nn.AvgPool2d(2), ArrangementOracle()), images=torch.zeros(1, 1, 32, 32)
    )  # cells of 4 pixels
    assert numbers["rows"][0]["global_share"] == 1
    assert CueConflict(images=7).images == 12
    with pytest.raises(InputError, match="cue_conflict: side 6 is above reach 5"):
        CueConflict(side=6)
    with pytest.raises(InputError, match="images must be at least 1"):
        CueConflict(images=0)

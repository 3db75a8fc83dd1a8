import json

import pytest
import torch
from matplotlib.figure import Figure

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods.patch_drop import PatchDrop
from hybrid_swin.inspection.subject import make_subject


@pytest.fixture
def subject(small_swin):
    """Two classes, bright and dark: a mean of a few patches tells them."""
    model = small_swin(
        "pointwise", depths=(1,), heads=(2,), image_size=16, patch_size=4, num_classes=2
    )
    signs = torch.tensor([1.0, -1.0]).repeat(15)
    noise = torch.randn(30, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    images = signs[:, None, None, None] + 0.3 * noise
    with torch.no_grad():
        features = model.forward_features(images).mean(dim=(1, 2))
        direction = features[signs > 0].mean(dim=0) - features[signs < 0].mean(dim=0)
        model.head.fc.weight.copy_(torch.stack([direction, -direction]))
        middle = features.mean(dim=0) @ direction
        model.head.fc.bias.copy_(torch.stack([-middle, middle]))
    return lambda **k: make_subject(model, images, (signs < 0).long(), batch_size=8, **k)


def drawn(numbers):
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    PatchDrop().draw(numbers, figure)
    figure.canvas.draw()
    return figure


def test_nothing_covered_is_the_whole_image_and_everything_covered_is_chance(subject):
    numbers = PatchDrop("0.5-0.999").measure(subject())
    assert [row["patches"] for row in numbers["rows"]] == [0, 8, 16]
    whole, half, none = numbers["rows"]
    assert (whole["accuracy"], whole["relative"]) == (1, 1)
    assert half["relative"] == 1
    assert none["accuracy"] == 0.5  # all images are the same
    assert none["relative"] == pytest.approx(0)
    assert none["relative_low"] < 0 < none["relative_high"] < 1
    assert drawn(numbers).axes[0].get_xlabel().endswith("4 x 4 pixels that is covered")


def test_the_grid_that_fits(subject):
    assert PatchDrop().measure(subject())["grid"] == 4  # 16 pixels, tokens of 4
    assert PatchDrop(grid=8).measure(subject())["patch_pixels"] == [2, 2]
    with pytest.raises(InputError, match="patch_drop: a grid of 5 x 5"):
        PatchDrop(grid=5).measure(subject())
    with pytest.raises(InputError, match="between 0 and 1"):
        PatchDrop("0.5-1").measure(subject())
    with pytest.raises(InputError, match="between 0 and 1"):
        PatchDrop("half").measure(subject())


def test_an_untrained_network_has_no_curve(subject):
    numbers = PatchDrop().measure(subject(trained=False))
    assert numbers["undefined"][0]["reason"] == "the network is not trained"

"""Every option of a part that is a number has limits: beyond them it is refused, at them it works.

Of recipes' parts and of blocks alike: what a class allows is known before anything is trained.
"""

import math

import pytest
import torch
from torch import nn

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.training.augmentations import Pixels
from hybrid_swin.training.optimizers import ParameterGroup

RECIPE_PARTS = "augmentation", "optimizer", "schedule"
NUMBERS = [
    (kind, name, option.name)
    for kind in (*RECIPE_PARTS, "branch", "fusion")
    for name in registry.names(kind)
    for option in registry.describe(kind, name).options.values()
    if option.type in (int, float, tuple)
]


def limits(kind, name, option):
    return registry.describe(kind, name).constants.get("limits", {})[option]


@pytest.mark.parametrize(("kind", "name", "option"), NUMBERS)
def test_what_lies_beyond_is_refused(kind, name, option):
    part = registry.describe(kind, name)
    low, high = limits(kind, name, option)
    assert math.isfinite(low) and (low >= 0 or kind == "fusion")
    below, above = low - max(1, abs(low)), high + max(1, abs(high))
    for number in (below, above, math.nan, math.inf, -math.inf):
        is_range = part.options[option].type is tuple
        for text in (f"{low}-{number}", f"{number}-{high}") if is_range else (str(number),):
            with pytest.raises(InputError, match=f"option {option}="):
                part.read_options(f"{option}={text}", name)


def at_the_ends(kind):
    """Each part of a kind, with each number at its least, its most and both ends of a range."""
    for name in registry.names(kind):
        made, part = registry.load(kind, name), registry.describe(kind, name)
        yield made()
        for _, _, option in (entry for entry in NUMBERS if entry[:2] == (kind, name)):
            low, high = limits(kind, name, option)
            is_range = part.options[option].type is tuple
            for value in ((low, low), (low, high), (high, high)) if is_range else (low, high):
                yield made(**part.check_options({option: value}))


@pytest.mark.parametrize("size", [(1, 3, 8, 6), (5, 1, 1, 2)])
def test_augmentations_keep_images_of_any_size_finite(size):
    pixels = Pixels(torch.full((size[1], 1, 1), 0.4), torch.full((size[1], 1, 1), 0.2))
    for augment in at_the_ends("augmentation"):
        torch.manual_seed(0)
        changed = augment(pixels.normalised(torch.rand(size)), pixels)
        assert changed.shape == size and changed.isfinite().all(), vars(augment)


def test_schedules_never_rise_above_their_peak():
    for schedule in at_the_ends("schedule"):
        rates = [schedule.learning_rate(step, 20, 0.5, 1e-3) for step in range(21)]
        assert all(0 <= rate <= 0.5 for rate in rates), vars(schedule)


def test_optimizers_take_finite_steps():
    for factory in at_the_ends("optimizer"):
        weight = nn.Parameter(torch.ones(2, 2))
        groups = [ParameterGroup({"layers.0.weight": weight}, 0.1, 0.05)]
        optimizer = factory.make(groups, fused=False)
        for _ in range(3):
            weight.grad = torch.tensor([[0.0, 1.0], [-1.0, 1e-3]])
            optimizer.step()
        assert weight.isfinite().all() and not weight.equal(torch.ones(2, 2)), vars(factory)

"""Parameter groups and the schedule."""

import dataclasses
import math

import pytest
import torch

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.optimization import (
    learning_rate,
    make_optimizer,
    make_schedule,
    parameter_groups,
)

VARIANT = Variant.from_dict(
    {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "stages": [{"width": 8, "depth": 2, "num_heads": 2, "blocks": ["w_msa+mdta", "conv"]}],
    }
)


def test_what_must_not_decay_does_not():
    model = HybridSwin(dataclasses.replace(VARIANT, layer_scale=0.1))
    decayed, kept = parameter_groups(model, Recipe(weight_decay=0.05))
    assert (decayed.weight_decay, kept.weight_decay) == (0.05, 0.0)
    decayed_names, kept_names = decayed.parameters.keys(), kept.parameters.keys()
    assert decayed_names | kept_names == {name for name, _ in model.named_parameters()}
    assert not decayed_names & kept_names
    for name, parameter in model.named_parameters():
        by_hand = name.endswith(("bias", "temperature", "bias_table", "gamma")) or "norm" in name
        assert (name in kept_names) == by_hand, (name, parameter.shape)
    # The two that a rule on dimensions alone would let decay.
    for ending in ("temperature", "relative_position_bias_table"):
        assert any(name.endswith(ending) for name in kept_names)


def test_a_model_without_exemptions_and_frozen_parameters():
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    (only,) = parameter_groups(model, Recipe(weight_decay=0.1))
    assert only.parameters == {"weight": model.weight}


def rates(recipe, steps_per_epoch):
    """What the optimiser would really use, step by step."""
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    model = torch.nn.ParameterList([parameter])
    optimizer = make_optimizer(model, recipe, fused=False)
    schedule = make_schedule(optimizer, recipe, steps_per_epoch)
    used = []
    for _ in range(recipe.epochs * steps_per_epoch):
        used.append(optimizer.param_groups[0]["lr"])
        parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        schedule.step()
    return used, optimizer.param_groups[0]["lr"]


def test_warms_up_linearly_then_follows_the_cosine_to_the_minimum():
    recipe = Recipe(
        epochs=5,
        warmup_epochs=1,
        learning_rate=1.0,
        warmup_learning_rate=0.1,
        min_learning_rate=0.2,
    )
    used, after = rates(recipe, 10)
    assert used[:10] == pytest.approx([0.1 + 0.09 * i for i in range(10)])
    assert max(used) == used[10] == 1.0 and used.count(1.0) == 1
    assert used[30] == pytest.approx(0.6)  # the middle of the cosine
    expected = [0.2 + 0.8 * (1 + math.cos(math.pi * i / 40)) / 2 for i in range(40)]
    assert used[10:] == pytest.approx(expected)
    assert after == pytest.approx(0.2)


@pytest.mark.parametrize("warmup", [3, 3.0, 6])
def test_a_warm_up_as_long_as_the_training_or_longer(warmup):
    recipe = Recipe(epochs=3, warmup_epochs=warmup, learning_rate=0.6)
    used, _ = rates(recipe, 4)
    slope = (0.6 - 5e-7) / (warmup * 4)
    assert used == pytest.approx([5e-7 + slope * i for i in range(12)])


@pytest.mark.parametrize("warmup", [0, 0.01, 0.5])
def test_little_or_no_warm_up_starts_high(warmup):
    used, _ = rates(Recipe(epochs=2, warmup_epochs=warmup, learning_rate=0.1), 4)
    assert used[0] == (0.1 if warmup < 0.5 else 5e-7)
    assert max(used) == 0.1
    assert all(0 < rate <= 0.1 for rate in used)


# What timm 1.0.31 sets before each update, with
#     CosineLRScheduler(AdamW(..., lr=1e-3), t_initial=16, lr_min=1e-6, warmup_t=4,
#                       warmup_lr_init=5e-7, warmup_prefix=True, t_in_epochs=False)
# and step_update(n) after update n.
TIMM = [
    *(5e-7, 0.000250375, 0.00050025, 0.000750125, 0.001),
    *(0.0009904022475614137, 0.0009619778264893878, 0.0009158190713451216, 0.0008536998372026805),
    *(0.0007780073313932914, 0.0006916503744663625, 0.0005979476158470562, 0.0005005),
    *(0.00040305238415294404, 0.00030934962553363774, 0.00022299266860670885),
    *(0.00014730016279731955, 8.51809286548786e-05, 3.902217351061228e-05, 1.0597752438586402e-05),
    1e-06,
]


def test_the_schedule_is_timms():
    used, after = rates(Recipe(epochs=5, warmup_epochs=1, min_learning_rate=1e-6), 4)
    assert [*used, after] == pytest.approx(TIMM, rel=1e-12)


def test_one_step_in_all():
    used, _ = rates(Recipe(epochs=1, warmup_epochs=0, learning_rate=0.1), 1)
    assert used == [0.1]
    assert learning_rate(10**6, Recipe(), 1) == Recipe().min_learning_rate

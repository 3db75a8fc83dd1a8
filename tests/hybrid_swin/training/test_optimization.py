"""The schedule, step by step."""

import math

import pytest
import torch

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.optimization import learning_rate, make_optimizer, make_schedule


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


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [1.0] * 10), ("linear", [1 - 0.08 * i for i in range(10)])],
)
def test_other_schedules_after_the_same_warm_up(schedule, expected):
    ends = {"learning_rate": 1.0, "warmup_learning_rate": 0.1, "min_learning_rate": 0.2}
    recipe = Recipe(epochs=3, warmup_epochs=1, schedule=schedule, **ends)
    used, after = rates(recipe, 5)
    assert used[:5] == pytest.approx([0.1 + 0.18 * i for i in range(5)])
    assert used[5:] == pytest.approx(expected)
    assert after == pytest.approx(0.2 if schedule == "linear" else 1.0)


def test_each_layers_rate_follows_the_schedule():
    model = torch.nn.ModuleDict(
        {"patch_embed": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)}
    )
    recipe = Recipe(epochs=4, warmup_epochs=0, layer_decay=0.5, learning_rate=1.0)
    optimizer = make_optimizer(model, recipe, fused=False)
    schedule = make_schedule(optimizer, recipe, 1)
    for step in range(4):
        found = sorted({group["lr"] for group in optimizer.param_groups})
        expected = learning_rate(step, recipe, 1)
        assert found == pytest.approx([expected / 2, expected])
        optimizer.step()
        schedule.step()

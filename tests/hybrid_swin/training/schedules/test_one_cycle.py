"""One cycle is torch's."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.optimization import learning_rate


@pytest.mark.parametrize("steps", [2, 7, 40])
@pytest.mark.parametrize(
    "options", [{}, {"pct_start": 0.01, "div_factor": 4.0, "final_div_factor": 10.0}]
)
def test_its_rates_are_torchs(steps, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = OneCycleLR(optimizer, 0.3, total_steps=steps, cycle_momentum=False, **options)
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < steps:
            torchs.step()
    word = "one_cycle" + "(" * bool(options)
    word += ";".join(f"{k}={v}" for k, v in options.items()) + ")" * bool(options)
    recipe = Recipe(schedule=word, epochs=steps, learning_rate=0.3)
    assert [learning_rate(i, recipe, 1) for i in range(steps)] == pytest.approx(expected, rel=1e-12)


def test_the_warm_up_of_a_recipe_does_not_count():
    recipe = Recipe(schedule="one_cycle", learning_rate=1e-7)  # below the start of a warm-up
    other = Recipe(schedule="one_cycle", learning_rate=1e-7, warmup_epochs=99, min_learning_rate=0)
    assert recipe.id == other.id != Recipe(schedule="one_cycle", learning_rate=2e-7).id

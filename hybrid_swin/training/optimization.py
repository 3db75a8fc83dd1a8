"""The recipe's optimizer over groups of parameters, and its learning rate step by step."""

from collections.abc import Collection
from functools import partial

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.registry import load
from hybrid_swin.training.optimizers import OptimizerFactory
from hybrid_swin.training.parameter_groups import parameter_groups
from hybrid_swin.training.schedules import Schedule


def make_optimizer(
    model: nn.Module, recipe: Recipe, *, fused: bool, from_file: Collection[str] = ()
) -> Optimizer:
    """The recipe's optimizer on the model's groups; ``from_file`` as in ``parameter_groups``."""
    part = recipe.optimizer_part
    factory: OptimizerFactory = load("optimizer", part.name)(**part.kwargs)
    return factory.make(parameter_groups(model, recipe, from_file), fused=fused)


def learning_rate(
    step: int, recipe: Recipe, steps_per_epoch: int, schedule: Schedule | None = None
) -> float:
    """The learning rate of optimiser step ``step``, counted from 0.

    With s steps per epoch, w = round(warmup_epochs * s) and T = epochs * s:

        start + (peak - start) * step / w                for step < w
        the schedule's of step - w of T - w steps        for w <= step < T

    The first step is at ``warmup_learning_rate``, the first after the warm-up at the peak. Where
    w >= T the training is all warm-up. ``schedule`` is the recipe's, if it is made already.
    """
    peak = recipe.learning_rate
    warms_up = "warmup_epochs" not in recipe.unused
    warmup = round(recipe.warmup_epochs * steps_per_epoch) if warms_up else 0
    total = recipe.epochs * steps_per_epoch
    if step < warmup:
        start = recipe.warmup_learning_rate
        return start + (peak - start) * step / warmup
    schedule = schedule or _make(recipe)
    steps = max(1, total - warmup)
    done = steps if step >= total else step - warmup
    return schedule.learning_rate(done, steps, peak, recipe.min_learning_rate)


def make_schedule(optimizer: Optimizer, recipe: Recipe, steps_per_epoch: int) -> LambdaLR:
    """The schedule as torch's LambdaLR, to be stepped once an optimiser step."""
    schedule = _make(recipe)
    factor = partial(_factor, recipe=recipe, steps_per_epoch=steps_per_epoch, schedule=schedule)
    return LambdaLR(optimizer, factor)


def _make(recipe: Recipe) -> Schedule:
    part = recipe.schedule_part
    schedule: Schedule = load("schedule", part.name)(**part.kwargs)
    return schedule


def _factor(step: int, recipe: Recipe, steps_per_epoch: int, schedule: Schedule) -> float:
    return learning_rate(step, recipe, steps_per_epoch, schedule) / recipe.learning_rate

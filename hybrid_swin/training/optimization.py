"""AdamW with two parameter groups, and a learning rate that warms up, then follows a cosine."""

import math
from functools import partial

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from hybrid_swin.spec.recipe import Recipe


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters that decay and those that must not.

    Exempt are parameters of at most one dimension (biases, norms, learned scales) and those that
    the model names in ``no_weight_decay()``: bias tables and MDTA's temperature have two and three
    dimensions, so a rule on dimensions alone would miss them.
    """
    named = getattr(model, "no_weight_decay", None)
    exempt: set[str] = named() if callable(named) else set()
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (kept if parameter.ndim <= 1 or name in exempt else decayed).append(parameter)
    groups = [(decayed, weight_decay), (kept, 0.0)]
    return [{"params": params, "weight_decay": decay} for params, decay in groups if params]


def make_optimizer(model: nn.Module, recipe: Recipe, *, fused: bool) -> AdamW:
    """AdamW on the model's two groups.

    Source: Decoupled Weight Decay Regularization, 2017, https://arxiv.org/abs/1711.05101
    """
    groups = parameter_groups(model, recipe.weight_decay)
    # `fused=False` would also turn foreach off; None leaves the choice to torch.
    return AdamW(groups, lr=recipe.learning_rate, fused=fused or None)


def learning_rate(step: int, recipe: Recipe, steps_per_epoch: int) -> float:
    """The learning rate of optimiser step ``step``, counted from 0.

    With s steps per epoch, w = round(warmup_epochs * s) and T = epochs * s:

        start + (peak - start) * step / w                              for step < w
        min + (peak - min) * (1 + cos(pi (step - w) / (T - w))) / 2    for w <= step < T
        min                                                            for step >= T

    The first step is at ``warmup_learning_rate``, the first after the warm-up at the peak. Where
    w >= T the training is all warm-up. timm's ``CosineLRScheduler`` with ``warmup_prefix``, stepped
    at every update, as Microsoft's Swin uses it.

    Source: SGDR, 2016, https://arxiv.org/abs/1608.03983 (without restarts); timm/scheduler in
    https://github.com/huggingface/pytorch-image-models
    """
    peak, least = recipe.learning_rate, recipe.min_learning_rate
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    total = recipe.epochs * steps_per_epoch
    if step < warmup:
        start = recipe.warmup_learning_rate
        return start + (peak - start) * step / warmup
    if step >= total:
        return least
    done = (step - warmup) / (total - warmup)
    return least + (peak - least) * (1 + math.cos(math.pi * done)) / 2


def make_schedule(optimizer: AdamW, recipe: Recipe, steps_per_epoch: int) -> LambdaLR:
    """The schedule as torch's LambdaLR, to be stepped once an optimiser step."""
    return LambdaLR(optimizer, partial(_factor, recipe=recipe, steps_per_epoch=steps_per_epoch))


def _factor(step: int, recipe: Recipe, steps_per_epoch: int) -> float:
    return learning_rate(step, recipe, steps_per_epoch) / recipe.learning_rate

"""Groups of parameters that learn alike: with weight decay or without, by layer and by age."""

import re
from collections.abc import Collection, Iterable

from torch import nn

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.optimizers import ParameterGroup

_BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.")
_STAGE = re.compile(r"layers\.(\d+)\.")


def parameter_groups(
    model: nn.Module, recipe: Recipe, from_file: Collection[str] = ()
) -> list[ParameterGroup]:
    """All parameters that learn: first those that decay, layer by layer, then those that must not.

    Exempt from decay are parameters of at most one dimension (biases, norms, learned scales) and
    those that the model names in ``no_weight_decay()``: bias tables and MDTA's temperature have two
    and three dimensions, so a rule on dimensions alone would miss them.

    With layers 0 to L (see ``layers_of``), a parameter of layer l learns with

        learning_rate * layer_decay^(L - l) * (old_rate if it came from a file else 1)

    ``from_file`` names those that came from a file. Fresh ones, such as a new head, learn at the
    whole rate: a backbone at a tenth of it is common (DETR's ``lr_backbone``,
    https://arxiv.org/abs/2005.12872; ``lr_mult`` of OpenMMLab's ``paramwise_cfg``).

    Source: timm's ``param_groups_layer_decay``, https://github.com/huggingface/pytorch-image-models
    (optim/_param_groups.py), after BEiT, 2021, https://arxiv.org/abs/2106.08254
    """
    named = getattr(model, "no_weight_decay", None)
    exempt: set[str] = named() if callable(named) else set()
    layers = layers_of(name for name, _ in model.named_parameters())
    last = max(layers.values(), default=0)
    groups: dict[tuple[bool, int, bool], dict[str, nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            keeps = parameter.ndim <= 1 or name in exempt
            layer = last if recipe.layer_decay == 1 else layers[name]
            old = recipe.old_rate != 1 and name in from_file
            groups.setdefault((keeps, layer, old), {})[name] = parameter
    return [
        ParameterGroup(
            groups[keeps, layer, old],
            recipe.learning_rate
            * recipe.layer_decay ** (last - layer)
            * (recipe.old_rate if old else 1.0),
            0.0 if keeps else recipe.weight_decay,
            keeps,
        )
        for keeps, layer, old in sorted(groups)
    ]


def layers_of(names: Iterable[str]) -> dict[str, int]:
    """The layer of each parameter, from the images on.

    The stem is one, then each block, then the head. Patch merging is of the block behind it, the
    final norm of the block before it. This is timm's grouping of its Swin; what it has no rule for
    is of the head's layer, as there.
    """
    names = list(names)
    places = {name: _place(name) for name in names}
    blocks = [place for place in places.values() if place[0] == 1]
    for name in names:
        if name.startswith("norm.") and blocks:
            places[name] = max(blocks)
    number = {place: index for index, place in enumerate(sorted({*places.values()}))}
    return {name: number[place] for name, place in places.items()}


def _place(name: str) -> tuple[int, int, int]:
    """What layers are sorted by: stem, block or head, then its stage, then its number there."""
    if name.startswith("patch_embed."):
        return 0, 0, 0
    if block := _BLOCK.match(name):
        return 1, int(block[1]), int(block[2])
    if stage := _STAGE.match(name):
        return 1, int(stage[1]), 0
    return 2, 0, 0

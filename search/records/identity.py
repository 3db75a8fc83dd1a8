"""What names and seeds are made from: equal candidates, equal ids."""

import hashlib
from dataclasses import replace

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant


def candidate_id(variant: Variant, recipe: Recipe, *others: str) -> str:
    """Ten hex digits of a network, how it is trained, and whatever else makes results differ.

    What the recipe says of norms behind mixers does not count for a network without any, nor where
    layer scales stand behind them.
    """
    if variant.layer_scale or not any(stage.norm == "post" for stage in variant.stages):
        recipe = replace(recipe, zero_init_residual=Recipe.zero_init_residual)
    text = "/".join((variant.id, recipe.id, *others))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def derive_seed(seed: int, *names: object) -> int:
    """A seed for one purpose, from the study's seed and the purpose's name."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1

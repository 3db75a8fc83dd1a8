"""Which parameters decay, and how fast each layer learns."""

from dataclasses import replace

import torch

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.parameter_groups import layers_of, parameter_groups

STAGE = {"depth": 2, "num_heads": 2, "blocks": ["w_msa+mdta", "conv"]}
VARIANT = Variant.from_dict(
    {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "stages": [{"width": 8, **STAGE}, {"width": 16, **STAGE}],
    }
)


def test_what_must_not_decay_does_not():
    model = HybridSwin(replace(VARIANT, layer_scale=0.1))
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
    (only,) = parameter_groups(model, Recipe(weight_decay=0.1, layer_decay=0.5))
    assert only.parameters == {"weight": model.weight}
    assert (only.weight_decay, only.learning_rate) == (0.1, Recipe.learning_rate)


def test_each_layer_learns_by_a_factor_less_than_the_one_behind_it():
    model = HybridSwin(VARIANT)
    recipe = Recipe(learning_rate=1.0, layer_decay=0.5)
    groups = parameter_groups(model, recipe)
    rates = {name: group.learning_rate for group in groups for name in group.parameters}
    assert rates.keys() == {name for name, _ in model.named_parameters()}
    expected = {
        "patch_embed.proj.weight": 1 / 32,
        "layers.0.blocks.0.mlp.fc1.weight": 1 / 16,
        "layers.0.blocks.1.mlp.fc1.weight": 1 / 8,
        "layers.1.downsample.reduction.weight": 1 / 4,
        "layers.1.blocks.0.norm1.bias": 1 / 4,
        "layers.1.blocks.1.mlp.fc1.weight": 1 / 2,
        "norm.weight": 1 / 2,
        "head.fc.weight": 1.0,
    }
    assert {name: rates[name] for name in expected} == expected
    both = {(group.learning_rate, group.weight_decay) for group in groups}
    assert len(both) == len(groups) == 12


def test_what_no_rule_names_is_of_the_heads_layer():
    layers = layers_of(["patch_embed.x", "layers.0.blocks.0.x", "norm.x", "head.x", "other.x"])
    assert [*layers.values()] == [0, 1, 1, 2, 2]
    assert layers_of([]) == {}

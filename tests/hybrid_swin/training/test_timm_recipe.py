"""Preset swin_imagenet beside timm: groups of Swin-T's parameters, and rates step by step.

``benchmarks/recipes_timm.py`` wrote what timm says.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hybrid_swin.interop.factory import create_model
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.optimization import learning_rate
from hybrid_swin.training.parameter_groups import parameter_groups

TIMM = json.loads((Path(__file__).parents[2] / "golden" / "timm_swin_recipe.json").read_text())
PRESET = Recipe.from_preset("swin_imagenet")


@pytest.fixture(scope="module")
def swin_t():
    with torch.device("meta"):
        return create_model("swin_t")


def test_its_groups_are_timms(swin_t):
    groups = parameter_groups(swin_t, PRESET)
    decays = {name: group.weight_decay for group in groups for name in group.parameters}
    assert decays == TIMM["weight_decay"]
    assert {group.learning_rate for group in groups} == {PRESET.learning_rate}


def test_its_layers_are_timms(swin_t):
    groups = parameter_groups(swin_t, replace(PRESET, layer_decay=TIMM["layer_decay"]))
    found = {
        name: [group.weight_decay, group.learning_rate / PRESET.learning_rate]
        for group in groups
        for name in group.parameters
    }
    assert found.keys() == TIMM["layers"].keys()
    for name, expected in TIMM["layers"].items():
        assert found[name] == pytest.approx(expected, rel=1e-12), name


def test_its_rates_are_timms():
    steps = TIMM["steps_per_epoch"]
    found = {step: learning_rate(int(step), PRESET, steps) for step in TIMM["rates"]}
    assert found == pytest.approx(TIMM["rates"], rel=1e-12)

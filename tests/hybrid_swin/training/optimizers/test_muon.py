"""Muon: which parameters it trains, and how, against singular values in float64."""

import copy

import pytest
import torch

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.optimization import make_optimizer

NAMES = {
    "patch_embed.proj.weight": (6, 1, 2, 2),
    "layers.0.blocks.0.attn.qkv.weight": (18, 6),
    "layers.0.blocks.0.attn.qkv.bias": (18,),
    "layers.0.blocks.0.attn.relative_position_bias_table": (9, 2),
    "head.fc.weight": (3, 6),
}
HIDDEN = "layers.0.blocks.0.attn.qkv.weight"


class Network(torch.nn.Module):
    """Parameters by the names of a network."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.all = {name: torch.nn.Parameter(torch.randn(shape)) for name, shape in NAMES.items()}

    def named_parameters(self, *_, **__):
        return iter(self.all.items())

    def no_weight_decay(self):
        return {"layers.0.blocks.0.attn.relative_position_bias_table"}


def steps(word, count=3):
    """The weights after some steps with the same gradients, and the optimizer."""
    network = Network()
    optimizer = make_optimizer(network, Recipe(optimizer=word, weight_decay=0.1), fused=False)
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        for parameter in network.all.values():
            parameter.grad = torch.randn(parameter.shape, generator=draw)
        optimizer.step()
    return network, optimizer


def test_all_but_hidden_matrices_are_trained_as_by_adamw():
    (by_muon, _), (by_adamw, _) = steps("muon"), steps("adamw")
    for name, parameter in by_muon.all.items():
        assert torch.allclose(parameter, by_adamw.all[name]) == (name != HIDDEN), name


def test_a_step_of_a_matrix_has_singular_values_of_about_one():
    before = Network().all[HIDDEN].detach()
    after = steps("muon", 1)[0].all[HIDDEN].detach()
    rate = Recipe.learning_rate
    step = (before * (1 - rate * 0.1) - after) / (rate * 0.2 * 18**0.5)
    values = torch.linalg.svdvals(step.double())
    assert 0.6 < values.min() and values.max() < 1.3
    # the directions are the gradient's
    gradient = torch.randn(18, 6, generator=_after_the_stem())
    u, _, v = torch.linalg.svd(gradient.double(), full_matrices=False)
    along = torch.diagonal(u.T @ step.double() @ v.T)
    assert along == pytest.approx(values.flip(0).tolist(), abs=0.7) and (along > 0.5).all()


def _after_the_stem():
    draw = torch.Generator().manual_seed(1)
    torch.randn(NAMES["patch_embed.proj.weight"], generator=draw)
    return draw


def test_its_state_goes_on_and_the_schedule_reaches_both_parts():
    network, optimizer = steps("muon")
    twin, fresh = steps("muon", 0)
    for name, parameter in twin.all.items():
        parameter.data.copy_(network.all[name])
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for group in (*optimizer.param_groups, *fresh.param_groups):
        group["lr"] = 0.01
    for own in (network, twin):
        for parameter in own.all.values():
            parameter.grad = torch.ones_like(parameter)
    moved = {name: p.detach().clone() for name, p in network.all.items()}
    optimizer.step()
    fresh.step()
    for name, parameter in network.all.items():
        assert torch.equal(parameter, twin.all[name])
        assert (parameter - moved[name]).abs().max() > 2e-3  # more than the rate before


def test_an_older_torch_is_refused(monkeypatch):
    from hybrid_swin.errors import InputError
    from hybrid_swin.spec import recipe_parts

    monkeypatch.setattr(recipe_parts.metadata, "version", lambda _: "2.8.1+cu126")
    with pytest.raises(InputError, match=r"optimizer muon needs torch 2\.9 or newer"):
        Recipe(optimizer="muon")
    assert Recipe().optimizer == "adamw"

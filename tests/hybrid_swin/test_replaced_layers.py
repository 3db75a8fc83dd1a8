"""Layers that others put in the place of ours are called, whatever they hold (LoRA, 8 bits)."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from hybrid_swin import registry
from hybrid_swin.block import build_mixer
from hybrid_swin.block_words import parse
from hybrid_swin.contract import words_with

WORDS = sorted(
    {*registry.names("branch"), "sw_msa(attention=cosine;bias=continuous)"} - {"identity"}
    | {list(words_with("fusion", name))[-1] for name in registry.names("fusion")}
)


class Adapted(nn.Module):
    """A layer with another function beside it, as adapters have; it has no ``weight``."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x)


def mixer(word):
    torch.manual_seed(0)
    return build_mixer(parse(word).canonical(), 24, 3, 4, (8, 8)).eval()


def layers(module):
    return {
        name: part
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
    }


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("grid", [(8, 8), (2, 3)])  # smaller than kernels too
def test_a_layer_in_the_place_of_another_is_called(word, grid):
    plain, adapted = mixer(word), mixer(word)
    for name, layer in layers(adapted).items():
        parent, _, child = name.rpartition(".")
        setattr(adapted.get_submodule(parent), child, Adapted(layer))
    x = torch.randn(2, *grid, 24)
    torch.testing.assert_close(adapted(x), plain(x), rtol=1e-5, atol=1e-6)
    wrapped = {n: m.calls for n, m in adapted.named_modules() if isinstance(m, Adapted)}
    assert all(wrapped.values()), wrapped
    adapted(x).sum().backward()


class Double(nn.Module):
    def forward(self, weight):
        return 2 * weight


@pytest.mark.parametrize("word", WORDS)
def test_a_weight_that_is_computed_is_used(word):
    """As weight norm and pruning compute it."""
    halved, plain = mixer(word), mixer(word)
    for layer in layers(halved).values():
        with torch.no_grad():
            layer.weight.mul_(0.5)
        parametrize.register_parametrization(layer, "weight", Double(), unsafe=True)
    x = torch.randn(2, 5, 6, 24)
    torch.testing.assert_close(halved(x), plain(x), rtol=1e-5, atol=1e-6)

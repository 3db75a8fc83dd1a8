"""Layers that others put in the place of ours are called, whatever they hold (LoRA, 8 bits)."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune, spectral_norm, weight_norm
from torch.nn.utils.parametrizations import spectral_norm as parametrized_spectral_norm

from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.contract import words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse

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


# What torch's own tools and users do to a layer, each so that its output doubles.


def pruned(layer):
    prune.identity(layer, "weight")
    with torch.no_grad():
        layer.weight_orig.mul_(2)


def normed(layer):
    weight_norm(layer)
    with torch.no_grad():
        layer.weight_g.mul_(2)


def hooked(layer):
    layer.register_forward_hook(lambda *call: 2 * call[2])


def hooked_before(layer):
    layer.register_forward_pre_hook(lambda _, given: (2 * given[0],))


def replaced(layer):
    forward = layer.forward
    layer.forward = lambda x: 2 * forward(x)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("double", [pruned, normed, hooked, hooked_before, replaced])
@pytest.mark.parametrize("grid", [(6, 5), (2, 3)])
@pytest.mark.parametrize("word", ["conv", "conv(kernel=7)", "large_conv", "focal", "mdta"])
def test_what_is_done_to_a_convolution_takes_effect(word, grid, double):
    found, plain = mixer(word), mixer(word)
    for done, layer in zip(convolutions(found), convolutions(plain), strict=True):
        layer.bias = None if layer.bias is None else nn.Parameter(torch.zeros_like(layer.bias))
        done.bias = None if done.bias is None else nn.Parameter(torch.zeros_like(done.bias))
        with torch.no_grad():
            layer.weight.mul_(2)
        double(done)
    x = torch.randn(2, *grid, 24)
    torch.testing.assert_close(found(x), plain(x), rtol=1e-5, atol=1e-6)
    for _ in range(2):  # a graph of the layer's own would be gone at the second time
        found(x).sum().backward()
    assert all(p.grad is not None for p in found.parameters())


def convolutions(module):
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


@pytest.mark.parametrize("norm", [spectral_norm, parametrized_spectral_norm])
@pytest.mark.filterwarnings("ignore:.*spectral_norm.*is deprecated:FutureWarning")
def test_a_spectral_norm_of_a_convolution_trains_at_tiny_maps(norm):
    module = mixer("conv(kernel=7)").train()
    norm(module.dwconv)
    module(torch.randn(2, 2, 3, 24)).square().sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(
    "other",
    [
        lambda: nn.Conv2d(24, 24, 7, padding=3, padding_mode="reflect", groups=24),
        lambda: nn.Conv2d(24, 24, 7, padding="same", groups=24),
        lambda: nn.Conv2d(24, 24, 3, padding=2, dilation=2),
        lambda: nn.Conv2d(24, 24, (5, 3), padding=(2, 1), groups=24),
    ],
)
def test_another_convolution_in_the_place_of_ours_keeps_its_own_rules(other):
    module = mixer("conv(kernel=7)")
    module.dwconv = other()
    x = torch.randn(2, 4, 4, 24)
    expected = module.proj(module.dwconv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    torch.testing.assert_close(module(x), expected)


def test_hooks_of_all_modules_see_every_layer():
    module, seen = mixer("conv+mdta:concat"), []
    handle = nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(m))
    try:
        module(torch.randn(2, 2, 2, 24))
    finally:
        handle.remove()
    assert all(any(layer is m for m in seen) for layer in layers(module).values())

import math

import pytest
import torch
from torch import nn

from hybrid_swin.block import Block
from hybrid_swin.errors import InputError
from hybrid_swin.fusions.gate import Gate
from hybrid_swin.model import HybridSwin, PatchEmbed, PatchMerging
from hybrid_swin.optimization import parameter_groups
from hybrid_swin.variant import Stage, Variant

HYBRID = Variant(
    image_size=(24, 20),
    in_channels=2,
    num_classes=5,
    patch_size=2,
    window_size=4,
    mlp_ratio=2,
    stages=[
        Stage(12, 2, 3, ("w_msa", "sw_msa")),
        Stage(24, 2, 3, ("conv+mdta:gate", "w_msa+mdta:split")),
        Stage(36, 1, 3, ("mdta",)),
    ],
)


def rates(model):
    return [m.drop_path.rate for m in model.modules() if isinstance(m, Block)]


def test_an_image_becomes_logits():
    model = HybridSwin(HYBRID).eval()
    images = torch.randn(3, 2, 24, 20)
    features = model.forward_features(images)
    assert features.shape == (3, 3, 3, 36)
    assert model(images).shape == (3, 5)
    expected = features.mean((1, 2)) @ model.head.fc.weight.T + model.head.fc.bias
    torch.testing.assert_close(model(images), expected)
    torch.testing.assert_close(features.mean(-1), torch.zeros(3, 3, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(24, 20), (23, 7), (40, 41), (2, 2), (1, 1), (3, 64)])
def test_images_of_any_size_are_taken(size):
    model = HybridSwin(HYBRID).eval()
    with torch.no_grad():
        first = model(torch.ones(1, 2, 24, 20))
        assert model(torch.randn(2, 2, *size)).isfinite().all()
        assert torch.equal(model(torch.ones(1, 2, 24, 20)), first)


def test_a_network_without_classes_gives_features():
    variant = Variant(8, 1, 0, 2, 2, 2, [Stage(8, 1, 2, ("w_msa",))])
    model = HybridSwin(variant).eval()
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(model(images), model.forward_features(images).mean((1, 2)))


# Stem and merging


def test_a_patch_is_projected_alone_and_padded_right_and_below():
    embed = PatchEmbed(2, 5, 3)
    embed.norm = nn.Identity()
    images = torch.randn(1, 2, 7, 4)
    out = embed(images)
    assert out.shape == (1, 3, 2, 5)
    padded = torch.zeros(1, 2, 9, 6)
    padded[:, :, :7, :4] = images
    for i in range(3):
        for j in range(2):
            patch = padded[0, :, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            expected = (embed.proj.weight * patch).sum((1, 2, 3)) + embed.proj.bias
            torch.testing.assert_close(out[0, i, j], expected)


@pytest.mark.parametrize("size", [(4, 6), (3, 5), (1, 1), (2, 3)])
def test_merging_concatenates_neighbours_in_swins_order(size):
    merging = PatchMerging(3, 7)
    merging.norm, merging.reduction = nn.Identity(), nn.Identity()
    x = torch.randn(2, *size, 3)
    padded = torch.zeros(2, size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    padded[:, : size[0], : size[1]] = x
    four = [padded[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert torch.equal(merging(x), torch.cat(four, -1))


def test_merging_normalises_then_projects():
    merging = PatchMerging(3, 7)
    x = torch.randn(2, 4, 4, 3)
    four = torch.cat([x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))], -1)
    torch.testing.assert_close(merging(x), merging.norm(four) @ merging.reduction.weight.T)
    assert merging.reduction.bias is None


# Drop path


def test_drop_path_grows_linearly_over_all_blocks():
    assert rates(HybridSwin(HYBRID, 0.2)) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert rates(HybridSwin(HYBRID)) == [0.0] * 5


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, math.nan])
def test_a_drop_path_rate_that_cannot_be_is_refused(rate):
    with pytest.raises(InputError, match=f"drop_path_rate must be .* below 1; got {rate}"):
        HybridSwin(HYBRID, rate)


# Initialisation


def test_linear_layers_start_with_a_small_truncated_normal():
    torch.manual_seed(0)
    stages = [Stage(96, 2, 3, ("w_msa+mdta:gate", "conv+w_msa:concat"))]
    model = HybridSwin(Variant(32, 3, 10, 4, 4, 4, stages))
    gates = {mixer.logits for _, mixer in model.mixers() if isinstance(mixer, Gate)}
    assert len(gates) == 1
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module not in gates:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1), name
            assert module.weight.abs().max() < 0.12, name
            assert module.bias is None or not module.bias.any(), name
        elif isinstance(module, nn.LayerNorm):
            assert torch.equal(module.weight, torch.ones_like(module.weight)), name
            assert not module.bias.any(), name
        elif isinstance(module, nn.Conv2d):  # PyTorch's default: uniform up to 1/sqrt(fan-in)
            bound = 1 / math.sqrt(module.weight[0].numel())
            assert 0.8 * bound < module.weight.abs().max() <= bound, name


def test_bias_tables_temperatures_and_gates_keep_their_own_start():
    torch.manual_seed(0)
    model = HybridSwin(Variant(64, 3, 10, 1, 16, 1, [Stage(32, 1, 8, ("w_msa+mdta:gate",))]))
    mixer = model.layers[0].blocks[0].attn
    mdta, attention = mixer.branches
    if not hasattr(mdta, "temperature"):
        mdta, attention = attention, mdta
    assert attention.relative_position_bias_table.std().item() == pytest.approx(0.02, rel=0.1)
    assert torch.equal(mdta.temperature, torch.ones(8, 1, 1))
    assert not mixer.logits.weight.any() and not mixer.logits.bias.any()
    with torch.no_grad():
        mixer.logits.weight.fill_(1)
    model.reset_parameters()
    assert not mixer.logits.weight.any()


# Weight decay


def test_what_must_not_decay_is_named():
    model = HybridSwin(HYBRID)
    exempt = model.no_weight_decay()
    assert exempt == {
        "layers.0.blocks.0.attn.relative_position_bias_table",
        "layers.0.blocks.1.attn.relative_position_bias_table",
        "layers.1.blocks.0.attn.branches.1.temperature",
        "layers.1.blocks.1.attn.branches.0.temperature",
        "layers.1.blocks.1.attn.branches.1.relative_position_bias_table",
        "layers.2.blocks.0.attn.temperature",
    }
    assert exempt <= {name for name, _ in model.named_parameters()}


def test_only_matrices_and_kernels_decay():
    model = HybridSwin(HYBRID)
    decayed, kept = (group["params"] for group in parameter_groups(model, 0.05))
    weights = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)
    }
    assert {id(p) for p in decayed} == weights
    assert len(decayed) + len(kept) == len(list(model.parameters()))


def test_mixers_are_found_by_name():
    model = HybridSwin(HYBRID)
    found = dict(model.mixers())
    assert list(found) == [
        "layers.0.blocks.0.attn",
        "layers.0.blocks.1.attn",
        "layers.1.blocks.0.attn",
        "layers.1.blocks.1.attn",
        "layers.2.blocks.0.attn",
    ]
    assert all(model.get_submodule(name) is mixer for name, mixer in found.items())


def test_equal_words_build_equal_networks():
    """Identity is worth something only if what has one id computes one function."""
    networks = []
    for word in ("w_msa+conv:split(ratio=2-1)", "conv(kernel=3)+w_msa:split(ratio=1-2)"):
        torch.manual_seed(0)
        networks.append(HybridSwin(Variant(8, 1, 3, 1, 4, 2, [Stage(12, 1, 3, (word,))])).eval())
    images = torch.randn(2, 1, 8, 8)
    assert networks[0].variant.id == networks[1].variant.id
    assert torch.equal(networks[0](images), networks[1](images))

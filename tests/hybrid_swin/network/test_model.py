import dataclasses
import math

import pytest
import torch
from torch import nn

from hybrid_swin.errors import InputError
from hybrid_swin.network.block import Block
from hybrid_swin.network.fusions.gate import Gate
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.published import names, published
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.parameter_groups import parameter_groups

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


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 24, 20), r"images\[None\]"),
        ((1, 24, 20, 2), r"images.permute\(0, 3, 1, 2\)"),
        ((1, 3, 24, 20), "in_channels=3"),
        ((24, 20), "$"),
    ],
)
def test_images_of_another_shape_are_refused(shape, hint):
    model = HybridSwin(HYBRID, strict_img_size=True)
    for network in (model, Pyramid(model)):
        with pytest.raises(InputError, match=r"takes \(batch, 2, height, width\).*" + hint):
            network(torch.zeros(shape))


def test_a_network_without_classes_gives_features():
    variant = Variant(8, 1, 0, 2, 2, 2, [Stage(8, 1, 2, ("w_msa",))])
    model = HybridSwin(variant).eval()
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(model(images), model.forward_features(images).mean((1, 2)))


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


def test_lecun_normal_keeps_the_size_of_a_signal_at_any_width():
    torch.manual_seed(0)
    variant = Variant(32, 3, 10, 4, 4, 4, [Stage(32, 2, 4, ("w_msa+mdta",))])
    model = HybridSwin(variant, weight_init="lecun_normal")
    model.reset_classifier(7)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            std = module.in_features**-0.5
            tolerance = 4 / math.sqrt(2 * module.weight.numel())
            assert module.weight.std().item() == pytest.approx(std, rel=tolerance), name
            assert module.bias is None or not module.bias.any(), name


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


def test_equal_words_build_equal_networks():
    """Identity is worth something only if what has one id computes one function."""
    networks = []
    for word in ("w_msa+conv:split(ratio=2-1)", "conv(kernel=3)+w_msa:split(ratio=1-2)"):
        torch.manual_seed(0)
        networks.append(HybridSwin(Variant(8, 1, 3, 1, 4, 2, [Stage(12, 1, 3, (word,))])).eval())
    images = torch.randn(2, 1, 8, 8)
    assert networks[0].variant.id == networks[1].variant.id
    assert torch.equal(networks[0](images), networks[1](images))


# The classifier


@pytest.mark.parametrize("classes", [0, 3])
def test_the_classifier_is_replaced(classes):
    torch.manual_seed(0)
    model = HybridSwin(HYBRID).double().eval()
    before = {name: p.clone() for name, p in model.state_dict().items() if "head" not in name}
    images = torch.randn(2, 2, 24, 20, dtype=torch.float64)
    features = model.forward_features(images)
    model.reset_classifier(classes)
    assert model.num_classes == model.variant.num_classes == classes
    assert dataclasses.replace(HYBRID, num_classes=classes) == model.variant
    assert model(images).shape == (2, classes or model.num_features)
    assert torch.equal(model.forward_features(images), features)
    assert all(torch.equal(model.state_dict()[name], p) for name, p in before.items())
    if classes:
        assert model.get_classifier().weight.dtype == torch.float64
        assert model.get_classifier().weight.std().item() == pytest.approx(0.02, rel=0.3)
        assert not model.get_classifier().bias.any()
    else:
        assert torch.equal(model(images), model.get_classifier()(features.mean((1, 2))))


def test_a_classifier_of_fewer_than_no_classes_is_refused():
    model = HybridSwin(HYBRID)
    with pytest.raises(InputError, match="num_classes must be a whole number of at least 0"):
        model.reset_classifier(-1)
    assert model.get_classifier().out_features == model.num_classes == 5


# Maps on the way


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return HybridSwin(HYBRID).eval()


@pytest.fixture(scope="module")
def maps(model):
    """The map behind each stage, taken by hooks."""
    found = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: found.append(out.detach()))
        for layer in model.layers
    ]
    model(IMAGES)
    for hook in hooks:
        hook.remove()
    return found


IMAGES = torch.randn(2, 2, 24, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("stop_early", [False, True])
def test_intermediates_are_the_maps_of_the_stages(model, maps, stop_early):
    final, found = model.forward_intermediates(IMAGES, stop_early=stop_early)
    assert torch.equal(final, model.forward_features(IMAGES))
    for mine, expected in zip(found, maps, strict=True):
        assert torch.equal(mine, expected.permute(0, 3, 1, 2))
        assert mine.is_contiguous(memory_format=torch.channels_last)
    _, found = model.forward_intermediates(IMAGES, output_fmt="NHWC", norm=True)
    assert all(torch.equal(a, b) for a, b in zip(found[:-1], maps, strict=False))
    assert torch.equal(found[-1], final)


@pytest.mark.parametrize(
    ("indices", "stages"),
    [(None, [0, 1, 2]), (1, [2]), (2, [1, 2]), ([1], [1]), ((-1, 0), [0, 2]), ([0, -3], [0])],
)
def test_intermediates_are_chosen(model, maps, indices, stages):
    found = model.forward_intermediates(IMAGES, indices, intermediates_only=True)
    assert [m.shape for m in found] == [maps[i].permute(0, 3, 1, 2).shape for i in stages]
    assert all(
        torch.equal(m, maps[i].permute(0, 3, 1, 2)) for m, i in zip(found, stages, strict=True)
    )


def test_stopping_early_computes_nothing_more(model):
    def never(*_):
        raise AssertionError("computed")

    hook = model.layers[2].register_forward_pre_hook(never)
    model.forward_intermediates(IMAGES, [0, 1], stop_early=True, intermediates_only=True)
    with pytest.raises(AssertionError, match="computed"):
        model.forward_intermediates(IMAGES, [0, 1], intermediates_only=True)
    hook.remove()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"indices": [3]}, "stage 3 does not exist; with 3 stages choose from 0 to 2, or from -3"),
        ({"indices": (0, -4)}, "stage -4 does not exist"),
        ({"indices": 4}, "the last 4 stages of 3; choose from 1 to 3"),
        ({"indices": 0}, "the last 0 stages"),
        ({"indices": []}, "no stage is named"),
        ({"indices": [0, 1], "stop_early": True}, "stops behind stage 1, before the final map"),
        ({"output_fmt": "NCWH"}, "unknown output_fmt 'NCWH'; did you mean 'NCHW'"),
    ],
)
def test_intermediates_that_cannot_be_are_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        model.forward_intermediates(IMAGES, **options)


# Every published network, shrunk


def shrunk(name, **changes):
    """The network with its words, stages and norms, and little of everything else."""
    variant = published(name)
    stages = [
        dataclasses.replace(stage, width=16, num_heads=2, depth=len(stage.blocks), window_size=None)
        for stage in variant.stages
    ]
    fields = {
        "image_size": 26,
        "patch_size": 2,
        "window_size": 3,
        "num_classes": 5,
        "stages": stages,
    }
    return HybridSwin(dataclasses.replace(variant, **fields | changes), 0.1)


@pytest.mark.parametrize("name", names())
def test_every_published_network_takes_images_of_any_size(name):
    model = shrunk(name, in_channels=1).eval()
    with torch.no_grad():
        first = model(torch.ones(1, 1, 26, 26))
        for size in ((26, 26), (32, 24), (7, 31), (1, 1)):
            logits = model(torch.randn(2, 1, *size))
            assert logits.shape == (2, 5) and logits.isfinite().all()
        assert torch.equal(model(torch.ones(1, 1, 26, 26)), first)


@pytest.mark.parametrize("name", names())
def test_every_published_network_trains_every_parameter(name):
    model = shrunk(name).train()
    loss = model(torch.randn(4, 3, 26, 26)).square().sum()
    loss.backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
    kernels = {
        id(m.weight) for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv1d)
    }
    exempt = model.no_weight_decay()
    kernels -= {id(p) for n, p in model.named_parameters() if n in exempt}
    decayed, _ = ({*group.parameters.values()} for group in parameter_groups(model, Recipe()))
    assert {id(p) for p in decayed} == kernels


@pytest.mark.parametrize("name", names())
def test_every_published_network_is_finite_in_bfloat16(name):
    """Weights as well, not only by autocast; trained, so that drop path is in it."""
    model = shrunk(name).bfloat16().train()
    logits = model(torch.randn(2, 3, 26, 20, dtype=torch.bfloat16))
    logits.sum().backward()
    assert logits.dtype == torch.bfloat16 and logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", names())
def test_every_published_network_is_the_same_channels_last(name):
    model = shrunk(name).eval()
    images = torch.randn(2, 3, 26, 20)
    with torch.no_grad():
        expected = model(images)
        model.to(memory_format=torch.channels_last)
        found = model(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", names())
def test_every_published_network_names_its_ends_as_timm_does(name):
    model = shrunk(name)
    first = model.pretrained_cfg["first_conv"]
    assert first == ("patch_embed.proj" if model.variant.stem == "patch" else "patch_embed.convs.0")
    assert isinstance(model.get_submodule(first), nn.Conv2d)
    assert model.get_submodule("head.fc") is model.get_classifier()
    assert next(iter(model.state_dict())) == f"{first}.weight"

"""What timm's own tests ask of its networks, asked of ours; timm itself is not needed.

The behaviours of ``tests/test_models.py`` of https://github.com/huggingface/pytorch-image-models,
for small networks; ``benchmarks/timm_calls.py`` asks timm's own tools.
"""

import copy
import fnmatch
import math
import re

import pytest
import torch
from torch import nn

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry

# Ten blocks, and the three published networks that stand for the others, at a small size.
WORDS = (
    "w_msa+mdta",
    "sw_msa+mdta:gate",
    "conv+w_msa",
    "mdta+w_msa:cascade",
    "conv+w_msa:cross",
    "w_msa+xca:split",
    "pooled+w_msa:concat",
    "focal+w_msa:scale",
    "large_conv+w_msa:selective",
    "grid(attention=cosine;bias=continuous)",
)
SMALL = {"img_size": 32, "embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (2, 2, 4, 4)}
HYBRID_T = {"img_size": 64}  # its stages have widths and words of their own
NAMES = ("swin_t", "hybrid_t", *WORDS)


def make(name, **arguments):
    torch.manual_seed(0)
    small = HYBRID_T if name == "hybrid_t" else SMALL
    return hs.create_model(name, pretrained=False, **{"window_size": 2} | small | arguments)


def images_for(model, batch=2):
    return torch.randn(batch, *model.default_cfg["input_size"])


@pytest.mark.parametrize("name", NAMES)
def test_a_forward_pass_and_with_blocks_recomputed(name):
    model = make(name).eval()
    images = images_for(model)
    out = model(images)
    assert out.shape == (2, 1000) and out.isfinite().all()
    model.set_grad_checkpointing()
    torch.testing.assert_close(model(images), out, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_backward_pass_reaches_every_parameter(name):
    model = make(name, num_classes=42).train()
    out = model(images_for(model))
    out.mean().backward()
    assert out.shape[-1] == 42
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_a_network_is_so(name):
    model = make(name).eval()
    cfg, images = model.default_cfg, images_for(model)
    assert model.output_fmt == "NHWC" and cfg is model.pretrained_cfg
    assert model.num_classes == cfg["num_classes"] == 1000
    assert (model.in_chans, model.embed_dim) == (3, model.variant.stages[0].width)
    features = model.forward_features(images)
    assert features.shape == (2, *cfg["pool_size"], model.num_features)
    before = model.forward_head(features, pre_logits=True)
    assert before.shape == (2, model.head_hidden_size)
    torch.testing.assert_close(model.get_classifier()(before), model(images))
    state = model.state_dict()
    assert f"{cfg['classifier']}.weight" in state and f"{cfg['first_conv']}.weight" in state

    model.reset_classifier(0)
    assert model.num_classes == 0 and isinstance(model.get_classifier(), nn.Identity)
    torch.testing.assert_close(model(images), before)
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(images), features)
    bare = make(name, num_classes=0, global_pool="").eval()
    assert bare(images).shape == features.shape


@pytest.mark.parametrize(
    ("pool", "slow"),
    [
        ("avg", lambda x: x.mean((1, 2))),
        ("max", lambda x: x.flatten(1, 2).max(1).values),
        ("avgmax", lambda x: (x.mean((1, 2)) + x.flatten(1, 2).max(1).values) / 2),
        ("catavgmax", lambda x: torch.cat([x.mean((1, 2)), x.flatten(1, 2).max(1).values], 1)),
    ],
)
def test_pools(pool, slow):
    model = make("swin_t", num_classes=5, global_pool=pool).eval()
    images = images_for(model)
    expected = slow(model.forward_features(images))
    torch.testing.assert_close(
        model.forward_head(model.forward_features(images), pre_logits=True), expected
    )
    assert model.head_hidden_size == expected.shape[1] and model.global_pool == pool
    other = make("swin_t", num_classes=5).eval()
    other.reset_classifier(7, pool)
    assert other(images).shape == (2, 7) and other.global_pool == pool
    other.reset_classifier(3)  # the pool stays
    assert other(images).shape == (2, 3) and other.global_pool == pool


def test_a_fresh_classifier_keeps_type_mode_and_dropout():
    model = make("swin_t", drop_rate=0.5, dtype=torch.float64).train()
    model.reset_classifier(4)
    assert model.head.fc.weight.dtype == torch.float64 and model.head.training
    assert model.head.drop.p == 0.5
    features = torch.ones(1, 1, 1, model.num_features, dtype=torch.float64)
    dropped = model.forward_head(features, pre_logits=True)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    model.eval()
    assert torch.equal(model.forward_head(features, pre_logits=True), features[0, 0])


@pytest.mark.parametrize("name", NAMES)
def test_maps_of_the_stages(name):
    model = make(name, features_only=True).eval()
    images = images_for(model)
    channels, reductions = model.feature_info.channels(), model.feature_info.reduction()
    maps = model(images)
    assert len(channels) == len(maps) == 4 and model.output_fmt == "NCHW"
    for c, r, found in zip(channels, reductions, maps, strict=True):
        side = math.ceil(images.shape[-1] / r)
        assert found.shape == (2, c, side, side) and found.isfinite().all()
    info = model.feature_info
    assert len(info) == 4 and info[0] == info.get_dicts()[0]
    assert info.get_dicts(keys=["reduction"]) == [{"reduction": r} for r in reductions]


@pytest.mark.parametrize("name", NAMES)
def test_maps_on_the_way(name):
    model = make(name).eval()
    images = images_for(model)
    final, maps = model.forward_intermediates(images)
    torch.testing.assert_close(final, model.forward_features(images))
    for entry, found in zip(model.feature_info, maps, strict=True):
        assert found.shape[1] == entry["num_chs"]
        assert found.shape[2] == math.ceil(images.shape[-1] / entry["reduction"])
    chosen = model.forward_intermediates(
        images, indices=[2, 0], output_fmt="NHWC", stop_early=True, intermediates_only=True
    )
    for found, index in zip(chosen, (0, 2), strict=True):  # as they are computed
        assert torch.equal(found, maps[index].permute(0, 2, 3, 1))


def test_a_network_cut_behind_a_stage():
    model = make("swin_t").eval()
    images = images_for(model)
    _, maps = model.forward_intermediates(images)
    cut = copy.deepcopy(model)
    assert cut.prune_intermediate_layers([1, -4], prune_norm=True) == [0, 1]
    assert torch.equal(cut(images), maps[1].permute(0, 2, 3, 1))
    assert cut.num_features == cut.variant.stages[-1].width == 32
    facts = {"architecture": cut.variant.name, "pool_size": cut.variant.grids[1], "num_classes": 0}
    assert facts.items() <= cut.pretrained_cfg.items()
    assert len(cut.variant.stages) == 2 and "label_names" not in cut.pretrained_cfg
    assert model.pretrained_cfg["num_classes"] == model.num_classes
    cut.reset_classifier(3, "avg")
    assert cut(images).shape == (2, 3) and cut.pretrained_cfg["num_classes"] == 3
    normed = copy.deepcopy(model)
    normed.prune_intermediate_layers(2)
    assert torch.equal(normed(images), model.forward_features(images))
    with pytest.raises(InputError, match="prune_head=False keeps a head for 128 channels"):
        model.prune_intermediate_layers([0], prune_head=False)
    assert len(model.layers) == 4


def layers_of(model, coarse=False):
    """Names of parameters by layer, from the rules that ``group_matcher`` gives, as timm reads."""
    rules = []
    for order, spec in enumerate(model.group_matcher(coarse).values()):
        specs = [(spec, None)] if isinstance(spec, str) else spec
        rules += [(re.compile(pattern), order, more) for pattern, more in specs]
    keys = {}
    for name, _ in model.named_parameters():
        found = next(((r.match(name), o, m) for r, o, m in rules if r.match(name)), None)
        if found is None:
            keys[name] = (math.inf,)
            continue
        match, order, more = found
        keys[name] = (order, *map(float, match.groups()), *(more or ()))
    numbers, layer = {}, -1
    for key in sorted(set(keys.values())):
        layer += layer < 0 or key[-1] != 99999
        numbers[key] = layer
    return {name: numbers[key] for name, key in keys.items()}


def test_layers_for_rates_that_decay():
    """Groups of Swin-T as timm's: 28 by 12 blocks, stem and head, with weight decay or without."""
    with torch.device("meta"):
        model = hs.create_model("swin_t")
    layers = layers_of(model)
    assert max(layers.values()) == 13
    assert layers["patch_embed.proj.weight"] == 0 and layers["layers.0.blocks.0.mlp.fc1.bias"] == 1
    assert layers["layers.3.blocks.1.norm1.weight"] == layers["norm.weight"] == 12
    assert layers["head.fc.weight"] == 13
    exempt = model.no_weight_decay()
    groups = {
        (layers[name], p.ndim <= 1 or any(fnmatch.fnmatch(name, e) for e in exempt))
        for name, p in model.named_parameters()
    }
    assert len(groups) == 28
    assert set(layers_of(model, coarse=True).values()) == set(range(6))


def test_another_size_in_place():
    model = make("swin_t", img_size=(64, 32), window_size=4).eval()
    images = torch.randn(1, 3, 40, 56)
    before = model(images)
    model.set_input_size((40, 56))
    assert model.default_cfg["input_size"] == (3, 40, 56) == (3, *model.variant.image_size)
    assert model.default_cfg["pool_size"] == (2, 2)
    rebuilt = hs.create_model(model.variant).eval()
    assert [p.shape for p in rebuilt.parameters()] == [p.shape for p in model.parameters()]
    hs.load_weights(rebuilt, model.state_dict())
    torch.testing.assert_close(rebuilt(images), model(images))
    assert before.shape == model(images).shape


def windows(model):
    return [layer.blocks[0].attn.window for layer in model.layers]


@torch.no_grad()
def test_windows_that_small_maps_had_shrunk_stay():
    """Of 48 pixels, maps of 12, 6, 3 and 2 tokens per side; on 128 they would be of 7."""
    model = make("swin_t", img_size=48, window_size=7).eval()
    assert windows(model) == [(7, 7), (6, 6), (3, 3), (2, 2)]
    images = [torch.randn(1, 3, *size) for size in ((48, 48), (128, 128), (40, 100))]
    before, state = [model(x) for x in images], model.state_dict()
    assert model.set_input_size(128) == ()
    assert windows(model) == [(7, 7), (6, 6), (3, 3), (2, 2)]
    assert all(torch.equal(model(x), out) for x, out in zip(images, before, strict=True))
    assert [stage.window_size for stage in model.variant.stages] == [None, 6, 3, 2]
    rebuilt = hs.create_model(model.variant).eval()
    rebuilt.load_state_dict(state)
    assert torch.equal(rebuilt(images[2]), before[2])
    assert model.set_input_size(224) == model.set_input_size(48) == ()
    assert torch.equal(model(images[0]), before[0])


@torch.no_grad()
def test_windows_shrink_to_smaller_maps_and_compute_there_what_they_did():
    model = make("swin_t", img_size=64, window_size=4).eval()
    small = torch.randn(1, 3, 32, 32)
    before = model(small)
    tables = model.set_input_size(32)  # maps of 8, 4, 2 and 1
    names = [n for n, _ in model.named_parameters() if "bias_table" in n]
    assert list(tables) == [name for name in names if name.startswith(("layers.2", "layers.3"))]
    torch.testing.assert_close(model(small), before)
    assert model.variant == make("swin_t", img_size=32, window_size=4).variant
    hs.create_model(model.variant).load_state_dict(model.state_dict())
    tables = model.set_input_size(window_size=2)
    assert list(tables) == [name for name in names if name.startswith(("layers.0", "layers.1"))]


@torch.no_grad()
@pytest.mark.parametrize(("option", "same"), [("", False), (";pretrained_window_size=4", True)])
def test_continuous_biases_of_a_window_that_shrinks_count_by_their_scale(option, same):
    words = (f"w_msa(attention=cosine;bias=continuous{option})",)
    torch.manual_seed(0)
    model = hs.HybridSwin(hs.Variant(16, 3, 3, 4, 4, 2, [hs.Stage(8, 1, 2, words)])).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    small = torch.randn(1, 3, 8, 8)
    before = model(small)
    assert model.set_input_size(8) == ()
    assert torch.allclose(model(small), before, atol=1e-4) is same


def test_windows_that_cannot_all_stay_are_asked_for():
    stage = hs.Stage(8, 2, 2, ("w_msa", "w_msa(small_map=pad)"))
    model = hs.HybridSwin(hs.Variant(16, 3, 3, 4, 7, 2, [stage]))
    before = model.variant
    with pytest.raises(
        InputError, match=r"\(w_msa 4, w_msa\(small_map=pad\) 7\).* give window_size"
    ):
        model.set_input_size(32)
    assert model.variant == before
    model.set_input_size(32, window_size=7)
    model.set_input_size(64)
    assert model.variant.window_sizes == (7,)


def test_windows_beside_plugins_stay(write_plugin):
    registry.add_plugin(write_plugin("average"))
    model = hs.HybridSwin(hs.Variant(16, 3, 3, 4, 7, 2, [hs.Stage(8, 1, 2, ("average",))]))
    model.set_input_size(64)
    assert model.variant.window_sizes == (7,)


def test_other_windows_in_place_resize_their_biases():
    model = make("swin_t", img_size=64, window_size=4).eval()
    other = make("swin_t", img_size=64, window_size=8).eval()
    hs.load_weights(other, model.state_dict())
    model.set_input_size(window_size=(8, 8))
    assert model.variant == other.variant
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(model(images), other(images))
    model.set_input_size(128, window_ratio=8)
    assert model.variant.window_size == 4 and model.variant.image_size == (128, 128)
    model.train()(images).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_windows_of_two_sides(tmp_path):
    model = make("swin_t", img_size=64, window_size=(4, 8)).eval()
    assert model.variant.window_size == (4, 8)
    assert [layer.blocks[0].attn.window for layer in model.layers] == [
        (4, 8),
        (4, 8),
        (4, 4),
        (2, 2),
    ]
    square = make("swin_t", img_size=64, window_size=4).eval()
    hs.save_weights(model, tmp_path / "oblong.safetensors")
    report = hs.load_weights(square, tmp_path / "oblong.safetensors")
    model.set_input_size(window_size=4)
    assert model.variant == square.variant and len(report.resized) == 2
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(model(images), square(images))
    model.set_input_size((128, 64), window_ratio=8)
    assert model.variant.window_size == (4, 2) and model(images).shape == (1, 1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 8}, "for another patch_size or always_partition make a network"),
        ({"window_size": (7, 9, 7)}, "or two for height and width, such as .*; got .7, 9, 7"),
        ({"window_ratio": 0}, "window_ratio must be a whole number of at least 1"),
        ({"img_size": 0}, "image_size must be a whole number of at least 1"),
    ],
)
def test_sizes_that_cannot_be_set_change_nothing(arguments, message):
    model = make("swin_t")
    before = model.variant
    with pytest.raises(InputError, match=message):
        model.set_input_size(**arguments)
    assert model.variant == before


def test_a_size_that_is_strict():
    model = make("swin_t", strict_img_size=True).eval()
    model(torch.randn(1, 3, 32, 32))
    for call in (model, model.forward_intermediates):
        with pytest.raises(InputError, match="images of 32x36 pixels where the network is for 32"):
            call(torch.randn(1, 3, 32, 36))
    model.set_input_size((32, 36))
    model(torch.randn(1, 3, 32, 36))
    make("swin_t", dynamic_img_size=True).eval()(torch.randn(1, 3, 32, 36))


def test_first_weights_by_timms_name():
    model = make("swin_t")
    with torch.no_grad():
        model.norm.weight.fill_(7)
    model.init_weights()
    assert (model.norm.weight == 1).all()
    std = model.head.fc.weight.std()
    model.init_weights("lecun_normal")
    assert model.head.fc.weight.std() > 2 * std
    with pytest.raises(InputError, match="unknown mode of init_weights 'jax'"):
        model.init_weights("jax")


def test_where_and_of_what_a_network_is_made():
    model = make("swin_t", device="meta", dtype=torch.float16)
    assert all(p.is_meta and p.dtype == torch.float16 for p in model.parameters())
    assert make("swin_t", dtype=torch.bfloat16).patch_embed.proj.weight.dtype == torch.bfloat16


def test_stages_by_timms_names():
    model = hs.create_model("swin_t", embed_dim=8, depths=(1, 3), num_heads=[2, 4], img_size=32)
    assert [(s.width, s.depth, s.num_heads) for s in model.variant.stages] == [
        (8, 1, 2),
        (16, 3, 4),
    ]
    widths = hs.create_model("hybrid_t", num_classes=None, img_size=32, depths=(1, 1, 1, 1))
    assert [s.width for s in widths.variant.stages] == [
        s.width for s in hs.resolve_variant("hybrid_t").stages
    ]
    assert hs.create_model("s3_t", window_size=7).variant.window_sizes == (7, 7, 7, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": True}, "has no weights here, and none are downloaded"),
        ({"global_pool": "mean"}, "unknown global_pool 'mean'"),
        ({"global_pool": ""}, "1000 classes cannot be read from"),
        ({"drop_rate": 1.5}, "drop_rate must be a number of at least 0"),
        ({"depths": 2}, "depths must have one value per stage"),
        ({"depths": (1, 2), "num_heads": (2,)}, "as many of all; got depths 2, num_heads 1"),
        ({"depths": (1,) * 5}, "5 stages of a variant of 4: give depths and num_heads of all"),
        ({"window_size": (7, 9, 7)}, "or two for height and width, such as .*; got .7, 9, 7"),
        ({"embed_dim": 97}, "width 97 is not divisible by num_heads 3"),
        (
            {"img_sizes": 32},
            "unknown argument 'img_sizes'; did you mean 'img_size'",
        ),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(InputError, match=message):
        hs.create_model("swin_t", **arguments)


def test_weights_from_a_file(tmp_path):
    model = make("w_msa+mdta", num_classes=5)
    hs.save_weights(model, tmp_path / "weights.safetensors")
    arguments = {"num_classes": 5, "checkpoint_path": tmp_path / "weights.safetensors"}
    images = images_for(model)
    for pretrained in (False, True):  # what timm would download the file replaces
        torch.manual_seed(1)
        again = hs.create_model("w_msa+mdta", pretrained, window_size=2, **SMALL, **arguments)
        assert torch.equal(again.eval()(images), model.eval()(images))


def test_a_fresh_head_does_not_know_the_names_of_the_old_ones_classes():
    model = hs.create_model("w_msa", img_size=32, embed_dim=8, depths=(1,), num_heads=(1,))
    model.pretrained_cfg = model.pretrained_cfg | {"mean": (0.1,) * 3, "label_names": ("a", "b")}
    model.reset_classifier(2)
    assert "label_names" not in model.pretrained_cfg and model.pretrained_cfg["mean"] == (0.1,) * 3

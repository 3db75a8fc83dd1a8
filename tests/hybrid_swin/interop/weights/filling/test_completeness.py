"""Files of which a part is missing, and files that never had it."""

import re

import pytest
import torch
from safetensors.torch import load_file

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.network.pyramid import Pyramid

BIAS = "layers.0.blocks.1.attn.qkv.bias"
PARTS = {
    "timm": (BIAS, "norm.bias", "norm.weight", "head.fc.weight"),
    "microsoft": (BIAS, "norm.bias", "norm.weight", "head.weight"),
    "torchvision": ("features.1.1.attn.qkv.bias", "norm.bias", "norm.weight", "head.weight"),
    "huggingface": (
        "swin.encoder.layers.0.blocks.1.attention.k_proj.bias",
        *("swin.layernorm.bias", "swin.layernorm.weight", "classifier.weight"),
    ),
}


def without(weights, *endings):
    return {name: tensor for name, tensor in weights.items() if not name.endswith(endings)}


def refused(model, source, *lost):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = ", ".join(name.removeprefix("swin.") for name in lost)
    with pytest.raises(InputError, match=rf"is incomplete: .*{re.escape(names)}"):
        hs.load_weights(model, source)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


@pytest.mark.parametrize(
    ("library", "lost"), [(library, name) for library, found in PARTS.items() for name in found]
)
def test_one_lost_parameter_of_a_kind_is_named(golden, small_swin, library, lost):
    weights = golden(library).weights
    assert lost in weights
    refused(small_swin(), without(weights, lost), lost)


@pytest.mark.parametrize("library", ["timm", "microsoft", "torchvision"])
def test_biases_of_version_2_are_in_all_attentions_or_in_none(golden, library):
    stages = [
        hs.Stage(8 * 2**i, 2, 2, ("w_msa(attention=cosine;bias=continuous)",), norm="post")
        for i in (0, 1)
    ]
    fields = {"patch_size": 2, "window_size": 4, "mlp_ratio": 2, "merging_norm": "post"}
    variant = hs.Variant(image_size=16, num_classes=3, stages=stages, **fields)
    weights = golden(f"{library}_v2").weights
    first = "features.1.1" if library == "torchvision" else "layers.0.blocks.1"
    lost = f"{first}.attn.{'qkv.bias' if library == 'torchvision' else 'v_bias'}"
    refused(hs.HybridSwin(variant), without(weights, lost), lost)
    report = hs.load_weights(
        hs.HybridSwin(variant), without(weights, "q_bias", "v_bias", "qkv.bias")
    )
    assert "the source has no biases of queries, keys and values" in str(report)


def test_a_config_that_says_biases_wants_them(golden, small_swin, tmp_path):
    weights = without(golden("huggingface").weights, *(f"{part}_proj.bias" for part in "qkv"))
    torch.save(weights, tmp_path / "pytorch_model.bin")
    for said in ("true", "false"):
        (tmp_path / "config.json").write_text(f'{{"model_type": "swin", "qkv_bias": {said}}}')
        if said == "true":
            refused(small_swin(), tmp_path, "12 weights that the model needs")
        else:
            assert hs.load_weights(small_swin(), tmp_path).is_as_in_source


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (("w_msa", "sw_msa"), BIAS),
        (("conv", "conv"), "layers.1.blocks.0.attn.dwconv.bias"),
        (("conv+w_msa", "sw_msa+mdta:gate"), "layers.0.blocks.0.attn.branches.1.qkv.bias"),
        (("mdta",), "head.fc.bias"),
        (("mdta",), "norm.bias"),
        (("pooled",), "layers.1.blocks.1.norm2.weight"),
    ],
)
def test_a_file_of_ours_holds_all_of_its_variant(small_swin, tmp_path, words, lost):
    model = small_swin(*words)
    hs.save_weights(model, tmp_path / "a.safetensors")
    hyper = {"variant": model.variant.to_dict()}
    content = {"state_dict": load_file(tmp_path / "a.safetensors"), "hyper_parameters": hyper}
    torch.save(content | {"state_dict": without(content["state_dict"], lost)}, tmp_path / "b.pth")
    refused(small_swin(*words, seed=1), tmp_path / "b.pth", lost)
    refused(small_swin("conv", num_classes=3), tmp_path / "b.pth", lost)
    with pytest.raises(InputError, match="is incomplete"):
        hs.load(tmp_path / "b.pth")
    torch.save(content, tmp_path / "b.pth")
    assert hs.load_weights(small_swin(*words, seed=1), tmp_path / "b.pth").is_as_in_source


def test_a_file_of_ours_may_do_without_its_end(small_swin, tmp_path):
    model = small_swin("conv+w_msa", "mdta")
    hyper = {"variant": model.variant.to_dict()}
    for ends in (("head.fc.weight", "head.fc.bias"), ("norm.weight", "norm.bias")):
        weights = {n: t for n, t in model.state_dict().items() if n not in ends}
        report = hs.load_weights(
            small_swin("conv+w_msa", "mdta", seed=1),
            {"state_dict": weights, "hyper_parameters": hyper},
        )
        assert report.fresh == ends
    hs.save_weights(Pyramid(model, 1), tmp_path / "a.safetensors")
    hs.load_weights(small_swin("conv+w_msa", "mdta", seed=1), tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (("conv+w_msa",), "layers.0.blocks.1.attn.branches.1.qkv.bias"),
        (("conv+w_msa",), "layers.0.blocks.1.attn.branches.1.relative_position_bias_table"),
        (("conv",), "layers.0.blocks.1.attn.dwconv.bias"),
    ],
)
def test_a_mixer_that_is_whole_elsewhere_is_damaged(small_swin, words, lost):
    weights = without(small_swin(*words).state_dict(), lost)
    with pytest.raises(InputError, match=f"has no {lost.partition('.attn.')[2]} in the source"):
        hs.load_weights(small_swin(*words), weights)


def test_a_fusion_without_parameters_is_no_damaged_one(small_swin):
    """A sum has the names of a gate, but for the gate's own."""
    weights = small_swin("conv+w_msa", "conv+w_msa:gate").state_dict()
    report = hs.load_weights(small_swin("conv+w_msa:gate"), weights)
    assert report.blocks[0].how == "fresh"

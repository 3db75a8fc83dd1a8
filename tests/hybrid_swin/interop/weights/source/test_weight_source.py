import json
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from hybrid_swin.errors import InputError
from hybrid_swin.interop.trained import load
from hybrid_swin.interop.weights.source.weight_source import read_source
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

WORDS = "conv+w_msa", "mdta"
VARIANT = Variant(8, 1, 0, 2, 2, 2, [Stage(8, 2, 2, WORDS), Stage(16, 2, 2, WORDS)])


def wrapped(weights, *keys):
    for key in reversed(keys):
        weights = {key: weights, "best": torch.ones(1), "optimizer": {"state": {}}}
    return weights


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("model",),
        ("state_dict",),
        ("model_ema",),
        ("state_dict_ema",),
        ("model", "state_dict"),
        ("weights", "model", "module"),
    ],
)
def test_wrappings_are_taken_off(golden, keys):
    weights = golden("microsoft").weights
    source = read_source(wrapped(OrderedDict(weights), *keys))
    assert (source.layout, source.place) == ("microsoft", ".".join(keys))
    assert len(source.weights) == len(golden("timm").weights)
    assert source.leftover == {} and source.variant is None


def test_averaged_weights_come_first(golden):
    timm = golden().weights
    zeros = {name: torch.zeros_like(tensor) for name, tensor in timm.items()}
    source = read_source({"state_dict": zeros, "state_dict_ema": timm})
    assert source.place == "state_dict_ema"
    assert torch.equal(source.weights["norm.weight"], timm["norm.weight"])
    assert read_source({"model": zeros, "model_ema": None}).place == "model"
    assert read_source({"model": zeros, "model_ema": {}}).place == "model"


def test_what_has_no_place_is_left_over(golden):
    weights = golden("microsoft").weights | {
        "absolute_pos_embed": torch.zeros(1),
        "layers.0.blocks.1.attn.surprise": torch.zeros(1),
    }
    source = read_source(weights)
    assert source.leftover == {
        "absolute_pos_embed": "trunk",
        "layers.0.blocks.1.attn.surprise": "layers.0.blocks.1",
    }
    weights = {f"module.{n}": t for n, t in golden().weights.items()}
    source = read_source(weights | {"decoder.weight": torch.zeros(1)})
    assert source.leftover == {"decoder.weight": None}
    assert source.keys["norm.weight"] == ("module.norm.weight",)


def test_what_follows_from_sizes_is_not_missed(golden):
    for library in ("microsoft", "torchvision", "huggingface", "timm"):
        name = "layers.0.blocks.0.attn.relative_position_index"
        source = read_source(golden(library).weights | {name: torch.zeros(49, 49)})
        assert source.leftover == {} and name not in source.weights


# The variant beside


def test_the_variant_of_a_checkpoint_is_read(tmp_path, golden):
    timm = golden().weights
    content = {"state_dict": timm, "hyper_parameters": {"variant": VARIANT.to_dict()}}
    assert read_source(content).variant == VARIANT
    told = {"variant": json.dumps(VARIANT.to_dict())}
    save_file(timm, tmp_path / "a.safetensors", told)
    assert read_source(tmp_path / "a.safetensors").variant == VARIANT


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "told", ["", "{}", "[]", "{", '{"stages": 3}', "null", DEEP, '{"stages": ' + DEEP, "1e999"]
)
def test_a_variant_that_cannot_be_read_is_none(tmp_path, golden, told):
    save_file(golden().weights, tmp_path / "a.safetensors", {"variant": told})
    assert read_source(tmp_path / "a.safetensors").variant is None


@pytest.mark.parametrize("told", ["{", DEEP, '{"stages": ' + DEEP])
def test_a_network_is_not_made_of_a_variant_that_cannot_be_read(tmp_path, golden, told):
    save_file(golden().weights, tmp_path / "a.safetensors", {"variant": told})
    with pytest.raises(InputError, match="does not say which variant it is of"):
        load(tmp_path / "a.safetensors")


def test_a_variant_with_an_unknown_plug_in_is_none(golden):
    data = replace(VARIANT, num_classes=4).to_dict()
    data["stages"][0]["blocks"] = ["mine"]
    hyper = {"variant": data}
    assert read_source({"model": golden().weights, "hyper_parameters": hyper}).variant is None


# Errors


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, r"holds no weights by name \(inside: nothing\)"),
        (
            {"epoch": 3, "best": 0.5},
            r"holds .* \(inside: epoch, best\); give a state dict, plain or",
        ),
        ({"model": {"a": 1}}, r"holds no weights by name \(inside 'model': a\)"),
        ({"model": {"model": {"model": {"model": {"model": {}}}}}}, "holds no weights by name"),
        ({1: torch.ones(1)}, "holds no weights by name"),
        ({"a": [1.0, 2.0]}, "holds no weights by name"),
    ],
)
def test_a_mapping_without_weights_is_refused(content, said):
    with pytest.raises(InputError, match=f"^the state dict {said}"):
        read_source(content)


def test_another_network_is_refused():
    resnet = {f"layer{i}.0.conv1.weight": torch.ones(1) for i in range(9)}
    message = (
        r"is of another network: no name of a Swin's among its 9 weights "
        r"\(layer0.0.conv1.weight, layer1.0.conv1.weight, layer2.0.conv1.weight, ...\)"
    )
    with pytest.raises(InputError, match=message):
        read_source(resnet)


@pytest.mark.parametrize("source", [None, 3, [torch.ones(1)], torch.ones(3), b"swin.pth"])
def test_what_is_neither_path_nor_mapping_is_refused(source):
    with pytest.raises(InputError, match=r"^weights come from a path or a state dict; got "):
        read_source(source)

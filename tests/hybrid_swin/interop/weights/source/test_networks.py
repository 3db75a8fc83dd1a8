"""Which of a file's networks is taken, and what is not a network."""

import json

import pytest
import torch
from safetensors.torch import save_file

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import init_hash, weights_hash


@pytest.fixture
def two(golden):
    """A network and another of zeros, to be told apart by any weight."""
    weights = golden("microsoft").weights
    zeros = {
        name: tensor if "relative_position_index" in name else torch.zeros_like(tensor)
        for name, tensor in weights.items()
    }
    return weights, zeros


def under(prefix, weights):
    return {f"{prefix}.{name}": tensor for name, tensor in weights.items()}


def is_zeros(model):
    return not model.norm.weight.any()


# Averages


@pytest.mark.parametrize(
    ("plain", "averaged"),
    [("net", "ema"), ("z_net", "a.ema_model.module"), ("model", "swa_model.module"), ("x", "avg")],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_average_beside_its_network_is_taken_and_said(two, small_swin, plain, averaged, first):
    weights, zeros = two
    parts = [under(plain, zeros), under(averaged, weights)]
    content = {**parts[not first], **parts[first]}
    for source in (content, {"state_dict": content, "epoch": 3}):
        model = small_swin()
        report = hs.load_weights(model, source)
        assert not is_zeros(model)
        assert report.place.endswith(averaged)
        (note,) = report.notes
        assert f"{averaged}' was taken, the averaged one, whose scores" in note
        assert "weights_prefix takes another" in note and plain in note
        assert any(note in line for line in report.warnings())
        model = small_swin()
        assert hs.load_weights(model, source, weights_prefix=plain).notes == ()
        assert is_zeros(model)


@pytest.mark.parametrize(
    ("plain", "averaged"),
    [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("model", "ema_state_dict")],
)
def test_mappings_of_a_training_script_are_chosen_alike(two, small_swin, plain, averaged):
    weights, zeros = two
    model = small_swin()
    report = hs.load_weights(model, {plain: zeros, averaged: under("module", weights)})
    assert not is_zeros(model) and report.place == f"{averaged}.module"
    content = {plain: zeros, averaged: under("module", weights)}
    for prefix, taken in ((plain, True), (averaged, False), (f"{averaged}.module", False)):
        hs.load_weights(model, content, weights_prefix=prefix)
        assert is_zeros(model) is taken


@pytest.mark.parametrize("name", ["non_ema", "no_ema", "not.averaged", "without_ema"])
def test_a_name_that_denies_an_average_is_none(two, small_swin, name):
    weights, zeros = two
    model = small_swin()
    with pytest.raises(InputError, match="weights_prefix"):
        hs.load_weights(model, {"model": zeros, name: weights})
    hs.load_weights(model, {"ema": weights, name: zeros})
    assert not is_zeros(model)


def test_lightnings_averaging_keeps_the_average_in_its_state_dict(two, small_swin):
    weights, zeros = two
    content = {
        "state_dict": under("model", weights),
        "current_model_state": under("model", zeros),
        "averaging_state": {"n_averaged": torch.tensor(3)},
    }
    model = small_swin()
    (note,) = hs.load_weights(model, content).notes
    assert not is_zeros(model) and "Lightning's WeightAveraging" in note


def test_an_average_deep_in_a_checkpoint_is_found(two, small_swin):
    """As a callback of Lightning's keeps it."""
    weights, zeros = two
    content = {
        "state_dict": under("model", zeros),
        "callbacks": {"EMA": {"ema_weights": under("model", weights)}},
    }
    model = small_swin()
    report = hs.load_weights(model, content)
    assert report.place == "callbacks.EMA.ema_weights.model" and not is_zeros(model)


# Several of which none is more likely


@pytest.mark.parametrize(
    "names",
    [("student", "teacher"), ("encoder", "encoder_k"), ("rgb", "depth"), ("ema_a", "ema_b")],
)
@pytest.mark.parametrize("nested", [True, False])
def test_several_networks_are_never_chosen_by_their_names(two, small_swin, names, nested):
    content = {}
    for name, weights in zip(names, two, strict=True):
        content |= {name: weights} if nested else under(name, weights)
    model = small_swin()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    with pytest.raises(InputError) as error:
        hs.load_weights(model, content)
    one, other = names
    assert str(error.value) == (
        f"the state dict holds 2 networks: '{one}', '{other}'; say which to take by "
        f"weights_prefix, such as weights_prefix='{one}'"
    )
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    for name, zeros in zip(names, (False, True), strict=True):
        report = hs.load_weights(model, content, weights_prefix=f"{name}.")
        assert is_zeros(model) is zeros and report.place == name and report.notes == ()
    with pytest.raises(InputError, match=f"no network at weights_prefix 'other'; .* '{one}', "):
        hs.load_weights(model, content, weights_prefix="other")


def test_a_network_at_the_top_has_an_empty_prefix(two, small_swin):
    weights, zeros = two
    content, model = {**zeros, **under("teacher", weights)}, small_swin()
    with pytest.raises(InputError, match="holds 2 networks: '', 'teacher'"):
        hs.load_weights(model, content)
    hs.load_weights(model, content, weights_prefix="")
    assert is_zeros(model)


def test_one_network_saved_twice_is_one(golden, small_swin):
    weights = golden().weights
    report = hs.load_weights(small_swin(), {"model": weights, "state_dict": dict(weights)})
    assert report.notes == () and report.place == "model"


def test_first_weights_of_another_prefix_are_another_training(golden, tmp_path):
    save_file(golden().weights, tmp_path / "a.safetensors")
    plain = weights_hash(tmp_path / "a.safetensors")
    assert init_hash(tmp_path / "a.safetensors") == plain
    assert init_hash(tmp_path / "a.safetensors", "ema") == f"{plain} ema"


def test_another_network_beside_is_none_to_choose_from(two, small_swin):
    """A vision transformer embeds its patches by the same names."""
    weights, _ = two
    other = {
        "patch_embed.proj.weight": torch.ones(4, 3, 2, 2),
        "blocks.0.norm1.weight": torch.ones(4),
    }
    report = hs.load_weights(small_swin(), {**under("vit", other), **under("swin", weights)})
    assert report.place == "swin" and report.notes == ()
    assert set(under("vit", other)) <= set(report.unused) and report.is_as_in_source
    with pytest.raises(InputError, match="weights_prefix must be text; got 3"):
        hs.load_weights(small_swin(), weights, weights_prefix=3)


# What is not a network


@pytest.mark.parametrize(
    "name",
    [
        "layers.0.blocks.0.attn.qkv.base_layer.weight",
        "layers.0.blocks.0.attn.qkv.lora_A.default.weight",
        "layers.0.blocks.0.attn.qkv.lora_magnitude_vector.default.weight",
        "layers.0.blocks.0.mlp.fc1.ia3_l.default",
        "base_model.model.layers.0.attn.hada_w1_a",
        "lora_down.weight",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_an_adapter_is_one_clear_refusal(golden, small_swin, name, whole):
    weights = {**(golden().weights if whole else {}), name: torch.ones(2, 2)}
    for source in (weights, {"state_dict": weights}):
        with pytest.raises(InputError) as error:
            hs.load_weights(small_swin(), source)
        assert str(error.value) == (
            f"the state dict holds an adapter ({name}), so its weights are not those that the "
            "network used; merge it where it was trained (peft: model.merge_and_unload()), and "
            "save the whole network"
        )


def test_a_folder_of_an_adapter_is_refused(tmp_path, small_swin):
    (tmp_path / "adapter_config.json").write_text("{}")
    save_file({"a.lora_A.weight": torch.ones(2)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(InputError, match="holds an adapter alone, not a network; merge it"):
        hs.load_weights(small_swin(), tmp_path)
    with pytest.raises(InputError, match="holds an adapter"):
        hs.load_weights(small_swin(), tmp_path / "adapter_model.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        "layers.0.blocks.0.attn.qkv.weight.absmax",
        "layers.0.blocks.0.attn.qkv.weight.quant_state.bitsandbytes__nf4",
        "layers.0.blocks.0.attn.qkv.SCB",
        "layers.0.blocks.0.attn.qkv.qweight",
        "layers.0.blocks.0.attn.qkv._packed_params._packed_params",
    ],
)
def test_quantised_weights_are_refused(golden, small_swin, name):
    weights = {**golden().weights, name: torch.ones(2)}
    with pytest.raises(InputError, match=r"holds quantised weights \(.*\); take those in floating"):
        hs.load_weights(small_swin(), weights)


@pytest.mark.parametrize("name", ["attn.qkv.weight", "mlp.fc1.weight"])
def test_packed_numbers_without_a_mark_are_refused(golden, small_swin, name):
    weights = golden().weights
    packed = torch.zeros(weights[f"layers.0.blocks.0.{name}"].numel() // 2, 1, dtype=torch.uint8)
    with pytest.raises(
        InputError, match=rf"{name} is uint8 .* give dense weights in floating point"
    ):
        hs.load_weights(small_swin(), weights | {f"layers.0.blocks.0.{name}": packed})


def test_the_state_of_an_optimizer_is_refused(small_swin, tmp_path):
    model = small_swin()
    optimizer = torch.optim.AdamW(model.parameters())
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    with pytest.raises(InputError, match="is the state of an optimizer, not a network"):
        hs.load_weights(model, tmp_path / "optimizer.pt")


# Weights in several files


def shards(golden, folder):
    weights, places = golden().weights, {}
    for k, name in enumerate(sorted(weights)):
        places[name] = f"model-0000{k % 2 + 1}-of-00002.safetensors"
    for file in sorted(set(places.values())):
        save_file({n: weights[n] for n in weights if places[n] == file}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index, places


def test_an_index_and_its_folder_are_one(golden, small_swin, tmp_path):
    index, places = shards(golden, tmp_path)
    for source in (index, tmp_path):
        model = small_swin()
        report = hs.load_weights(model, source)
        assert report.is_as_in_source and report.fresh == ()
    before = weights_hash(tmp_path)
    assert before == weights_hash(index)
    part = tmp_path / places["norm.weight"]
    save_file({n: torch.zeros(3) for n in places if places[n] == part.name}, part)
    assert weights_hash(tmp_path) != before


def test_one_part_and_a_broken_index_are_refused(golden, small_swin, tmp_path):
    index, places = shards(golden, tmp_path)
    part = tmp_path / places["norm.weight"]
    with pytest.raises(
        InputError, match=r"is one of 2 parts; give the path of the folder or of 'mo"
    ):
        hs.load_weights(small_swin(), part)
    for text, said in (
        ("{", "is not an index of weights"),
        ("[" * 100_000, "is not an index of weights"),
        ('{"weight_map": 3}', "is not an index of weights"),
        (json.dumps({"weight_map": {"a": "../b"}}), "names '../b', which is not in its folder"),
        (json.dumps({"weight_map": {"a": "gone.bin"}}), "names 'gone.bin', which is not in its"),
        (json.dumps({"weight_map": {**places, "b": part.name}}), "does not hold 'b'; copy them"),
    ):
        index.write_text(text)
        with pytest.raises(InputError, match=said):
            hs.load_weights(small_swin(), tmp_path)


# What a stranger's checkpoint may hold beside, or instead


@pytest.mark.parametrize(
    "names",
    [
        ("weight_orig", "weight_mask"),
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ],
)
def test_weights_in_parts_are_refused(golden, small_swin, names):
    weights = dict(golden().weights)
    whole = weights.pop("layers.0.blocks.0.attn.qkv.weight")
    weights |= {f"layers.0.blocks.0.attn.qkv.{name}": whole for name in names}
    with pytest.raises(InputError, match=r"holds weights in parts \(.*\), as pruning or a weight"):
        hs.load_weights(small_swin(), weights)


@pytest.mark.parametrize("names", [("mean", "std"), ("0.mean", "0.std"), ("norm.pixel_mean",)])
def test_a_source_that_normalises_its_images_is_not_the_same(golden, small_swin, names):
    inside = "1." if names[0].startswith("0.") else ""
    weights = {inside + key: tensor for key, tensor in golden().weights.items()}
    assert hs.load_weights(small_swin(), weights).is_as_in_source
    weights |= {name: torch.ones(3) for name in names}
    report = hs.load_weights(small_swin(), weights)
    assert not report.is_as_in_source
    assert report.outside == (
        f"the source normalises its images itself ({', '.join(names)}), the model does not",
    )


def test_weights_without_one_finite_number_are_refused(golden, small_swin):
    weights = {key: torch.full_like(t.float(), torch.nan) for key, t in golden().weights.items()}
    with pytest.raises(InputError, match="NaN or infinity in all"):
        hs.load_weights(small_swin(), weights)


def test_weights_of_8_bits_are_read_as_numbers(golden, small_swin):
    weights = {k: t.to(torch.float8_e4m3fn) for k, t in golden().weights.items()}
    model = small_swin()
    hs.load_weights(model, weights)
    expected = weights["norm.weight"].float()
    assert torch.equal(model.state_dict()["norm.weight"], expected)


def test_averages_beside_their_weights_in_one_mapping(two, small_swin):
    weights, zeros = two
    model = small_swin()
    both = zeros | {f"{name}_ema": tensor for name, tensor in weights.items()}
    report = hs.load_weights(model, both)
    assert not is_zeros(model) and report.place == "ema" and not report.unused
    assert any("'ema' was taken" in note for note in report.notes)
    hs.load_weights(model, both, weights_prefix="")
    assert is_zeros(model)

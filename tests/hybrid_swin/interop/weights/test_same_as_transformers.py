"""What a report says of being as in the source, against transformers' own networks."""

import json
import warnings
from dataclasses import fields

import pytest
import torch
import transformers
from torch import nn
from transformers import (
    DonutSwinConfig,
    DonutSwinModel,
    MaskFormerSwinBackbone,
    MaskFormerSwinConfig,
    SwinBackbone,
    SwinConfig,
    SwinForImageClassification,
    SwinForMaskedImageModeling,
    SwinModel,
    Swinv2Config,
)
from transformers.models.maskformer.modeling_maskformer_swin import MaskFormerSwinModel

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.configs import IDLE, IN_SHAPES, READ

SIZES = {"patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4}
SIZES |= {"mlp_ratio": 2.0, "num_labels": 3, "image_size": 32}
PLAIN, MAP = ("w_msa", "sw_msa"), ("w_msa", "sw_msa(shift=map)")
DENSE = "w_msa(small_map=pad)", "sw_msa(small_map=pad;shift=always)"
SAME = 1e-5


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def theirs(kind=SwinForImageClassification, config=SwinConfig, **changes):
    torch.manual_seed(0)
    model = kind(config(**SIZES | changes)).eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=1.0 * ("norm" in name and "weight" in name), std=0.3)
    return model


def ours(size=(32, 32), words=PLAIN, **changes):
    stages = [hs.Stage(8, 2, 2, words), hs.Stage(16, 2, 2, words)]
    variant = hs.Variant(
        **{"image_size": size, "num_classes": 3, "patch_size": 2, "window_size": 4, "mlp_ratio": 2}
        | changes,
        stages=stages,
    )
    return hs.HybridSwin(variant).eval()


def loaded(model, other, folder, **changes):
    other.save_pretrained(folder, **changes)
    return hs.load_weights(model, folder)


@torch.no_grad()
def difference(model, other, size, give=None):
    """Of the logits, over the size of theirs; none where they refuse the images."""
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    try:
        expected = give(other, x) if give else other(x).logits
    except RuntimeError:
        return None
    found = model.norm(model.layers(model.patch_embed(x))) if give else model(x)
    return float((found - expected).norm() / expected.norm())


# Sizes


@pytest.mark.parametrize("words", [PLAIN, MAP])
@pytest.mark.parametrize(
    "size",
    [(16, 16), (32, 32), (16, 32), (32, 16), (20, 20), (18, 26), (15, 17), (8, 8), (8, 16)],
)
def test_blocks_are_as_in_the_source_only_where_they_are(size, words, tmp_path):
    other, model = theirs(image_size=list(size)), ours(size, words)
    report = loaded(model, other, tmp_path)
    found = difference(model, other, size)
    assert report.is_as_in_source is (found is not None and found < SAME)
    assert report.rules == ("transformers",) and report.basis == "the config.json beside it"
    assert report.image_size == size
    if found is None:
        assert any("transformers takes no map of" in block.why for block in report.blocks)
    elif not report.is_as_in_source:
        (changed,) = (block for block in report.blocks if block.how == "changed")
        assert (
            "(write sw_msa(shift=map) or load with follow_source=True to have that)" in changed.why
        )
        assert changed.difference > 0.01 and "its output differs by 0.4" in str(report)


def test_an_oblong_swin_t_differs_unless_the_shift_is_taken_over():
    """As reported by a user: 224 x 448 pixels, whose last map is 7 x 14."""
    torch.manual_seed(0)
    other = SwinModel(SwinConfig(depths=[2, 2, 2, 2], embed_dim=24)).eval()
    sizes = [(24 * 2**i, 2, heads) for i, heads in enumerate((3, 6, 12, 24))]
    for words, same in ((PLAIN, False), (MAP, True)):
        stages = [hs.Stage(*size, words) for size in sizes]
        model = hs.HybridSwin(hs.Variant((224, 448), 3, 0, 4, 7, 4, stages)).eval()
        report = hs.load_weights(model, other.state_dict())
        assert report.is_as_in_source is same
        wrong = [] if same else ["layers.3.blocks.1"]
        assert [b.name for b in report.blocks if b.how != "taken"] == wrong
        x = torch.randn(1, 3, 224, 448)
        with torch.no_grad():
            expected = other(x).last_hidden_state
            assert torch.allclose(model.forward_features(x).flatten(1, 2), expected, atol=1e-4) is (
                same
            )


# Configs


@pytest.mark.parametrize(
    ("changes", "blocks", "outside"),
    [
        ({"hidden_act": "relu"}, "MLPs have GELU where the source has relu", ""),
        ({"hidden_act": "gelu_new"}, "MLPs have GELU where the source has gelu_new", ""),
        (
            {"hidden_act": "relu", "qkv_bias": False},
            "MLPs have GELU where the source has relu",
            "",
        ),
        ({"hidden_act": "quick_gelu"}, "MLPs have GELU where the source has quick_gelu", ""),
        (
            {"layer_norm_eps": 0.01},
            "norms have eps 1e-05 where the source has 0.01",
            "the last norm has eps 1e-05 where the source has 0.01",
        ),
        (
            {"use_absolute_embeddings": True},
            "",
            r"the source adds swin.embeddings.position_embeddings \(1, 256, 8\) to the patches, "
            r"the model does not \(its root mean square is 0.2",
        ),
        (
            {"window_size": 2},
            "windows of 4x4 on a map of 16x16, 2x2 in transformers; its bias table is interpolated",
            "",
        ),
    ],
)
def test_a_config_that_makes_another_network_is_told(changes, blocks, outside, tmp_path):
    other, model = theirs(**changes), ours()
    report = loaded(model, other, tmp_path)
    assert difference(model, other, (32, 32)) > 1e-4 and not report.is_as_in_source
    if blocks:
        assert {b.how for b in report.blocks} == {"changed"}
        assert report.blocks[0].why.startswith(blocks)
        assert report.blocks[0].difference > 1e-5
        assert any(blocks in line for line in report.warnings())
    else:
        assert {b.how for b in report.blocks} == {"taken"}
    if outside:
        (said,) = report.outside
        assert pytest.importorskip("re").match(outside, said)
    else:
        assert not report.outside
    assert report.left_out == (
        ("swin.embeddings.position_embeddings",) if "use_absolute_embeddings" in changes else ()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"qkv_bias": False},
        {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "drop_path_rate": 0.5},
        {"initializer_range": 0.1, "encoder_stride": 8},
        {"hidden_act": "gelu_python"},
        {"problem_type": "regression", "output_hidden_states": True},
        {"image_size": 64},
    ],
)
def test_a_config_that_makes_no_other_network_is_none(changes, tmp_path):
    other, model = theirs(**changes), ours()
    report = loaded(model, other, tmp_path)
    assert difference(model, other, (32, 32)) < SAME and report.is_as_in_source
    assert not any("not known here" in note for note in report.notes)


def test_every_field_of_their_configs_is_accounted_for():
    known = {*READ, *IN_SHAPES, *IDLE}
    for config in (SwinConfig, Swinv2Config):
        named = {f.name.removeprefix("_") for f in fields(config)} | set(config().to_dict())
        assert {n for n in named if n not in known and f"_{n}" not in known} == set(), config


def test_a_field_that_is_not_known_is_named(tmp_path):
    other = theirs(window_dilation=2)
    report = loaded(ours(), other, tmp_path)
    assert {(block.how, block.why) for block in report.blocks} == {
        ("unsure", "what fields of its config may change is not known here: window_dilation")
    }
    assert not report.is_as_in_source and report.other_sizes == ""


def test_fields_that_older_configs_list_for_any_model_are_idle(tmp_path):
    old = {"pruned_heads": {}, "torchscript": False, "num_beams": 1, "max_length": 20}
    loaded(ours(), theirs(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, how in ((old, "taken"), (old | {"pruned_heads": {"0": [1]}}, "unsure")):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        assert {b.how for b in hs.load_weights(ours(), tmp_path).blocks} == {how}


def test_what_a_config_switches_off_is_not_used(tmp_path):
    """Weights may hold what the network does not use; transformers drops it with a warning."""
    other = theirs(use_absolute_embeddings=True)
    other.save_pretrained(tmp_path)
    off = {"use_absolute_embeddings": False, "qkv_bias": False}
    other.config.update(off)
    other.config.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.logging.set_verbosity_error()
        again = SwinForImageClassification.from_pretrained(tmp_path).eval()
    model = ours()
    report = hs.load_weights(model, tmp_path)
    assert difference(model, again, (32, 32)) < SAME
    assert report.outside == () and {b.how for b in report.blocks} == {"taken"}


def test_position_embeddings_of_zeros_change_nothing():
    other, model = theirs(use_absolute_embeddings=True), ours()
    nn.init.zeros_(other.swin.embeddings.position_embeddings)
    report = hs.load_weights(model, other.state_dict())
    assert difference(model, other, (32, 32)) < SAME and report.outside == ()
    assert report.notes == (
        "swin.embeddings.position_embeddings is all zeros, so nothing is lost without it",
    )


def test_without_a_config_its_librarys_defaults_are_named():
    report = hs.load_weights(ours(), theirs().state_dict())
    assert report.basis == "its defaults, no config beside" and report.rules == ("transformers",)
    assert "compared by the rules of: transformers (its defaults, no config beside)" in str(report)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("{", "the config.json beside it cannot be read (Expecting property name"),
        ("[]", "the config.json beside it cannot be read (it is not a mapping)"),
        ("[" * 100_000, "the config.json beside it cannot be read"),
        ('{"model_type": "vit"}', "is of no Swin in the layout of huggingface: not used"),
        ('{"architecture": "swin_tiny"}', "is of no Swin in the layout of huggingface: not used"),
        (
            '{"model_type": "swin", "depths": [2, 6], "embed_dim": 8, "hidden_act": "relu"}',
            "the config.json beside it is of another network (depths [2, 6], width 8): not used",
        ),
        (
            '{"model_type": "swin", "depths": "x", "embed_dim": [8], "layer_norm_eps": "a", '
            '"architectures": 3, "qkv_bias": 1}',
            "",
        ),
    ],
)
def test_a_config_that_says_nothing_is_said(text, note, tmp_path):
    theirs().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    report = hs.load_weights(ours(), tmp_path / "model.safetensors")
    assert {b.how for b in report.blocks} == {"taken"}
    assert all(note in said for said in report.notes) and bool(report.notes) is bool(note)


# Other models of theirs


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def last_map(other, x):
    """What the last norm gives."""
    swin = getattr(other, "swin", other)
    return swin(x).last_hidden_state.unflatten(1, (x.shape[2] // 4, x.shape[3] // 4))


def backbone_map(other, x):
    return channels_last(other(x).feature_maps[-1])


@pytest.mark.parametrize(
    ("kind", "config", "give", "dense"),
    [
        (SwinModel, SwinConfig, last_map, False),
        (SwinForMaskedImageModeling, SwinConfig, last_map, False),
        (SwinBackbone, SwinConfig, backbone_map, True),
    ],
)
@pytest.mark.parametrize("words", [PLAIN, MAP, DENSE])
@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_their_other_models_have_their_own_rules(kind, config, give, dense, words, size, tmp_path):
    out = {"out_features": ["stage1", "stage2"]} if dense else {}
    other, model = theirs(kind, config, image_size=16, **out), ours(size, words)
    report = loaded(model, other, tmp_path)
    assert report.rules == ("transformers' backbones" if dense else "transformers",)
    assert report.is_as_in_source is (difference(model, other, size, give) < SAME)
    assert report.left_out == ()


def test_the_encoders_of_donut_and_maskformer(tmp_path):
    donut = theirs(DonutSwinModel, DonutSwinConfig)
    model = ours(words=MAP)
    report = loaded(model, donut, tmp_path / "donut")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = donut(x).last_hidden_state
        torch.testing.assert_close(
            model.layers(model.patch_embed(x)).flatten(1, 2), expected, atol=1e-4, rtol=1e-4
        )
    assert {block.how for block in report.blocks} == {"taken"} and report.fresh[0] == "norm.weight"
    assert report.outside == ("the source has no last norm; the model's is fresh",)
    assert not report.is_as_in_source  # ours normalises that map
    former = theirs(MaskFormerSwinBackbone, MaskFormerSwinConfig, image_size=16)
    for words, same in ((PLAIN, False), (DENSE, True)):
        model = ours((16, 16), words)
        report = loaded(model, former, tmp_path / "maskformer")
        assert report.rules == ("transformers' backbones",) and report.is_as_in_source is same


def test_a_bare_state_dict_may_be_of_two_networks_of_theirs(tmp_path):
    """MaskFormer's has the names that files of SwinModel have, and shifts on maps of one window."""
    former = theirs(MaskFormerSwinModel, MaskFormerSwinConfig, image_size=16)
    model = ours((16, 16), MAP)
    report = hs.load_weights(model, former.state_dict())
    assert report.rules == ("transformers", "transformers' backbones")
    assert not report.is_as_in_source
    unsure = [block for block in report.blocks if block.how == "unsure"]
    assert [block.name for block in unsure] == ["layers.1.blocks.1"]
    assert "if the source is of transformers' backbones: a shift of" in unsure[0].why
    assert "(write sw_msa(shift=always;small_map=pad) to have that)" in unsure[0].why
    assert report.other_sizes.startswith("if it is of transformers: maps of features are those of")
    assert "follow_source" not in str(report)  # it would refuse
    with pytest.raises(InputError, match=r"for transformers or w_msa\(small_map=pad\) and "):
        hs.load_weights(model, former.state_dict(), follow_source=True)
    theirs(SwinModel, image_size=16).save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    assert len(hs.load_weights(model, tmp_path / "model.safetensors").rules) == 2
    assert hs.load_weights(model, theirs().state_dict()).rules == ("transformers",)


def test_weights_in_several_files_are_read(tmp_path):
    other, model = theirs(), ours()
    report = loaded(model, other, tmp_path, max_shard_size="20KB")
    assert difference(model, other, (32, 32)) < SAME and report.is_as_in_source
    assert report.source.endswith("model.safetensors.index.json'")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1

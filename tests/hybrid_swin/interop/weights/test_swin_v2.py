"""Weights of Swin Transformer V2, and what a report says of them, against other libraries' own."""

import dataclasses
import json
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Swinv2Backbone, Swinv2Config, Swinv2ForImageClassification, Swinv2Model

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.comparison.block_differences import UNKNOWN
from hybrid_swin.interop.weights.source.layouts import recognise_all, to_timm

SIZES = {"patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4}
SIZES |= {"mlp_ratio": 2.0, "num_labels": 3, "image_size": 16}
V2 = "attention=cosine;bias=continuous"
FIRST = "pretrained_window_size=2"
SAME = 1e-5
LIBRARIES = "timm", "microsoft", "torchvision"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def ours(size=(16, 16), w_msa="", sw_msa=None, norm="post", merging_norm="post", add="", **changes):
    """A small V2; ``w_msa`` and ``sw_msa`` are further options of its words."""
    second = w_msa if sw_msa is None else sw_msa
    pairs = (("w_msa", w_msa), ("sw_msa", second))
    words = tuple(f"{word}({';'.join(filter(None, (V2, more)))}){add}" for word, more in pairs)
    stages = [hs.Stage(8 * 2**i, 2, 2, words, norm=norm) for i in range(2)]
    fields = {"num_classes": 3, "patch_size": 2, "window_size": 4, "mlp_ratio": 2} | changes
    torch.manual_seed(5)
    variant = hs.Variant(image_size=size, stages=stages, merging_norm=merging_norm, **fields)
    return hs.HybridSwin(variant).eval()


def theirs(kind=Swinv2ForImageClassification, **changes):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch.meshgrid without indexing
        model = kind(Swinv2Config(**SIZES | changes)).eval()
    for name, parameter in model.named_parameters():
        mean = 2.0 if "logit_scale" in name else 1.0 * ("norm" in name and "weight" in name)
        nn.init.normal_(parameter, mean=mean, std=0.3)
    return model


@torch.no_grad()
def difference(model, other, size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    found, expected = model(x), other(x).logits
    return float((found - expected).norm() / expected.norm())


# Logits of other libraries


@pytest.mark.parametrize("library", LIBRARIES)
def test_weights_of_every_library_give_its_logits(golden, library):
    source = golden(f"{library}_v2")
    model = ours(w_msa="" if library == "torchvision" else FIRST)
    report = hs.load_weights(model, source.weights)
    with torch.no_grad():
        torch.testing.assert_close(model(source.images), source.logits, rtol=0, atol=2e-5)
    assert report.layout == library and report.rules
    assert (report.fresh, report.unused, report.left_out, report.outside) == ((), (), (), ())
    # timm keeps no table of offsets in its files, so they do not say their windows
    assert {b.how for b in report.blocks} == {"unsure" if library == "timm" else "taken"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_are_recognised_behind_a_prefix(golden, library):
    weights = {f"model.{n}": t for n, t in golden(f"{library}_v2").weights.items()}
    ((layout, prefix),) = recognise_all(weights)
    assert (layout, prefix) == (library, "model.")
    named, _ = to_timm(weights, layout, prefix)
    parameters = dict(ours().named_parameters())
    assert {n: named[n].shape for n in parameters} == {n: p.shape for n, p in parameters.items()}


# A height that is no longer than the width counts for both; a row that is odd is lost
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(
    "size", [(16, 16), (32, 32), (16, 32), (32, 16), (20, 20), (18, 26), (15, 17), (8, 8), (10, 10)]
)
def test_blocks_are_as_in_transformers_only_where_they_are(size, fixed, tmp_path):
    other = theirs(image_size=list(size))
    options = ("small_map=fixed", "small_map=fixed;shift=fixed") if fixed else ("", "")
    model = ours(size, *options)
    other.save_pretrained(tmp_path)
    report = hs.load_weights(model, tmp_path)
    same = difference(model, other, size) < SAME
    assert report.is_as_in_source is same
    assert report.rules == ("transformers",) and report.basis == "the config.json beside it"
    assert (size[0] == size[1] and size != (10, 10)) <= same
    for block in report.blocks:
        if block.how != "taken":
            assert block.how == "changed" and "in transformers" in block.why
    assert same or max(b.difference or 0 for b in report.blocks) > 0.01


@pytest.mark.parametrize(("made_for", "same"), [(16, True), (32, False), ([40, 16], False)])
def test_of_a_config_for_another_image_size_windows_are_laid_for_that(made_for, same, tmp_path):
    """Its last map of 4 x 4 is shifted if the network was made for a larger one."""
    other, model = theirs(image_size=made_for), ours()
    other.save_pretrained(tmp_path)
    report = hs.load_weights(model, tmp_path)
    assert (difference(model, other, (16, 16)) < SAME) is report.is_as_in_source is same
    said = "a shift of 0x0 on a map of 4x4, 2x2 in transformers"
    if made_for == 32:
        said += ", made for 32x32 (make the model with that image_size to have that)"
    assert [b.why for b in report.blocks if b.why] == [said] * (not same)
    assert same or report.blocks[3].difference > 0.01


def test_of_another_image_size_the_rules_of_transformers_are_options():
    """Its windows and shifts are those of its nominal size; written so, ours are as well."""
    other = theirs()
    model = ours((16, 16), "small_map=fixed", "small_map=fixed;shift=fixed")
    hs.load_weights(model, other.state_dict())
    for size in ((16, 16), (32, 32), (24, 40), (20, 12)):
        assert difference(model, other, size) < SAME
    plain = ours()
    hs.load_weights(plain, other.state_dict())
    assert difference(plain, other, (32, 32)) > 0.01


def test_the_rules_of_transformers_can_be_followed():
    other, model = theirs(), ours()
    report = hs.load_weights(model, other.state_dict(), follow_source=True)
    assert model.variant.stages[0].blocks == (
        f"w_msa({V2};small_map=fixed)",
        f"sw_msa({V2};shift=fixed;small_map=fixed)",
    )
    assert {b.how for b in report.blocks} == {"unsure"}  # nothing says the windows
    for size in ((16, 16), (32, 32), (24, 40), (20, 12)):
        assert difference(model, other, size) < SAME


# Windows, and those of the first training


@pytest.mark.parametrize(
    ("window", "first", "option", "why"),
    [
        (4, 0, 0, ""),
        (4, 2, 2, ""),
        (4, 4, 0, ""),
        (4, 2, 0, "position biases count offsets by windows of 4x4, by 2x2 in the source"),
        (4, 0, 2, "position biases count offsets by windows of 2x2, by 4x4 in the source"),
        (2, 0, 2, "windows of 4x4 on a map of 8x8, 2x2 in transformers"),
    ],
)
def test_a_network_fine_tuned_with_larger_windows_is_the_same(window, first, option, why, tmp_path):
    other = theirs(window_size=window, pretrained_window_sizes=[first, first])
    other.save_pretrained(tmp_path)
    model = ours(w_msa=f"pretrained_window_size={option}")
    report = hs.load_weights(model, tmp_path)
    assert (difference(model, other, (16, 16)) < SAME) is report.is_as_in_source is (not why)
    assert all(b.why.startswith(why.partition(" on a map")[0]) for b in report.blocks)
    assert not why or report.blocks[0].difference > 1e-4


@pytest.mark.parametrize("library", ["microsoft", "torchvision"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_table_of_offsets_says_its_windows(golden, library, dtype):
    source = golden(f"{library}_v2").weights
    tables = {n: t.to(dtype) for n, t in source.items() if n.endswith("coords_table")}
    right, wrong = ("", FIRST) if library == "torchvision" else (FIRST, "")
    assert hs.load_weights(ours(w_msa=right), source | tables).is_as_in_source
    report = hs.load_weights(ours(w_msa=wrong), source | tables)
    assert {b.how for b in report.blocks} == {"changed"}
    report = hs.load_weights(ours(w_msa=right, window_size=2), source | tables)
    assert report.blocks[0].why.startswith("windows of 2x2 on a map of 8x8, 4x4 in ")
    without = {n: t for n, t in source.items() if n not in tables}
    report = hs.load_weights(ours(w_msa=right), without)
    assert {b.how for b in report.blocks} == {"unsure"}
    first = "" if library == "torchvision" else ", first trained with 2x2"
    said = f"the source does not say if its windows are of 4x4{first}; no weight shows it"
    assert {b.why for b in report.blocks} == {said}


@pytest.mark.parametrize("library", ["microsoft", "torchvision"])
def test_other_pairs_of_tokens_are_told(golden, library):
    source = golden(f"{library}_v2").weights
    name = next(n for n in source if n.endswith("relative_position_index"))
    for odd in (source[name].flip(0), source[name] + 99, source[name][:1].clone()):
        report = hs.load_weights(
            ours(w_msa="" if library == "torchvision" else FIRST), source | {name: odd}
        )
        assert (
            "relative_position_index pairs tokens as no bias table of ours" in report.blocks[0].why
        )
        assert [b.how for b in report.blocks] == ["changed", "taken", "taken", "taken"]


ARCHITECTURE = {"architecture": "swinv2_base_window12to4_192to16"}


@pytest.mark.parametrize(
    ("config", "same"),
    [
        (ARCHITECTURE | {"model_args": {"pretrained_window_sizes": [2, 2]}}, True),
        (ARCHITECTURE | {"model_args": {"pretrained_window_sizes": [2, 4]}}, False),
        (
            {
                "architecture": "swinv2_tiny_window8_256",
                "model_args": {
                    "window_size": [[4, 4], 4],
                    "depths": [2, 2],
                    "pretrained_window_sizes": [2, 2],
                },
            },
            True,
        ),
        ({"architecture": "swinv2_tiny_window4_256"}, False),
        (ARCHITECTURE | {"model_args": {"pretrained_window_sizes": [[2, 2], [2, 2]]}}, True),
        (ARCHITECTURE | {"model_args": {"pretrained_window_sizes": [[2, 3], [2, 3]]}}, False),
    ],
)
def test_a_config_of_timms_says_its_windows(golden, config, same, tmp_path):
    save_file(golden("timm_v2").weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    report = hs.load_weights(ours(w_msa=FIRST), tmp_path)
    assert report.is_as_in_source is same and report.basis == "the config.json beside it"
    assert "unsure" not in {b.how for b in report.blocks}


@pytest.mark.parametrize(
    ("arguments", "how", "why"),
    [
        (
            {"pretrained_window_sizes": [[2, 3], [2, 3]]},
            "changed",
            "position biases count offsets by windows of 2x2, by 2x3 in the source, which no "
            "pretrained_window_size of ours is: it is one number for both sides",
        ),
        (
            {"pretrained_window_sizes": [2, 2], "act_layer": "relu"},
            "unsure",
            "what fields of its config may change is not known here: act_layer",
        ),
        (
            {"pretrained_window_sizes": [2.5, 2.5]},
            "unsure",
            "what fields of its config may change is not known here: pretrained_window_sizes",
        ),
    ],
)
def test_what_timms_config_says_and_ours_cannot_is_told(golden, arguments, how, why, tmp_path):
    save_file(golden("timm_v2").weights, tmp_path / "model.safetensors")
    config = ARCHITECTURE | {"model_args": arguments}
    (tmp_path / "config.json").write_text(json.dumps(config))
    first = "" if how == "unsure" and "act_layer" not in arguments else FIRST
    report = hs.load_weights(ours(w_msa=first), tmp_path)
    assert {(block.how, block.why) for block in report.blocks} == {(how, why)}
    assert not report.is_as_in_source and "logits are those" not in report.other_sizes


def test_the_names_of_timms_networks_say_both_trainings():
    from hybrid_swin.interop.weights.source.configs import timm_facts

    facts = timm_facts("swinv2_base_window12to24_192to384.ms_in22k_ft_in1k", {})
    assert (
        facts.is_v2
        and facts.windows == ((24, 24),)
        and facts.pretrained
        == (
            *((12, 12), (12, 12), (12, 12)),
            (6, 6),
        )
    )
    facts = timm_facts("swinv2_tiny_window16_256", {})
    assert facts.windows == ((16, 16),) and facts.pretrained == ()
    for nothing in (0, -3, "8", [], [0, 0], [[4, 4], 0], {"a": 1}, None):
        assert timm_facts("swin_tiny", {"window_size": nothing}).windows == ()
    assert timm_facts("swinv2_cr_tiny_224", {}).rules is None


# Configs


@pytest.mark.parametrize(
    ("changes", "block", "outside"),
    [
        ({"qkv_bias": False}, "", ""),
        ({"hidden_act": "relu"}, "MLPs have GELU where the source has relu", ""),
        ({"layer_norm_eps": 0.1}, "norms have eps 1e-05 where the source has 0.1", "the last norm"),
    ],
)
def test_a_config_that_makes_another_network_is_told(changes, block, outside, tmp_path):
    other = theirs(**changes)
    other.save_pretrained(tmp_path)
    model = ours()
    report = hs.load_weights(model, tmp_path)
    same = not (block or outside)
    assert (difference(model, other, (16, 16)) < SAME) is report.is_as_in_source is same
    assert all(b.why == block and (b.difference or 0) * same == 0 for b in report.blocks)
    assert not block or report.blocks[0].difference > 1e-4
    assert bool(report.outside) is bool(outside)
    assert not outside or report.outside[0].startswith(outside)
    assert not any("not known here" in note for note in report.notes)


def test_sizes_that_no_memory_holds_are_told_and_not_tried(tmp_path):
    hs.save_weights(ours(), tmp_path / "a.safetensors", layout="huggingface")
    weights = load_file(tmp_path / "a.safetensors")
    config = SIZES | {"model_type": "swinv2", "window_size": 10**6, "image_size": 10**8}
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 10**400}))
    report = hs.load_weights(ours(), tmp_path / "model.safetensors")
    assert {(b.how, b.difference) for b in report.blocks} == {("changed", None)}


def test_position_embeddings_are_told():
    """transformers' own network with them does not run: it makes one too many."""
    report = hs.load_weights(ours(), theirs(use_absolute_embeddings=True).state_dict())
    assert report.outside[0].startswith("the source adds swinv2.embeddings.position_embeddings (1,")


@pytest.mark.parametrize("largest", [2.0, 4.0])
def test_a_mask_that_is_added_twice_is_told_where_it_may_count(largest, tmp_path):
    other = theirs()
    other.swinv2.encoder.layers[0].blocks[1].attention.self.logit_scale.data[0] = largest
    model = ours()
    report = hs.load_weights(model, other.state_dict())
    said = (
        "transformers adds -200 to hidden pairs where ours, as the authors' code, adds -100: with"
    )
    assert any(note.startswith(said) for note in report.notes) is (largest == 4.0)
    assert difference(model, other, (16, 16)) < SAME


@pytest.mark.parametrize("kind", [Swinv2Model, Swinv2Backbone])
def test_their_other_models_have_the_same_rules(kind, tmp_path):
    out = {"out_features": ["stage1", "stage2"]} if kind is Swinv2Backbone else {}
    other = theirs(kind, **out)
    other.save_pretrained(tmp_path)
    model = ours()
    report = hs.load_weights(model, tmp_path)
    assert {b.how for b in report.blocks} == {"taken"} and report.left_out == ()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        found = model.layers(model.patch_embed(x))
        if kind is Swinv2Model:
            found, expected = model.norm(found).flatten(1, 2), other(x).last_hidden_state
        else:
            expected = other(x).feature_maps[-1].permute(0, 2, 3, 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


# The other version


def test_version_2_is_refused_in_a_network_of_version_1(golden, small_swin):
    plain = [hs.Stage(8 * 2**i, 2, 2, ("w_msa", "sw_msa"), norm="post") for i in range(2)]
    fields = {"num_classes": 3, "patch_size": 2, "window_size": 4, "mlp_ratio": 2}
    model = hs.HybridSwin(hs.Variant(image_size=16, stages=plain, merging_norm="post", **fields))
    hybrid = small_swin("w_msa+mdta:gate", "sw_msa+mdta:gate")
    for library in LIBRARIES:
        for network in (model, small_swin(), hybrid):
            with pytest.raises(
                InputError, match=r"is of Swin Transformer V2 .* build it as swin_v2"
            ):
                hs.load_weights(network, golden(f"{library}_v2").weights)


@pytest.mark.parametrize("library", [*LIBRARIES, "huggingface"])
def test_version_1_is_refused_in_a_network_of_version_2(golden, small_swin, library):
    words = f"w_msa({V2})", f"sw_msa({V2})"
    for model in (small_swin(*words), small_swin(*words, norm="post", merging_norm="post")):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with pytest.raises(InputError, match=r"is of Swin version 1 .* build it as swin_t is"):
            hs.load_weights(model, golden(library).weights)
        assert all(torch.equal(tensor, before[n]) for n, tensor in model.state_dict().items())


def test_another_merging_is_refused(golden, small_swin):
    with pytest.raises(InputError, match=r"behind it, as Swin V2 does.* merging_norm: post"):
        hs.load_weights(ours(merging_norm="pre"), golden("microsoft_v2").weights)
    with pytest.raises(
        InputError, match=r"before their projection, as Swin does.* merging_norm: p"
    ):
        hs.load_weights(small_swin(merging_norm="post"), golden().weights)


def test_a_merging_whose_shapes_do_not_tell_is_told_by_its_variant(tmp_path):
    """Widths that grow fourfold make both norms equally wide."""
    stages = [hs.Stage(8 * 4**i, 1, 2, ("conv",)) for i in range(2)]
    made = [hs.Variant(16, stages=stages, merging_norm=norm) for norm in ("pre", "post")]
    hs.save_weights(hs.HybridSwin(made[0]), tmp_path / "pre.safetensors")
    hs.load_weights(hs.HybridSwin(made[0]), tmp_path / "pre.safetensors")
    with pytest.raises(InputError, match=r"build it with merging_norm: pre"):
        hs.load_weights(hs.HybridSwin(made[1]), tmp_path / "pre.safetensors")


def test_another_number_of_heads_is_refused(golden):
    model = ours(w_msa=FIRST)
    stages = [hs.Stage(s.width, 2, 4, s.blocks, norm="post") for s in model.variant.stages]
    model = hs.HybridSwin(dataclasses.replace(model.variant, stages=tuple(stages)))
    for library in LIBRARIES:
        with pytest.raises(InputError, match="the attention has 2 heads in the source, 4 in"):
            hs.load_weights(model, golden(f"{library}_v2").weights)


@pytest.mark.parametrize("part", ["logit_scale", "cpb_mlp.0.bias", "proj.weight"])
def test_a_part_of_an_attention_is_refused(golden, part):
    weights = golden("microsoft_v2").weights
    del weights[f"layers.0.blocks.1.attn.{part}"]
    with pytest.raises(InputError, match=f"layers.0.blocks.1: the attention has no {part} in"):
        hs.load_weights(ours(w_msa=FIRST), weights)


def test_norms_in_other_places_are_told(golden):
    report = hs.load_weights(ours(w_msa=FIRST, norm="pre"), golden("microsoft_v2").weights)
    assert {b.why for b in report.blocks} == {
        "norms before mixer and MLP where the source has them after"
    }


def test_a_temperature_beside_a_swin_makes_it_no_version_2(golden, small_swin):
    """As in CLIP, whose images a Swin may embed."""
    weights = {f"visual.trunk.{n}": t for n, t in golden().weights.items()}
    report = hs.load_weights(small_swin(), weights | {"logit_scale": torch.ones(())})
    assert {b.how for b in report.blocks} == {"taken"}
    assert hs.load_weights(small_swin(), golden().weights | {"logit_scale": torch.ones(())}).taken


def test_openmmlabs_layout_of_version_2_is_refused(golden):
    weights = {
        n.replace("layers.", "stages.").replace(".attn.", ".attn.w_msa."): t
        for n, t in golden("timm_v2").weights.items()
    }
    weights["patch_embed.projection.weight"] = weights.pop("patch_embed.proj.weight")
    with pytest.raises(InputError, match="V2 in OpenMMLab's layout, which is not read; give Micro"):
        hs.load_weights(ours(), weights)


# Our own, and hybrids


def test_our_own_files_are_read_back(tmp_path):
    model = ours(w_msa=FIRST)
    for name in ("v2.safetensors", "v2.pth"):
        hs.save_weights(model, tmp_path / name)
        other = ours(w_msa=FIRST)
        nn.init.zeros_(other.norm.weight)
        report = hs.load_weights(other, tmp_path / name)
        assert torch.equal(other.norm.weight, model.norm.weight) and report.fresh == ()
    report = hs.load_weights(ours(), tmp_path / "v2.safetensors")
    said = "position biases count offsets by windows of 4x4, by 2x2 in the source"
    assert all(b.why.startswith(said) for b in report.blocks)


def test_one_option_of_version_2_makes_no_version_2(small_swin):
    """Neither norms behind nor other windows are expected of it."""
    words = "w_msa(bias=continuous)", "sw_msa(bias=continuous)"
    other = small_swin(*words, seed=1)
    report = hs.load_weights(small_swin(*words), other.state_dict())
    assert {(b.how, b.why) for b in report.blocks} == {("unsure", UNKNOWN)}
    content = {
        "model": other.state_dict(),
        "hyper_parameters": {"variant": other.variant.to_dict()},
    }
    assert hs.load_weights(small_swin(*words), content).is_as_in_source


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_layouts_are_written_as_they_were_read(golden, library, tmp_path):
    source = golden(f"{library}_v2").weights
    model = ours(w_msa="" if library == "torchvision" else FIRST)
    hs.load_weights(model, source)
    hs.save_weights(model, tmp_path / "v2.safetensors", layout=library)
    written = load_file(tmp_path / "v2.safetensors")
    assert set(written) == {n for n in source if not n.endswith("attn_mask")}
    for name, tensor in source.items():
        if name.endswith("attn.qkv.bias"):  # torchvision does not use that of the keys
            written[name][8 * (len(tensor) // 24) :][: len(tensor) // 3] = tensor.chunk(3)[1]
        if not name.endswith("attn_mask"):
            torch.testing.assert_close(written[name], tensor, rtol=0, atol=1e-6)


def test_transformers_loads_what_is_written_for_it(tmp_path):
    model = ours(w_msa=FIRST)
    nn.init.normal_(model.layers[0].blocks[1].norm1.weight)
    hs.save_weights(model, tmp_path / "model.safetensors", layout="huggingface")
    other = theirs(pretrained_window_sizes=[2, 2])
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert difference(model, other, (16, 16)) < SAME


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        ("microsoft", {"merging_norm": "pre"}, "Swin V2s, whose patch merging is merging_norm: p"),
        ("timm", {"merging_norm": "pre"}, ""),
        ("microsoft", {"norm": "pre"}, r"is 'w_msa\(att.*\)' with norms behind it; the model's is"),
        (
            "torchvision",
            {"w_msa": FIRST},
            "has none of pretrained_window_size; the model's sta",
        ),
        ("huggingface", {"w_msa": FIRST, "sw_msa": ""}, "has one per stage of .* stage 0 has 0"),
        ("huggingface", {"size": (32, 16)}, r"in transformers layers.1.blocks.1 is what we call"),
        ("huggingface", {"add": "+conv"}, "holds plain Swins"),
    ],
)
def test_what_other_libraries_would_compute_otherwise_is_not_written(
    layout, changes, message, tmp_path
):
    if not message:
        hs.save_weights(ours(**changes), tmp_path / "v2.pth", layout=layout)
        return
    with pytest.raises(InputError, match=message):
        hs.save_weights(ours(**changes), tmp_path / "v2.pth", layout=layout)
    assert not list(tmp_path.iterdir())


def test_a_hybrid_starts_as_the_version_2_that_it_came_from(golden):
    source = golden("microsoft_v2")
    model = ours(w_msa=FIRST, add="+mdta:gate")
    report = hs.load_weights(model, source.weights)
    assert {b.how for b in report.blocks} == {"identity start"}
    with torch.no_grad():
        torch.testing.assert_close(model(source.images), source.logits, rtol=0, atol=2e-5)

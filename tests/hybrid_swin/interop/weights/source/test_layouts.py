import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.interop.weights.source.layouts import (
    LAYOUTS,
    join,
    names,
    recognise_all,
    split,
    to_timm,
)
from hybrid_swin.network.merging import PatchMerging

LIBRARIES = "timm", "microsoft", "torchvision", "huggingface"


def recognise(keys):
    """The one Swin in a state dict."""
    (found,) = recognise_all(keys)
    return found


def spelt(weights, layout, prefix=""):
    """A layout's state dict from timm's, by the tables under test."""
    return {
        prefix + theirs: part
        for name, tensor in weights.items()
        for theirs, part in zip(names(layout, name), split(layout, name, tensor), strict=True)
    }


def equal(one, other):
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def own(weights):
    """A library's parameters, without what follows from sizes."""
    derived = "relative_position_index", "attn_mask"
    return {name: tensor for name, tensor in weights.items() if not name.endswith(derived)}


# Against the libraries' own files (that the values are right, their logits say in test_checkpoints)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_librarys_weights_get_timms_names(golden, library):
    weights, timm = golden(library).weights, golden("timm").weights
    layout, prefix = recognise(weights)
    assert (layout, prefix) == (library, "swin." if library == "huggingface" else "")
    named, keys = to_timm(weights, layout, prefix)
    assert {n: t.shape for n, t in named.items()} == {n: t.shape for n, t in timm.items()}
    assert {key for parts in keys.values() for key in parts} == set(own(weights))


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_are_written_as_they_were_read(golden, library):
    weights = golden(library).weights
    named, _ = to_timm(weights, *recognise(weights))
    if library == "huggingface":
        body = {n: t for n, t in named.items() if not n.startswith("head")}
        written = spelt(body, "huggingface (5.x)", "swin.")
        written |= spelt({n: t for n, t in named.items() if n not in body}, "huggingface")
    else:
        written = spelt(named, library)
    equal(written, own(weights))


def test_files_of_hugging_face_keep_the_names_of_4(golden):
    new = golden("huggingface").weights
    old = {}
    for name, tensor in new.items():
        for before, after in (
            ("attention.q_proj", "attention.self.query"),
            ("attention.k_proj", "attention.self.key"),
            ("attention.v_proj", "attention.self.value"),
            ("attention.o_proj", "attention.output.dense"),
            ("attention.relative_position_bias.", "attention.self."),
            ("mlp.fc1", "intermediate.dense"),
            ("mlp.fc2", "output.dense"),
        ):
            name = name.replace(before, after)
        old[name] = tensor
    old["swin.encoder.layers.0.blocks.0.attention.self.relative_position_index"] = torch.zeros(49)
    assert len(set(old) & set(new)) < len(new) / 2
    equal(to_timm(old, *recognise(old))[0], to_timm(new, *recognise(new))[0])


# OpenMMLab


def test_openmmlab_merges_by_unfolding(golden):
    """The same map through both, with the weights converted: four neighbours in another order."""
    torch.manual_seed(0)
    merging, x = PatchMerging(5, 7), torch.randn(2, 6, 8, 5)
    torch.nn.init.normal_(merging.norm.weight)
    torch.nn.init.normal_(merging.norm.bias)
    weights = {f"layers.1.downsample.{n}": t for n, t in merging.state_dict().items()}
    theirs = spelt(weights, "openmmlab")
    assert set(theirs) == {
        f"stages.0.downsample.{n}" for n in ("norm.weight", "norm.bias", "reduction.weight")
    }
    norm, bias, reduction = (
        theirs[f"stages.0.downsample.{n}"] for n in ("norm.weight", "norm.bias", "reduction.weight")
    )
    unfolded = F.unfold(x.permute(0, 3, 1, 2), 2, stride=2).transpose(1, 2)
    expected = F.layer_norm(unfolded, (20,), norm, bias) @ reduction.T
    torch.testing.assert_close(merging(x).flatten(1, 2), expected)
    for name, tensor in weights.items():
        assert torch.equal(join("openmmlab", name, split("openmmlab", name, tensor)), tensor)


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_openmmlabs_names_are_read(golden, prefix):
    timm = golden("timm").weights
    theirs = spelt({n: t for n, t in timm.items() if "head" not in n}, "openmmlab", prefix)
    assert prefix + "stages.0.blocks.1.attn.w_msa.qkv.weight" in theirs
    assert prefix + "stages.0.blocks.1.ffn.layers.0.0.weight" in theirs
    assert prefix + "patch_embed.projection.weight" in theirs
    theirs["head.fc.weight"], theirs["head.fc.bias"] = timm["head.fc.weight"], timm["head.fc.bias"]
    for kind in ("weight", "bias"):  # a norm per stage
        theirs[f"{prefix}norm1.{kind}"] = theirs.pop(f"{prefix}norm.{kind}")
        theirs[f"{prefix}norm0.{kind}"] = torch.zeros(24)
    assert recognise(theirs) == ("openmmlab", prefix)
    equal(to_timm(theirs, "openmmlab", prefix)[0], timm)


# Recognition


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone.", "_orig_mod."])
def test_layouts_are_recognised_behind_prefixes_and_without_a_head(golden, layout, prefix):
    timm = golden("timm").weights
    headless = {n: t for n, t in timm.items() if not n.startswith(("head", "norm"))}
    theirs = spelt(headless, layout, prefix)
    assert recognise(theirs) == (layout, prefix)
    equal(to_timm(theirs, layout, prefix)[0], headless)


@pytest.mark.parametrize("outer", ["", "model."])
def test_a_head_beside_the_backbone_is_found(golden, outer):
    timm = golden("timm").weights
    theirs = spelt({n: t for n, t in timm.items() if "head" not in n}, "microsoft")
    theirs = {f"{outer}encoder.{n}": t for n, t in theirs.items()}
    theirs |= {f"{outer}head.{n}": timm[f"head.fc.{n}"] for n in ("weight", "bias")}
    theirs[f"{outer}neck.head.weight"] = torch.zeros(1)
    layout, prefix = recognise(theirs)
    named, keys = to_timm(theirs, layout, prefix)
    equal(named, timm)
    assert keys["head.fc.weight"] == (f"{outer}head.weight",)


def test_timms_pyramids_flatten_their_stages(golden):
    flat = {n.replace("layers.", "layers_"): t for n, t in golden("timm").weights.items()}
    assert recognise(flat) == ("timm", "")
    equal(to_timm(flat, "timm", "")[0], golden("timm").weights)


def test_one_stage_is_told_by_its_head(golden):
    one = {n: t for n, t in golden("timm").weights.items() if not n.startswith("layers.1")}
    assert recognise(one) == ("timm", "")
    microsoft = spelt(one, "microsoft")
    assert recognise(microsoft) == ("microsoft", "")
    equal(to_timm(microsoft, "microsoft", "")[0], one)


def test_every_network_is_found(golden):
    timm = golden("timm").weights
    both = {f"model.{n}": t for n, t in timm.items()}
    both |= {f"ema.module.{n}": torch.zeros_like(t) for n, t in timm.items()}
    assert recognise_all(both) == [("timm", "model."), ("timm", "ema.module.")]
    equal(to_timm(both, "timm", "model.")[0], timm)


def test_what_is_no_swin_is_not_recognised():
    resnet = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight"]
    efficientnet = ["features.0.0.weight", "features.1.0.block.0.0.weight", "classifier.1.weight"]
    assert recognise_all(resnet) == recognise_all(efficientnet) == recognise_all([]) == []


def test_nonsense_in_a_file_costs_nothing():
    weights = {
        "features.1.0.attn.qkv.weight": torch.ones(1),
        "features.999999999.888888888.x": torch.ones(1),
    }
    assert recognise(weights) == ("torchvision", "")
    assert list(to_timm(weights, "torchvision", "")[0]) == ["layers.0.blocks.0.attn.qkv.weight"]

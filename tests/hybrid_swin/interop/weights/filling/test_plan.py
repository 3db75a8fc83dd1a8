import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.stage import Stage


def microsoft(weights):
    return {
        theirs: part
        for name, tensor in weights.items()
        for theirs, part in zip(
            names("microsoft", name), split("microsoft", name, tensor), strict=True
        )
    }


@pytest.fixture
def refused(small_swin):
    """Load into a network, see that it is refused and that nothing was touched."""

    def check(source, match, model=None):
        model = model or small_swin()
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with pytest.raises(InputError, match=match) as error:
            load_weights(model, source)
        assert "\n" not in str(error.value)
        after = model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        return str(error.value)

    return check


# Another network


def test_another_width_says_both_networks(golden, small_swin, refused):
    message = refused(golden().weights, "is of another network: ", small_swin(width=48))
    assert message == (
        "the state dict is of another network: patch_embed.proj.weight is (24, 3, 4, 4) in the "
        "source, (48, 3, 4, 4) in the model (and 40 more). Sizes: widths 24-48 in the source, "
        "48-96 in the model. Build the model with the source's sizes"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depths": (2, 4)}, "the blocks a stage are 2-2 in the source, 2-4 in the model"),
        ({"depths": (2, 1)}, "the blocks a stage are 2-2 in the source, 2-1 in the model"),
        ({"depths": (2,), "heads": (2,)}, "the blocks a stage are 2-2 in the source, 2 in the"),
        (
            {"depths": (2, 2, 2), "heads": (2, 4, 8)},
            "the blocks a stage are 2-2 in the source, 2-2-2 in the model",
        ),
        ({"patch_size": 2}, r"Sizes: patch_size 4 in the source, 2 in the model\. Build"),
        ({"mlp_ratio": 2}, r"Sizes: mlp_ratio 4 in the source, 2 in the model\. Build"),
        ({"heads": (2, 2)}, "layers.1.blocks.0: the attention has 4 heads in the source, 2 in the"),
    ],
)
def test_what_differs_is_named(golden, small_swin, refused, changes, said):
    refused(golden().weights, said, small_swin(**changes))


def test_a_part_of_a_network_is_refused(golden, refused):
    weights = golden().weights
    del weights["layers.1.blocks.0.mlp.fc1.weight"], weights["patch_embed.norm.bias"]
    refused(
        weights,
        r"is incomplete: 2 weights that the model needs are not in it \(patch_embed.norm.bias, "
        r"layers.1.blocks.0.mlp.fc1.weight\); take a checkpoint of the whole network",
    )


def test_a_part_of_an_attention_is_refused(golden, refused):
    weights = golden("microsoft").weights
    del weights["layers.0.blocks.1.attn.relative_position_bias_table"]
    refused(
        weights,
        r"layers.0.blocks.1: the attention has no relative_position_bias_table in the source\.",
    )


def test_shapes_that_no_layout_has_are_refused(golden, refused):
    weights = golden("huggingface").weights
    name = "swin.encoder.layers.0.blocks.0.attention.k_proj.weight"
    refused(weights | {name: torch.ones(3)}, "in the layout of huggingface have shapes that no Swi")


def test_a_variant_of_another_network_beside_is_not_believed(golden, small_swin):
    other = small_swin(depths=(2,), heads=(2,)).variant.to_dict()
    content = {"model": golden().weights, "hyper_parameters": {"variant": other}}
    assert {b.how for b in load_weights(small_swin(), content).blocks} == {"taken"}


@pytest.mark.parametrize("name", ["logit_scale", "cpb_mlp.0.weight"])
def test_version_2_is_refused(golden, small_swin, refused, name):
    weights = golden().weights | {f"layers.0.blocks.0.attn.{name}": torch.zeros(2, 1, 1)}
    refused(weights, "is of Swin Transformer V2 .* build it as swin_v2_t is")
    refused(microsoft(weights), "is of Swin Transformer V2")
    hybrid = small_swin("w_msa+mdta:gate", "sw_msa+mdta:gate")
    refused(weights, "is of Swin Transformer V2", hybrid)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.ones(48, dtype=torch.int8), r"norm.weight is int8 \(strided, on cpu\)"),
        (torch.ones(48).to_sparse(), r"norm.weight is float32 \(sparse_coo, on cpu\)"),
        (torch.ones(48, dtype=torch.complex64), r"norm.weight is complex64 \(strided, on cpu\)"),
        (torch.ones(48, device="meta"), r"norm.weight is float32 \(strided, on meta\)"),
    ],
)
def test_what_cannot_be_copied_is_refused(golden, refused, tensor, said):
    refused(golden().weights | {"norm.weight": tensor}, said)


# What differs without being an error


def test_nan_is_noted(golden, small_swin):
    weights = golden().weights
    assert load_weights(small_swin(), weights).notes == ()
    weights["norm.bias"] = torch.full((48,), float("nan"))
    report = load_weights(small_swin(), weights)
    assert report.notes == ("NaN or infinity in 1 of the weights taken (norm.bias)",)


def test_averaged_weights_are_noted(golden, small_swin):
    weights = golden().weights
    report = load_weights(small_swin(), {"model": weights, "model_ema": weights})
    assert report.notes == (
        "of 2 networks that at 'model_ema' was taken, the averaged one, whose scores training "
        "scripts report; weights_prefix takes another ('model')",
    )
    assert report.place == "model_ema"


@pytest.mark.parametrize("missing", [("head",), ("head", "norm"), ("norm",)])
def test_the_end_may_be_missing(golden, small_swin, missing):
    weights = {n: t for n, t in golden().weights.items() if not n.startswith(missing)}
    model, untouched = small_swin(seed=3), small_swin(seed=3)
    report = load_weights(model, weights)
    assert set(report.fresh) == {n for n in model.state_dict() if n.startswith(missing)}
    for name in report.fresh:
        assert torch.equal(model.state_dict()[name], untouched.state_dict()[name])
    no_head = ("the source has no head; the model's is fresh",)
    assert report.notes == (no_head if "head" in missing else ())
    assert report.is_as_in_source is ("norm" not in missing)
    assert ("has no last norm; the model's is fresh" in str(report)) is ("norm" in missing)


@pytest.mark.parametrize(
    "name", ["norm_pre.weight", "norm.scale", "layers.1.downsample2.weight", "layers.0.gate"]
)
def test_what_lies_between_blocks_and_has_no_place_is_told(golden, small_swin, name):
    report = load_weights(small_swin(), golden().weights | {name: torch.ones(24)})
    assert report.outside == (f"the model has no place for the source's {name}",)
    assert report.left_out == (name,) and not report.is_as_in_source


@pytest.mark.parametrize("library", ["timm", "microsoft"])
@pytest.mark.parametrize("name", ["fc_norm.weight", "head.norm.weight", "pre_logits.fc.weight"])
def test_more_than_a_layer_behind_the_last_map_is_told(golden, small_swin, library, name):
    report = load_weights(small_swin(), golden(library).weights | {name: torch.ones(48)})
    (note,) = report.notes
    assert note.startswith(f"the source has more between its last map and its classes ({name})")
    assert report.is_as_in_source  # of its last map that is true
    other = small_swin(num_classes=4)
    assert "its logits are others" not in str(
        load_weights(other, golden().weights | {name: torch.ones(48)})
    )


def test_a_last_norm_that_was_taken_out_is_told(golden, small_swin):
    model = small_swin()
    model.norm = torch.nn.Identity()
    report = load_weights(model, golden().weights)
    assert report.outside == ("the source has a last norm, which was taken out of the model",)
    assert not report.is_as_in_source
    assert load_weights(Pyramid(small_swin()), golden().weights).is_as_in_source


def test_a_network_without_classes_needs_no_head(golden, small_swin):
    report = load_weights(small_swin(num_classes=0), golden("microsoft").weights)
    assert (report.fresh, report.notes) == ((), ())
    assert set(report.unused) == {"head.weight", "head.bias"}


def test_windows_that_are_not_shifted_are_named(golden, small_swin):
    model = small_swin("w_msa")
    report = load_weights(model, golden("microsoft").weights)
    assert [b.how for b in report.blocks] == ["taken", "changed", "taken", "taken"]
    assert report.blocks[1].why == "w_msa where a Swin has sw_msa"
    # Names of timm's may be our own network's, of which it would be the same function.
    report = load_weights(model, golden("timm").weights)
    assert [b.how for b in report.blocks] == ["taken", "unsure", "taken", "taken"]
    assert report.blocks[1].why == (
        "unless the source is of this very network: w_msa where a Swin has sw_msa"
    )
    assert report.blocks[1].difference > 0.01 and report.notes == ()


def test_norms_after_the_mixers_are_named(golden, small_swin):
    report = load_weights(small_swin(norm="post"), golden("torchvision").weights)
    assert report.fresh == report.unused == ()
    why = "norms after mixer and MLP where the source has them before"
    assert [(b.how, b.why) for b in report.blocks] == [("changed", why)] * 4
    report = load_weights(small_swin(norm="post"), golden().weights)
    unless = f"unless the source is of this very network: {why}"
    assert [(b.how, b.why) for b in report.blocks] == [("unsure", unless)] * 4


def test_blocks_without_attention_take_norms_and_mlp(golden, small_swin):
    weights = golden("microsoft").weights
    report = load_weights(small_swin("conv", "mdta"), weights)
    attention = {n for n in weights if ".attn." in n and not n.endswith(("index", "mask"))}
    assert set(report.unused) == attention
    assert {b.how for b in report.blocks} == {"fresh"}
    assert all(".attn." in name for name in report.fresh)
    assert "layers.1.blocks.1.mlp.fc2.weight" in report.taken


def test_norms_of_branches_take_the_blocks(golden, small_swin):
    model = small_swin("conv+w_msa", "conv+sw_msa", norm="branch")
    report = load_weights(model, golden().weights)
    norm = golden().weights["layers.0.blocks.1.norm1.weight"]
    for k in (0, 1):
        assert torch.equal(model.layers[0].blocks[1].attn.branches[k].norm.weight, norm)
    assert not any("norm" in name for name in report.fresh) and report.unused == ()
    narrow = small_swin("conv+w_msa:split", norm="branch")
    report = load_weights(narrow, golden().weights)
    assert "layers.0.blocks.0.attn.branches.0.norm.weight" in report.fresh
    assert "layers.0.blocks.0.norm1.weight" in report.unused


def test_our_own_networks_are_told_by_their_variant(small_swin):
    """With the variant beside, blocks are compared by their words."""
    model = small_swin("conv+w_msa:cascade", "w_msa")
    other = small_swin("conv+w_msa", "sw_msa", seed=1)
    content = {"state_dict": other.state_dict()}
    report = load_weights(model, content)
    assert [b.how for b in report.blocks] == ["unsure"] * 4  # by names alone
    content["hyper_parameters"] = {"variant": other.variant.to_dict()}
    report = load_weights(model, content)
    assert [b.how for b in report.blocks] == ["fresh", "changed", "fresh", "taken"]
    assert report.blocks[1].why == "w_msa where a Swin has sw_msa"
    after = small_swin(norm="post")
    report = load_weights(
        small_swin(),
        {"model": after.state_dict(), "hyper_parameters": {"variant": after.variant.to_dict()}},
    )
    assert {b.why for b in report.blocks} == {
        "norms before mixer and MLP where the source has them after"
    }


def test_a_stages_own_window_is_known_from_its_variant(small_swin):
    """Two windows whose tables have equal lengths: 5 x 5, and 2 x 14 on a map of that size."""
    from hybrid_swin.network.model import HybridSwin
    from hybrid_swin.spec.variant import Variant

    stage = Stage(8, 1, 2, ("w_msa",), window_size=14)
    wide = HybridSwin(Variant((2, 14), 1, 3, 1, 5, 2, [stage]))
    square = HybridSwin(Variant((8, 8), 1, 3, 1, 5, 2, [Stage(8, 1, 2, ("w_msa",))]))
    content = {"model": square.state_dict()}
    assert load_weights(wide, content).resized == ()
    content["hyper_parameters"] = {"variant": square.variant.to_dict()}
    (resized,) = load_weights(wide, content).resized
    assert resized.before == resized.after == (81, 2)


@pytest.mark.parametrize("name", ["prompt_embeddings", "cls_token", "temperature", "gate"])
def test_a_parameter_of_the_networks_own_may_act_on_the_last_map(small_swin, golden, name):
    weights = dict(golden().weights)
    assert load_weights(small_swin(), weights).is_as_in_source
    report = load_weights(small_swin(), {**weights, name: torch.ones(8)})
    assert not report.is_as_in_source and report.left_out == (name,)
    assert f"the model has no place for the source's {name}" in report.outside
    assert load_weights(small_swin(), {**weights, "mask_token": torch.ones(8)}).is_as_in_source


def test_a_count_beside_an_averaged_network_does_not_act(small_swin):
    averaged = torch.optim.swa_utils.AveragedModel(small_swin())
    assert "n_averaged" in averaged.state_dict()
    report = load_weights(small_swin(seed=1), averaged.state_dict())
    assert report.is_as_in_source and report.unused == ("n_averaged",) and report.left_out == ()

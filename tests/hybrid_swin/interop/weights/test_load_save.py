import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.layouts import DERIVED, names, recognise_all, split, to_timm
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec import registry
from hybrid_swin.system.files import SaveError
from hybrid_swin.training.resume import save_state

LIBRARIES = "timm", "microsoft", "torchvision", "huggingface"
FUSIONS = [
    name
    for name in ("sum", "scale", "gate", "selective", "concat", "cascade")
    if name in registry.names("fusion")
]


def close(model, images, logits):
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, atol=1e-5, rtol=0)


def same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def partition(model, report):
    """Taken, resized and fresh share out the model."""
    names = [*report.taken, *(r.name for r in report.resized), *report.fresh]
    assert sorted(names) == sorted(model.state_dict())


# The four libraries


@pytest.mark.parametrize("library", LIBRARIES)
def test_logits_are_those_of_the_library(golden, small_swin, library):
    weights, images, logits = golden(library)
    model = small_swin()
    report = hs.load_weights(model, weights)
    close(model, images, logits)
    assert report.layout == library
    assert len(report.taken) == len(model.state_dict())
    assert report.resized == report.fresh == report.unused == report.notes == ()
    assert [b.how for b in report.blocks] == ["taken"] * 4
    assert isinstance(report, hs.WeightReport)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("head", [True, False])
def test_files_are_read_wrapped_and_without_a_head(
    golden, small_swin, tmp_path, library, suffix, head
):
    weights, images, logits = golden(library)
    if not head:
        weights = {n: t for n, t in weights.items() if not n.startswith(("head", "classifier"))}
    path = tmp_path / f"swin.{suffix}"
    if suffix == "pth":
        torch.save({"model": {f"module.{n}": t for n, t in weights.items()}, "epoch": 3}, path)
    else:
        save_file(weights, path)
    model, first = small_swin(), small_swin()
    report = hs.load_weights(model, path)
    assert report.layout == library
    if not head:
        assert set(report.fresh) == {"head.fc.weight", "head.fc.bias"}
        same(model.head.state_dict(), first.head.state_dict())
        hs.load_weights(first, golden(library).weights)
        model.head.load_state_dict(first.head.state_dict())
    close(model, images, logits)


def test_half_precision_is_taken_as_it_is(golden, small_swin):
    model = small_swin()
    halves = {name: tensor.half() for name, tensor in golden().weights.items()}
    hs.load_weights(model, halves)
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, halves[name].float())


def test_openmmlabs_backbone_is_read(golden, small_swin):
    weights, images, logits = golden()
    theirs = {
        f"backbone.{new}" if "head" not in new else new: part
        for name, tensor in weights.items()
        for new, part in zip(
            names("openmmlab", name), split("openmmlab", name, tensor), strict=True
        )
    }
    model = small_swin()
    assert hs.load_weights(model, {"state_dict": theirs, "meta": {}}).layout == "openmmlab"
    close(model, images, logits)


# Hugging Face's own classes


@pytest.fixture(scope="module")
def transformers_swin():
    transformers = pytest.importorskip("transformers")
    config = transformers.SwinConfig(
        **{"image_size": 56, "patch_size": 4, "embed_dim": 24, "depths": [2, 2]},
        **{"num_heads": [2, 4], "window_size": 7, "num_labels": 10},
    )
    torch.manual_seed(0)
    return transformers.SwinForImageClassification(config).eval()


def hf_logits(model, images):
    with torch.no_grad():
        return model(images).logits


@pytest.fixture
def hf_folder(transformers_swin, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    transformers_swin.save_pretrained(tmp_path / "hf")
    return tmp_path / "hf"


def test_hugging_face_is_read_from_memory(transformers_swin, small_swin):
    model, images = small_swin(), torch.randn(2, 3, 56, 56)
    report = hs.load_weights(model, transformers_swin.state_dict())
    close(model, images, hf_logits(transformers_swin, images))
    assert report.fresh == report.unused == ()


def test_hugging_face_is_read_from_its_folder(transformers_swin, hf_folder, small_swin):
    model, images = small_swin(), torch.randn(2, 3, 56, 56)
    report = hs.load_weights(model, hf_folder)
    close(model, images, hf_logits(transformers_swin, images))
    assert report.source == f"checkpoint {str(hf_folder / 'model.safetensors')!r}"


def test_hugging_faces_base_model_has_no_prefix(transformers_swin, small_swin):
    model = small_swin()
    report = hs.load_weights(model, transformers_swin.swin.state_dict())
    assert set(report.fresh) == {"head.fc.weight", "head.fc.bias"} and report.unused == ()
    model.head.fc.load_state_dict(transformers_swin.classifier.state_dict())
    images = torch.randn(2, 3, 56, 56)
    close(model, images, hf_logits(transformers_swin, images))


def test_what_is_written_for_hugging_face_is_read_by_it(
    transformers_swin, hf_folder, golden, small_swin
):
    weights, images, logits = golden()
    model = small_swin()
    hs.load_weights(model, weights)
    hs.save_weights(model, hf_folder / "model.safetensors", layout="huggingface")
    theirs = type(transformers_swin).from_pretrained(hf_folder).eval()
    torch.testing.assert_close(hf_logits(theirs, images), logits, atol=1e-5, rtol=0)


# Our own


def test_a_checkpoint_of_a_training_is_read(small_swin, tmp_path):
    from hybrid_swin.spec.recipe import Recipe
    from hybrid_swin.training.classifier import Classifier

    variant = small_swin("w_msa+mdta:gate", "conv", norm="branch").variant
    module = Classifier(variant.to_dict(), Recipe().to_dict())
    state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    save_state(state, tmp_path / "final.ckpt")
    model = hs.HybridSwin(variant)
    report = hs.load_weights(model, tmp_path / "final.ckpt")
    same(model.state_dict(), module.model.state_dict())
    assert report.fresh == report.unused == report.notes == ()


@pytest.mark.parametrize(
    "words", [(), ("w_msa+mdta:gate", "conv"), ("conv+w_msa:cross", "mdta+w_msa:split")]
)
@pytest.mark.parametrize("norm", ["pre", "post", "branch"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_what_is_saved_loads_into_a_fresh_network_bit_by_bit(
    small_swin, tmp_path, words, norm, suffix
):
    sizes = {"norm": norm, "image_size": (24, 36), "in_channels": 2}
    model, other = small_swin(*words, **sizes), small_swin(*words, **sizes, seed=1)
    path = tmp_path / f"weights.{suffix}"
    hs.save_weights(model, path)
    read = load_file(path) if suffix == "safetensors" else torch.load(path, weights_only=True)
    same(read, model.state_dict())
    other.load_state_dict(read, strict=True)
    other = small_swin(*words, **sizes, seed=2)
    report = hs.load_weights(other, path)
    same(other.state_dict(), model.state_dict())
    assert report.resized == report.fresh == report.unused == ()
    if suffix == "safetensors":
        assert {b.how for b in report.blocks} == {"taken"} and report.notes == ()


@pytest.mark.parametrize("library", LIBRARIES)
def test_layouts_are_written_as_their_libraries_do(golden, small_swin, tmp_path, library):
    weights, images, logits = golden(library)
    model, path = small_swin(), tmp_path / "swin.safetensors"
    hs.load_weights(model, weights)
    hs.save_weights(model, path, layout=library)
    written = load_file(path)
    if library == "huggingface":  # files have the names of 4.x
        same(*(to_timm(w, *recognise_all(w)[0])[0] for w in (written, weights)))
        assert "swin.encoder.layers.0.blocks.0.attention.self.query.weight" in written
        assert {"classifier.weight", "swin.layernorm.bias"} <= written.keys()
    elif library == "microsoft":
        same(written, {n: t for n, t in weights.items() if not DERIVED.search(n)})
    else:
        same(written, weights)
    for other in LIBRARIES:  # and round again
        hs.save_weights(model, path, layout=other)
        model = small_swin(seed=1)
        assert hs.load_weights(model, path).layout == other
        close(model, images, logits)


@pytest.mark.parametrize("library", ["microsoft", "huggingface"])
def test_a_pyramid_takes_what_it_has(golden, small_swin, library):
    """Its maps are the whole network's; head, norm and stages that it lacks are not used."""
    weights, images, _ = golden(library)
    whole, pyramid, first = small_swin(), Pyramid(small_swin(seed=1)), Pyramid(small_swin(), [0])
    hs.load_weights(whole, weights)
    for network in (pyramid, first):
        report = hs.load_weights(network, weights)
        assert report.fresh == report.notes == ()
    assert any("layers.1.blocks.1" in name for name in report.unused)
    with torch.no_grad():
        fine, coarse = pyramid(images)
        assert torch.equal(first(images)[0], fine)
        assert torch.equal(whole.norm(coarse.permute(0, 2, 3, 1)), whole.forward_features(images))


def test_a_pyramids_weights_are_written_and_read(small_swin, tmp_path):
    pyramid, other = Pyramid(small_swin()), Pyramid(small_swin(seed=1))
    hs.save_weights(pyramid, tmp_path / "a.safetensors")
    hs.load_weights(other, tmp_path / "a.safetensors")
    same(other.state_dict(), pyramid.state_dict())


def test_a_compiled_network_is_looked_into(golden, small_swin):
    weights, images, logits = golden()
    model = small_swin()
    hs.load_weights(torch.compile(model, backend="eager"), weights)
    close(model, images, logits)


# Other sizes


def test_another_number_of_classes_leaves_the_head_fresh(golden, small_swin):
    model, first = small_swin(num_classes=4), small_swin(num_classes=4)
    report = hs.load_weights(model, golden("huggingface").weights)
    assert report.fresh == ("head.fc.weight", "head.fc.bias")
    assert set(report.unused) == {"classifier.weight", "classifier.bias"}
    same(model.head.state_dict(), first.head.state_dict())
    assert report.notes == ("the head is fresh: 10 classes in the source, 4 in the model",)
    assert "fresh: 2 (head.fc.weight, head.fc.bias)" in str(report)


@pytest.mark.parametrize(
    ("window", "image_size", "tables"),
    [(6, 56, [(121, 2), (121, 4)]), (7, (40, 20), [(13 * 9, 2), (9 * 5, 4)])],
)
def test_bias_tables_are_fitted_to_other_windows(golden, small_swin, window, image_size, tables):
    weights = golden("microsoft").weights
    model = small_swin(window_size=window, image_size=image_size)
    report = hs.load_weights(model, weights)
    partition(model, report)
    assert [r.after for r in report.resized] == [t for t in tables for _ in (0, 1)]
    assert {r.before for r in report.resized} == {(169, 2), (169, 4)}
    assert report.fresh == report.unused == ()
    middle = "layers.0.blocks.0.attn.relative_position_bias_table"
    rows = tables[0][0]
    torch.testing.assert_close(model.state_dict()[middle][rows // 2], weights[middle][84])


def test_a_grey_network_sees_grey_images_alike(golden, small_swin):
    weights, images, _ = golden()
    colour, grey = small_swin(), small_swin(in_channels=1)
    hs.load_weights(colour, weights)
    report = hs.load_weights(grey, weights)
    partition(grey, report)
    assert [str(r) for r in report.resized] == [
        "patch_embed.proj.weight (24, 3, 4, 4) -> (24, 1, 4, 4)"
    ]
    one = images[:, :1]
    with torch.no_grad():
        expected = colour(one.expand(-1, 3, -1, -1))
        torch.testing.assert_close(grey(one), expected, atol=1e-5, rtol=0)


# Identity start


# Every pair of a fusion, a partner, a place and a norm.
STARTS = [
    (fusion, partner, (number + place) % 2 == 0, ("pre", "branch")[(number // 2 + place) % 2])
    for number, fusion in enumerate(FUSIONS)
    for place, partner in enumerate(("mdta", "conv"))
]


@pytest.mark.parametrize(("fusion", "partner", "first", "norm"), STARTS)
def test_a_plain_checkpoint_starts_a_hybrid_of_the_same_function(
    golden, small_swin, fusion, partner, first, norm
):
    weights, images, logits = golden("microsoft")
    parts = ("{}w_msa", partner) if first else (partner, "{}w_msa")
    word = f"{'+'.join(parts)}:{fusion}"
    model = small_swin(word.format(""), word.format("s"), norm=norm)
    report = hs.load_weights(model, weights)
    close(model, images, logits)
    partition(model, report)
    assert {b.how for b in report.blocks} == {"identity start"}
    assert report.unused == () and report.fresh
    _trains_everywhere(model, images)


def _trains_everywhere(model, images):
    """Two steps of SGD give every parameter a finite gradient that is not zero at least once."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    moved = set()
    for step in range(2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model.train()(images), torch.tensor([step, 5]))
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            if parameter.grad.any():
                moved.add(name)
        optimizer.step()
    assert moved == {name for name, _ in model.named_parameters()}


def test_three_branches_start_as_one(golden, small_swin):
    weights, images, logits = golden()
    model = small_swin("conv+w_msa+mdta:gate", "conv+sw_msa+mdta:concat")
    hs.load_weights(model, weights)
    close(model, images, logits)
    _trains_everywhere(model, images)


def test_an_attention_beside_its_shifted_twin_goes_to_the_right_one(golden, small_swin):
    weights, images, logits = golden()
    model = small_swin("sw_msa+w_msa:sum")
    hs.load_weights(model, weights)
    close(model, images, logits)


@pytest.mark.parametrize("fusion", ["split", "cross"])
def test_where_an_identity_start_is_impossible_it_says_what_is_fresh(golden, small_swin, fusion):
    model = small_swin(f"w_msa+conv:{fusion}", f"sw_msa+conv:{fusion}")
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = hs.load_weights(model, golden("microsoft").weights)
    partition(model, report)
    assert {b.how for b in report.blocks} == {"fresh"}
    assert set(report.fresh) == {name for name in first if ".attn." in name}
    same({n: model.state_dict()[n] for n in report.fresh}, {n: first[n] for n in report.fresh})
    assert "blocks with a fresh mixer: 4 (layers.0.blocks.0 w_msa+conv" in str(report)


def test_a_silent_branch_that_cannot_be_is_said(golden, small_swin):
    """An identity has nothing to silence it by; the attention is taken all the same."""
    model = small_swin("w_msa+identity", "sw_msa+identity")
    report = hs.load_weights(model, golden("microsoft").weights)
    assert {b.how for b in report.blocks} == {"changed"}
    assert {b.why for b in report.blocks} == {
        "its fusion cannot start as one of its branches, so the others act at once"
    }
    assert report.fresh == () and report.unused == ()


def test_an_identity_start_can_be_left_out(golden, small_swin):
    words = "w_msa+mdta:gate", "sw_msa+mdta:gate"
    model, first = small_swin(*words), small_swin(*words)
    report = hs.load_weights(model, golden().weights, identity_start=False)
    assert {(b.how, b.why) for b in report.blocks} == {
        ("changed", "an identity start was not asked for")
    }
    for name in report.fresh:
        assert torch.equal(model.state_dict()[name], first.state_dict()[name])


def test_our_own_plain_network_starts_a_hybrid(small_swin, tmp_path):
    plain = small_swin("mdta", "sw_msa")
    hs.save_weights(plain, tmp_path / "plain.safetensors")
    hybrid = small_swin("mdta+w_msa:scale", "sw_msa+conv", seed=1)
    report = hs.load_weights(hybrid, tmp_path / "plain.safetensors")
    assert {b.how for b in report.blocks} == {"identity start"}
    images = torch.randn(2, 3, 56, 56)
    with torch.no_grad():
        close(hybrid, images, plain(images))


# Nothing half-loaded


def test_a_failure_in_the_middle_puts_everything_back(golden, small_swin, monkeypatch):
    model = small_swin("w_msa+mdta:sum", "sw_msa+mdta:gate")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    last = model.layers[1].blocks[1].attn

    def fail(base):
        raise RuntimeError("a plug-in of the user's")

    assert isinstance(last, Fusion)
    monkeypatch.setattr(last, "identity_start", fail)
    with pytest.raises(RuntimeError, match="a plug-in"):
        hs.load_weights(model, golden().weights)
    same(model.state_dict(), before)


@pytest.mark.parametrize("model", [nn.Linear(2, 2), nn.Sequential(), None])
def test_networks_of_others_are_refused(golden, model):
    with pytest.raises(InputError, match="weights are for a network of hybrid_swin"):
        hs.load_weights(model, golden().weights)


# Writing


def test_a_file_tells_its_variant_and_no_more_than_weights(small_swin, tmp_path):
    model = small_swin("conv+w_msa", "mdta")
    path = tmp_path / "a.safetensors"
    hs.save_weights(model, path)
    with safe_open(path, "pt") as file:
        assert file.metadata()["layout"] == "timm"
        assert hs.Variant.from_dict(json.loads(file.metadata()["variant"])) == (model.variant)
    hs.save_weights(model, str(tmp_path / "a.pt"))
    assert all(isinstance(t, torch.Tensor) for t in torch.load(tmp_path / "a.pt").values())


def test_tensors_that_do_not_lie_in_a_row_are_written(golden, small_swin, tmp_path):
    model = small_swin().to(memory_format=torch.channels_last)
    assert not model.patch_embed.proj.weight.is_contiguous()
    hs.save_weights(model, tmp_path / "a.safetensors")
    same(load_file(tmp_path / "a.safetensors"), model.state_dict())


@pytest.mark.parametrize("library", ["microsoft", "torchvision", "huggingface"])
@pytest.mark.parametrize(
    ("words", "norm"),
    [(("w_msa+mdta", "sw_msa"), "pre"), (("w_msa",), "pre"), (("w_msa", "sw_msa"), "post")],
)
def test_other_layouts_hold_plain_swins_only(small_swin, tmp_path, library, words, norm):
    model = small_swin(*words, norm=norm)
    with pytest.raises(InputError, match=f"layout '{library}' holds plain Swins.*layout 'timm'"):
        hs.save_weights(model, tmp_path / "a.pth", layout=library)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("library", ["microsoft", "torchvision", "huggingface"])
def test_other_layouts_merge_as_swin_does(small_swin, tmp_path, library):
    with pytest.raises(InputError, match=r"plain Swins, .*merging_norm: pre;.*layout 'timm'"):
        hs.save_weights(small_swin(merging_norm="post"), tmp_path / "a.pth", layout=library)
    one = small_swin(merging_norm="post", depths=(2,), heads=(2,))  # merges nothing
    hs.save_weights(one, tmp_path / "a.pth", layout=library)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("merging", ["linear", "conv", "pool"])
def test_a_stem_of_convolutions_is_saved_and_read(small_swin, tmp_path, suffix, merging):
    model, other = (small_swin(stem="conv", merging=merging, seed=seed) for seed in (0, 1))
    hs.save_weights(model, tmp_path / f"a.{suffix}")
    assert hs.load_weights(other, tmp_path / f"a.{suffix}").fresh == ()
    same(other.state_dict(), model.state_dict())
    # Names alone tell it, and the layer that reads images is fitted to other channels.
    grey = small_swin(stem="conv", merging=merging, in_channels=1)
    report = hs.load_weights(grey, model.state_dict())
    assert [resized.name for resized in report.resized] == ["patch_embed.convs.0.weight"]
    first = model.patch_embed.convs[0].weight.sum(1, keepdim=True)
    torch.testing.assert_close(grey.patch_embed.convs[0].weight, first)


def test_a_stem_of_another_kind_is_refused(golden, small_swin, tmp_path):
    for library in ("timm", "torchvision"):
        with pytest.raises(InputError, match=r"stem: patch, where the .* conv; build .* stem: pat"):
            hs.load_weights(small_swin(stem="conv"), golden(library).weights)
    with pytest.raises(InputError, match=r"build the model with stem: conv"):
        hs.load_weights(small_swin(), small_swin(stem="conv").state_dict())
    with pytest.raises(InputError, match=r"plain Swins, whose stem is patch; the model's is conv"):
        hs.save_weights(small_swin(stem="conv"), tmp_path / "a.pth", layout="microsoft")


def test_blocks_with_layer_scales_start_as_those_without(golden, small_swin, tmp_path):
    weights, images, logits = golden()
    model = small_swin(layer_scale=1e-6)
    report = hs.load_weights(model, weights)
    assert "the source has no layer scales; ours are 1" in str(report) and report.fresh == ()
    assert {block.how for block in report.blocks} == {"taken"}
    close(model, images, logits)
    # The other way round they have no place, and that is said.
    torch.nn.init.normal_(model.layers[0].blocks[1].ls2.gamma)
    back = hs.load_weights(small_swin(), model.state_dict())
    assert "no place for the source's ls1.gamma, ls2.gamma" in back.blocks[1].why
    hs.save_weights(model, tmp_path / "a.pth")
    other = small_swin(layer_scale=1e-6, seed=1)
    assert "no layer scales" not in str(hs.load_weights(other, tmp_path / "a.pth"))
    same(other.state_dict(), model.state_dict())
    lost = dict(model.state_dict())
    lost.pop("layers.0.blocks.1.ls2.gamma")
    with pytest.raises(InputError, match=r"incomplete: a weight is not in it \(.*ls2.gamma\)"):
        hs.load_weights(other, lost)
    with pytest.raises(InputError, match=r"plain Swins without layer_scale"):
        hs.save_weights(model, tmp_path / "b.pth", layout="torchvision")


@pytest.mark.parametrize("merging", ["conv", "pool"])
def test_a_merging_of_another_kind_is_refused(golden, small_swin, tmp_path, merging):
    for library in ("microsoft", "huggingface"):
        with pytest.raises(InputError, match=rf"libraries have: merging: linear, .* {merging}; b"):
            hs.load_weights(small_swin(merging=merging), golden(library).weights)
    with pytest.raises(InputError, match=rf"build the model with merging: {merging}"):
        hs.load_weights(small_swin(), small_swin(merging=merging).state_dict())
    with pytest.raises(InputError, match=r"build it with merging_norm: post"):
        post = small_swin(merging=merging, merging_norm="post")
        hs.load_weights(small_swin(merging=merging), post.state_dict())
    with pytest.raises(InputError, match=rf"whose merging is linear; the model's is {merging}"):
        hs.save_weights(small_swin(merging=merging), tmp_path / "a.pth", layout="microsoft")


def test_layouts_with_one_window_size_refuse_several(small_swin, tmp_path):
    model = small_swin(image_size=32, window_size=8)
    hs.save_weights(model, tmp_path / "a.pth", layout="microsoft")
    for library, said in (
        ("torchvision", r"in torchvision layers.1.blocks.0 is what .* 'w_msa\(small_map=pad\)'"),
        ("huggingface", r"transformers takes no map of 4x4 with windows of 8; save in"),
    ):
        with pytest.raises(InputError, match=said):
            hs.save_weights(model, tmp_path / "b.pth", layout=library)
    stages = [hs.Stage(8, 1, 2, ("w_msa",), window_size=w) for w in (4, 2)]
    model = hs.HybridSwin(hs.Variant((32, 32), 3, 2, 4, 4, 2, stages))
    with pytest.raises(InputError, match=r"one window size .* windows are 2x2, 4x4; save in"):
        hs.save_weights(model, tmp_path / "b.pth", layout="torchvision")


@pytest.mark.parametrize("before", [7, (7, 9)])
@pytest.mark.parametrize("after", [7, (7, 9), (9, 7)])
@pytest.mark.parametrize(("layout", "suffix"), [("timm", "safetensors"), ("torchvision", "pth")])
def test_windows_of_two_sides_are_saved_and_loaded(
    small_swin, tmp_path, before, after, layout, suffix
):
    sizes = {"image_size": (72, 144), "seed": 1}  # maps of 18x36 and 9x18
    first, other = small_swin(window_size=before, **sizes), small_swin(window_size=after, **sizes)
    hs.save_weights(first, tmp_path / f"a.{suffix}", layout)
    report = hs.load_weights(other, tmp_path / f"a.{suffix}")
    assert len(report.resized) == (0 if before == after else 4)
    first.set_input_size(window_size=after)
    same(other.state_dict(), first.state_dict())
    assert report.is_as_in_source or before != after


def test_windows_of_a_block_are_saved_and_loaded(small_swin, tmp_path):
    words = ("w_msa(window_size=2)", "sw_msa(window_size=2x3)+overlap(window_size=2):sum(gate=se)")
    own, stages = small_swin(*words), small_swin("w_msa", "sw_msa+overlap:sum(gate=se)", seed=1)
    hs.save_weights(own, tmp_path / "own.safetensors")
    again = small_swin(*words, seed=2)
    report = hs.load_weights(again, tmp_path / "own.safetensors")
    assert report.is_as_in_source and report.resized == ()
    same(again.state_dict(), own.state_dict())
    resized = hs.load_weights(stages, tmp_path / "own.safetensors").resized
    tables = {r.name: (r.before, r.after) for r in resized}
    assert tables["layers.0.blocks.0.attn.relative_position_bias_table"][0][0] == 9
    hs.save_weights(stages, tmp_path / "stages.safetensors")
    assert hs.load_weights(own, tmp_path / "stages.safetensors").resized
    again = small_swin("w_msa", "sw_msa+overlap:sum(gate=se)", seed=2)
    hs.load_weights(again, tmp_path / "stages.safetensors")
    same(again.state_dict(), stages.state_dict())


def test_windows_that_a_state_dict_does_not_tell_are_said(small_swin):
    """Windows of 7x9 and 9x7 have bias tables of one length."""
    weights = small_swin(image_size=(72, 144), window_size=(7, 9)).state_dict()
    said = "whether its windows are {0} or {1}; they are taken for {0}, the model's"
    for window, words in (((7, 9), ("7x9", "9x7")), ((9, 7), ("9x7", "7x9"))):
        report = hs.load_weights(small_swin(image_size=(72, 144), window_size=window), weights)
        assert report.resized == () and any(said.format(*words) in note for note in report.notes)
    square = small_swin(image_size=72, seed=1)
    assert "whether its windows" not in str(hs.load_weights(small_swin(), square.state_dict()))
    with pytest.raises(InputError, match="221 offsets is that of windows of 7x9 or 9x7"):
        hs.load_weights(small_swin(), weights)


@pytest.mark.parametrize(
    ("library", "name"), [("microsoft", "Microsoft's code"), ("huggingface", "transformers")]
)
def test_layouts_of_square_windows_refuse_others(small_swin, tmp_path, library, name):
    model = small_swin(window_size=(7, 9))
    with pytest.raises(InputError, match=f"{name} takes no windows of 7x9; save in layout 'timm'"):
        hs.save_weights(model, tmp_path / "a.pth", layout=library)


def test_a_layout_holds_what_its_library_computes(small_swin, tmp_path):
    """An oblong map that one window covers along one side, and one that it does not divide."""
    oblong, uneven = {"image_size": (28, 56)}, {"image_size": 80}
    shifted = small_swin("w_msa", "sw_msa(shift=map)", depths=(2,), heads=(2,), **oblong)
    plain = small_swin(depths=(2,), heads=(2,), **oblong)
    hs.save_weights(shifted, tmp_path / "a.pth", layout="huggingface")
    with pytest.raises(InputError, match=r"in transformers .* 'sw_msa\(shift=map\)'; the model's"):
        hs.save_weights(plain, tmp_path / "b.pth", layout="huggingface")
    hs.save_weights(plain, tmp_path / "a.pth", layout="torchvision")
    with pytest.raises(InputError, match="in torchvision"):
        hs.save_weights(shifted, tmp_path / "b.pth", layout="torchvision")
    with pytest.raises(InputError, match="Microsoft's code takes no map of 20x20 with windows of"):
        hs.save_weights(small_swin(**uneven), tmp_path / "b.pth", layout="microsoft")


@pytest.mark.parametrize(
    ("name", "layout", "said"),
    [
        ("a.safetensor", "timm", "suffix must be .safetensors, .pth, .pt, .bin"),
        ("a", "timm", "suffix must be"),
        ("nowhere/a.pth", "timm", "there is no such folder"),
        ("\0.pth", "timm", "it is not a path"),
        ("a.pth", "tim", "unknown layout 'tim'; did you mean 'timm'?"),
        ("a.pth", "openmmlab", "unknown layout 'openmmlab'"),
    ],
)
def test_wrong_places_and_layouts_are_refused(small_swin, tmp_path, name, layout, said):
    with pytest.raises(InputError) as error:
        hs.save_weights(small_swin(), tmp_path / name, layout)
    assert said in str(error.value)
    for path in ("~nobody-of-this-name/a.pth", 3):
        with pytest.raises(InputError, match="it is not a path"):
            hs.save_weights(small_swin(), path)
    assert not os.listdir(tmp_path)


def test_a_write_that_fails_leaves_the_file_before_it(small_swin, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    hs.save_weights(small_swin(), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match=r"a.safetensors: the weights could not be written: No sp"):
        hs.save_weights(small_swin(seed=1), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]

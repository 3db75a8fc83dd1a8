"""Exports, each checked against the live network at batches that it was not made with."""

import copy
import itertools
import json
from contextlib import suppress

import onnx
import onnxruntime
import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.interop.export import formats as export_formats
from hybrid_swin.interop.export.export import TOLERANCE, export_model
from hybrid_swin.interop.trained import load_trained
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

NORMALISATION = Normalisation((0.4, 0.5), (0.2, 0.25), 255.0)


def network(words, image_size=8, **changes):
    stages = [Stage(16, len(words), 2, tuple(words), **changes)]
    torch.manual_seed(0)
    return HybridSwin(Variant(image_size, 2, 3, 1, 4, 2, stages)).eval()


OPTIONS = {  # what has ways of its own through the exporter
    "linear": "linear(feature=focused;rotary=true)",
    "sw_msa": "sw_msa(attention=cosine;bias=continuous;mask_padding=true)",
    "w_msa": "w_msa(bias=none;registers=2)",
}


def words_of_all_parts():
    """Block words in which every branch, fusion and gate stands at least once."""
    branches, words = registry.names("branch"), []
    left = list(branches)
    for fusion in registry.names("fusion"):
        pairs = [(a, b) for a in [*left, *branches] for b in [*left, "w_msa", "conv"] if a != b]
        for pair in pairs:
            with suppress(InputError):
                words.append(str(parse(f"{'+'.join(OPTIONS.get(b, b) for b in pair)}:{fusion}")))
                left = [name for name in left if name not in pair]
                break
    gates = itertools.cycle(["se", "eca", "grn"])
    alone = [f"{OPTIONS.get(b, b)}:sum(gate={next(gates)})" for b in left]
    return [*words, *alone]


def test_the_words_hold_all_parts():
    words = map(parse, words_of_all_parts())
    used = {part.name for word in words for part in (*word.branches, word.joined_by)}
    assert used >= {*registry.names("branch"), *registry.names("fusion")}


@pytest.mark.parametrize("half", [slice(None, 6), slice(6, None)], ids=["first", "second"])
def test_every_branch_and_fusion_runs_in_onnx_runtime(tmp_path, half):
    """On a map that oblong windows do not divide, so that they are padded and shifted as well."""
    model = network(words_of_all_parts()[half], (6, 9), window_size=(4, 5))
    exported = export_model(model, tmp_path / "all.onnx", class_names=["a", "b", "c"])
    assert exported.difference < TOLERANCE
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["images"]
    assert [o.name for o in session.get_outputs()] == ["logits"]
    ends = (*session.get_inputs(), *session.get_outputs())
    assert [end.shape[0] for end in ends] == ["batch", "batch"]
    images = torch.randn(5, 2, 6, 9)
    logits = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(logits, model(images), rtol=1e-4, atol=1e-6)
    told = {p.key: json.loads(p.value) for p in onnx.load(exported.path).metadata_props}
    assert Variant.from_dict(told["variant"]) == model.variant
    assert told["input"]["shape"] == ["batch", 2, 6, 9]
    assert told["classes"] == told["pretrained_cfg"]["label_names"] == ["a", "b", "c"]
    assert b"hybrid_swin/" not in exported.path.read_bytes()  # no paths of ours
    assert [file.name for file in tmp_path.iterdir()] == ["all.onnx"]


@pytest.mark.parametrize("merging", ["conv", "pool"])
def test_other_stems_mergings_and_layer_scales_run_in_onnx_runtime(tmp_path, merging):
    stages = [Stage(8, 1, 2, ("identity",)), Stage(16, 1, 2, ("identity",))]
    others = {"stem": "conv", "merging": merging, "layer_scale": 0.1}
    model = HybridSwin(Variant((11, 18), 2, 3, 4, 2, 2, stages, **others)).eval()
    exported = export_model(model, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    images = torch.randn(5, 2, 11, 18)
    logits = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(logits, model(images), rtol=1e-4, atol=1e-6)


def test_a_program_takes_pixels_of_another_size(tmp_path):
    model = network(["sw_msa"])
    exported = export_model(
        model,
        tmp_path / "program.pt2",
        image_size=(5, 10),
        values="pixels",
        normalisation=NORMALISATION,
    )
    assert "pixels from 0 to 255" in str(exported)
    texts = {"input.json": "", "variant.json": ""}
    program = torch.export.load(exported.path, extra_files=texts).module()
    pixels = torch.randint(0, 256, (4, 2, 5, 10)).float()
    mean, std = (torch.tensor(v).view(2, 1, 1) for v in (NORMALISATION.mean, NORMALISATION.std))
    with torch.no_grad():
        torch.testing.assert_close(program(pixels), model((pixels / 255 - mean) / std))
    assert json.loads(texts["input.json"])["values"] == "pixels"
    assert Variant.from_dict(json.loads(texts["variant.json"])) == model.variant
    with pytest.raises(AssertionError, match="Guard failed"):
        program(torch.zeros(4, 2, 8, 8))


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_a_range_is_mapped_and_clipped_in_the_graph_and_said(tmp_path, suffix):
    """As a network learned from CT images whose -1000 and 400 became 0 and 1."""
    model = network(["w_msa"])
    ranged = Normalisation((0.4, 0.5), (0.2, 0.25), 1.0, (-1000.0, 400.0), "pad")
    file = tmp_path / f"ct{suffix}"
    exported = export_model(model, file, values="pixels", normalisation=ranged)
    assert "pixels from -1000 to 400, others clipped" in str(exported)
    told = {"input.json": ""}
    pixels = torch.linspace(-3000, 3000, 2 * 2 * 8 * 8).view(2, 2, 8, 8)
    if suffix == ".pt2":
        found = torch.export.load(file, extra_files=told).module()(pixels)
        told = json.loads(told["input.json"])
    else:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        found = torch.from_numpy(session.run(None, {"images": pixels.numpy()})[0])
        told = {p.key: json.loads(p.value) for p in onnx.load(file).metadata_props}["input"]
    mean, std = (torch.tensor(v).view(2, 1, 1) for v in (ranged.mean, ranged.std))
    x = ((pixels.double() + 1000) / 1400).clamp(0, 1).float()
    with torch.no_grad():
        torch.testing.assert_close(found, model((x - mean) / std), rtol=1e-4, atol=1e-5)
    assert told["value_range"] == [-1000, 400] and told["resize"] == "pad"
    weights = export_model(model, tmp_path / "ct.safetensors", normalisation=ranged)
    assert "pixels from -1000 to 400 as 0 to 1, clipped; (x - [0.4, 0.5]) / [" in str(weights)
    assert load_trained(weights.path).normalisation == ranged


def test_weights_make_the_network_again(tmp_path):
    model = network(["conv+w_msa:cross", "mdta+w_msa:cascade"], norm="branch")
    export_model(
        model,
        tmp_path / "weights.safetensors",
        normalisation=NORMALISATION,
        class_names=["a", "b", "c"],
    )
    loaded = load_trained(tmp_path / "weights.safetensors")
    images = torch.randn(2, 2, 8, 8)
    assert torch.equal(loaded.model(images), model(images))
    assert loaded[1:3] == (NORMALISATION, ("a", "b", "c"))


def test_the_network_is_left_as_it_is(tmp_path):
    model = network(["w_msa"]).double().train()
    model.set_grad_checkpointing()
    before = copy.deepcopy(model.state_dict())
    export_model(model, tmp_path / "weights.safetensors")
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert model.layers[0].grad_checkpointing
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float64 and torch.equal(tensor, before[name])


def test_a_network_works_on_after_a_tracer_saw_it():
    """What is cached by size must not keep a tracer's tensors."""
    model, images = network(["sw_msa"], (11, 13)), torch.randn(2, 2, 11, 13)
    with torch.no_grad():
        program = torch.export.export(model, (images,), strict=False)
        assert type(model(images)) is torch.Tensor
        torch.testing.assert_close(program.module()(images), model(images))


# What is refused

LIAR = """
import torch
from torch import nn
from hybrid_swin import Branch, Cost


class Liar(Branch):
    '''Computes one thing, and another where it is traced.'''

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = nn.Identity()

    def mix(self, x, value_gate=None):
        {body}

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return Cost()
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3 * x if torch.compiler.is_exporting() else x.sin()", "computes something else"),
        (
            "return x + torch.arange(float(int(x.shape[0])))[:, None, None, None]",
            "cannot be exported",
        ),
        ("return x if x.sum() > 0 else -x", "cannot be exported"),
    ],
    ids=["other", "batch", "data"],
)
def test_what_computes_something_else_is_not_left_behind(tmp_path, write_plugin, body, message):
    registry.add_plugin(write_plugin("liar", LIAR.format(body=body)))
    model, path = network(["liar"]), tmp_path / "out.pt2"
    path.write_text("a good file of before")
    with pytest.raises(InputError, match=message) as error:
        export_model(model, path)
    assert "\n" not in str(error.value)
    assert path.read_text() == "a good file of before"
    assert not list(tmp_path.glob(".export-*"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.onnx", {"format": "onxx"}, "unknown format 'onxx'; did you mean 'onnx'"),
        ("x.pt", {}, r"does not end as .*\.onnx \(onnx\), \.pt2 \(torch-export\)"),
        ("x.pt2", {"format": "onnx"}, "does not end as a file of onnx"),
        ("none/x.pt2", {}, "there is no such folder"),
        ("x.pt2", {"image_size": 0}, "image_size must be a whole number of at least 1; got 0"),
        ("x.pt2", {"values": "pixel"}, "unknown kind of values 'pixel'; did you mean 'pixels'"),
        ("x.pt2", {"values": "pixels"}, "not known how pixels were normalised"),
        ("x.safetensors", {"values": "pixels"}, "holds weights alone"),
        ("x.pt2", {"class_names": ["a"]}, "1 class names for 3 classes"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, name, options, message):
    with pytest.raises(InputError, match=message):
        export_model(network(["w_msa"]), tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(export_formats, "is_installed", lambda name: name != "onnxscript")
    with pytest.raises(
        InputError, match=r"needs onnxscript; .*`pip install -c constraints.txt -e '\.\[export\]'`"
    ):
        export_model(network(["w_msa"]), tmp_path / "x.onnx")


def test_what_a_file_of_onnx_cannot_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(export_formats, "_ONNX_LIMIT", 1000)
    with pytest.raises(InputError, match="choose torch-export"):
        export_model(network(["w_msa"]), tmp_path / "x.onnx")

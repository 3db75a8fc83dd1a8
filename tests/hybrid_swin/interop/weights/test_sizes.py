"""Logits at many sizes beside four libraries', each written out slowly or, of one, their own.

The geometry is that of Swin-T, the widths are tiny: patches of 4, windows of 7, four stages.
"""

import copy
import json
import re
from functools import cache

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import SwinConfig, SwinForImageClassification

import hybrid_swin as hs
from hybrid_swin.interop.weights.source.layouts import names, split

WINDOW, HEADS = 7, 2
SQUARE = (96, 128, 160, 192, 224, 256, 352)
OBLONG = (160, 224), (224, 320), (200, 260), (224, 448)
SIZES = [*((side, side) for side in SQUARE), *OBLONG]
# Where logits differ from a network's for 224 x 224 pixels unless its rules are taken over.
DIFFER = {
    "timm": [size for size in SIZES if size != (224, 224)],
    "torchvision": [size for size in SIZES if min(size) <= 192],
    "microsoft": [(224, 448)],
    "huggingface": [(224, 320), (200, 260), (224, 448)],
}
# What a library refuses: windows do not divide a map, or its tables do not fit.
REFUSED = {
    "timm": [],
    "torchvision": [],
    "microsoft": [size for size in SIZES if size not in ((224, 224), (224, 448))],
    "huggingface": [size for size in SIZES if min(size) <= 192],
}
SAME, OTHER = 1e-6, 1e-4


class Refused(Exception):
    """The library's own code would fail."""


def timm(grid, nominal):
    """Worked out when it is made; images that come later change neither."""
    window = [min(WINDOW, side) for side in nominal]
    return window, [0 if n <= w else WINDOW // 2 for n, w in zip(nominal, window, strict=True)]


def torchvision(grid, nominal):
    """An axis that one window covers after padding is not shifted."""
    padded = [-(-side // WINDOW) * WINDOW for side in grid]
    return [WINDOW] * 2, [0 if WINDOW >= side else WINDOW // 2 for side in padded]


def microsoft(grid, nominal):
    """Made for each size; with smaller windows it has smaller tables, and it never pads."""
    if min(grid) < WINDOW or any(side % WINDOW for side in grid):
        raise Refused
    return [WINDOW] * 2, [0 if min(grid) <= WINDOW else WINDOW // 2] * 2


LAYS = {"timm": timm, "torchvision": torchvision, "microsoft": microsoft}


@cache
def offsets(height, width):
    """Rows of the table: query by query, key by key."""
    places = [(i, j) for i in range(height) for j in range(width)]
    rows = [
        [(a - c + height - 1) * (2 * width - 1) + b - d + width - 1 for c, d in places]
        for a, b in places
    ]
    return torch.tensor(rows)


def regions(side, window, shift):
    """Which parts of a rolled axis were neighbours before: the rest, the last window's two."""
    found = [0] * (side - window) + [1] * (window - shift) + [2] * shift
    return torch.tensor(found if shift else [0] * side)


def attend(x, weights, window, shift, pads_first):
    height, width = x.shape[1:3]
    margin = (0, 0, 0, -width % window[1], 0, -height % window[0])
    back = [-s for s in shift]
    x = F.pad(x, margin).roll(back, (1, 2)) if pads_first else F.pad(x.roll(back, (1, 2)), margin)
    rows, columns = (regions(*axis) for axis in zip(x.shape[1:3], window, shift, strict=True))
    region = rows[:, None] * 3 + columns[None]
    table = weights["attn.relative_position_bias_table"]
    bias, out = table[offsets(*window)].permute(2, 0, 1), torch.empty_like(x)
    for top in range(0, x.shape[1], window[0]):
        for left in range(0, x.shape[2], window[1]):
            here = (slice(None), slice(top, top + window[0]), slice(left, left + window[1]))
            qkv = F.linear(
                x[here].flatten(1, 2), weights["attn.qkv.weight"], weights["attn.qkv.bias"]
            )
            q, k, v = qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            ids = region[here[1:]].flatten()
            mask = torch.where(ids[:, None] == ids[None], 0.0, -100.0)
            mixed = (q @ k.mT * q.shape[-1] ** -0.5 + bias + mask).softmax(-1) @ v
            mixed = mixed.transpose(1, 2).flatten(2)
            mixed = F.linear(mixed, weights["attn.proj.weight"], weights["attn.proj.bias"])
            out[here] = mixed.unflatten(1, tuple(window))
    if pads_first:
        return out.roll(shift, (1, 2))[:, :height, :width]
    return out[:, :height, :width].roll(shift, (1, 2))


def slow_logits(weights, images, library, own):
    """A plain Swin's by a library's rules; ``weights`` have timm's names, ``own`` is its size."""

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    stem = (weights[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias"))
    x = norm(F.conv2d(images, *stem, 4).permute(0, 2, 3, 1), "patch_embed.norm")
    nominal = [side // 4 for side in own]
    for i in range(4):
        if i:
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
            x = torch.cat([x[:, a::2, b::2] for b in (0, 1) for a in (0, 1)], -1)
            x = linear(norm(x, f"layers.{i}.downsample.norm"), f"layers.{i}.downsample.reduction")
            nominal = [(side + 1) // 2 for side in nominal]
        for j in (0, 1):
            name = f"layers.{i}.blocks.{j}"
            inside = {n.removeprefix(f"{name}."): w for n, w in weights.items() if name in n}
            window, shift = LAYS[library](x.shape[1:3], nominal)
            shift = shift if j else [0, 0]
            x = x + attend(norm(x, f"{name}.norm1"), inside, window, shift, library != "timm")
            hidden = F.gelu(linear(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
            x = x + linear(hidden, f"{name}.mlp.fc2")
    return linear(norm(x, "norm").mean((1, 2)), "head.fc")


def model(own=(224, 224), seed=0, words=("w_msa", "sw_msa")):
    stages = [hs.Stage(4 * 2**i, 2, HEADS, words) for i in range(4)]
    torch.manual_seed(seed)
    network = hs.HybridSwin(hs.Variant(own, 3, 5, 4, WINDOW, 2, stages)).eval().double()
    for name, parameter in network.named_parameters():
        mean = 1.0 if "norm" in name and "weight" in name else 0.0
        torch.nn.init.normal_(parameter, mean=mean, std=0.3)
    return network


def theirs(library, folder):
    """The source as its library would save it, and what computes logits as it does."""
    if library == "huggingface":
        sizes = {"embed_dim": 4, "depths": [2] * 4, "num_heads": [HEADS] * 4, "mlp_ratio": 2}
        network = SwinForImageClassification(SwinConfig(**sizes, num_labels=5)).eval().double()
        for name, parameter in network.named_parameters():
            mean = 1.0 if "norm" in name and "weight" in name else 0.0
            torch.nn.init.normal_(parameter, mean=mean, std=0.3)
        # Its blocks keep the window and the shift of the smallest map that they have seen.
        return network.state_dict(), lambda images, own: copy.deepcopy(network)(images).logits
    weights = model(seed=1).state_dict()
    source = {
        name: part
        for ours, tensor in weights.items()
        for name, part in zip(names(library, ours), split(library, ours, tensor), strict=True)
    }
    if library == "timm":
        save_file(source, folder / "model.safetensors")
        (folder / "config.json").write_text('{"architecture": "swin_tiny_patch4_window7_224"}')
        source = folder
    return source, lambda images, own: slow_logits(weights, images, library, own)


@torch.no_grad()
def differences(network, logits, sizes=SIZES):
    """Of logits by size, over the size of theirs; None where the library takes no such image."""
    found = {}
    for size in sizes:
        images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)).double()
        try:
            expected = logits(images, network.variant.image_size)
        except (Refused, RuntimeError):
            found[size] = None
        else:
            found[size] = float((network(images) - expected).norm() / expected.norm())
    return found


@pytest.mark.parametrize("library", DIFFER)
def test_logits_are_the_sources_at_every_size_that_it_takes(library, tmp_path):
    source, logits = theirs(library, tmp_path)
    plain, following = model(), model()
    report = hs.load_weights(plain, source)
    found = differences(plain, logits)
    assert [size for size, far in found.items() if far is None] == REFUSED[library]
    far_off = [size for size, far in found.items() if far is not None and far > SAME]
    assert far_off == DIFFER[library]
    assert all(found[size] > OTHER for size in far_off)
    assert report.is_as_in_source and report.other_sizes.startswith("logits differ from those of")
    named = re.findall(r"; (\d+)x(\d+)\)", report.other_sizes)
    assert named
    for size in ((int(height), int(width)) for height, width in named):
        assert differences(plain, logits, [size])[size] > OTHER
    report = hs.load_weights(following, source, follow_source=True)
    assert report.is_as_in_source and report.other_sizes.startswith("logits are those of")
    found = differences(following, logits)
    assert all(far is None or far < SAME for far in found.values())


@pytest.mark.parametrize(
    ("library", "own"),
    [
        ("timm", (256, 256)),
        ("timm", (224, 320)),
        ("torchvision", (128, 128)),  # its tables are larger than those of the model as it was
        ("torchvision", (96, 160)),
        ("microsoft", (224, 448)),
        ("huggingface", (256, 224)),
    ],
)
def test_a_network_for_other_images_follows_as_well(library, own, tmp_path):
    source, logits = theirs(library, tmp_path)
    network = model(own)
    assert hs.load_weights(network, source, follow_source=True).is_as_in_source
    sizes = (128, 128), (224, 224), (256, 256), (224, 320), (200, 260), (224, 448)
    found = differences(network, logits, sizes)
    assert all(far is None or far < SAME for far in found.values())
    again = hs.HybridSwin(network.variant).eval().double()
    again.load_state_dict(network.state_dict())
    images = torch.randn(1, 3, 200, 260).double()
    assert torch.equal(again(images), network(images))


@pytest.mark.parametrize(
    "fields",
    [
        {"model_args": {"img_size": 224}},
        {"model_args": {"img_size": [224, 224]}, "pretrained_cfg": {"input_size": [3, 96, 96]}},
        {"pretrained_cfg": {"input_size": [3, 224, 224]}},
    ],
)
def test_timms_windows_are_those_of_the_size_in_its_config(fields, tmp_path):
    source, logits = theirs("timm", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "swin_tiny"} | fields))
    network, following, own = model((256, 256)), model((256, 256)), model()

    def far(network, size):
        images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)).double()
        expected = logits(images, (224, 224))
        return float((network(images) - expected).norm() / expected.norm())

    with torch.no_grad():
        report = hs.load_weights(network, source)
        assert far(network, (256, 256)) > OTHER and not report.is_as_in_source
        said = "0x0 in timm, made for 224x224 (make the model with that image_size to have that)"
        assert said in report.blocks[-1].why and report.blocks[-1].difference > 0.001
        assert "shifted as at 224x224; " in report.other_sizes
        assert "which it was made (" in report.other_sizes
        report = hs.load_weights(following, source, follow_source=True)
        assert far(following, (256, 256)) > OTHER and not report.is_as_in_source
        said = "of 224x224, for which it was made (layers.3.blocks.1 sw_msa"
        assert any(said in note for note in report.notes)
        assert "make the model with image_size=224)" in report.other_sizes
        report = hs.load_weights(own, source, follow_source=True)
        assert report.is_as_in_source and report.other_sizes.startswith("logits are those of timm")
        assert all(far(own, size) < SAME for size in ((224, 224), (256, 256), (96, 160)))


@torch.no_grad()
def test_another_size_of_timms_does_not_matter_where_windows_are_the_same(tmp_path):
    source, logits = theirs("timm", tmp_path)
    config = {"architecture": "swin_tiny", "model_args": {"img_size": 256}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    network = model((320, 352))
    report = hs.load_weights(network, source, follow_source=True)
    assert report.is_as_in_source and report.other_sizes.startswith("logits are those of timm")
    for size in ((256, 256), (320, 352), (128, 96)):
        images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)).double()
        torch.testing.assert_close(network(images), logits(images, (256, 256)))

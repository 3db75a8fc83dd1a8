"""The rules of libraries that are not installed, each written out slowly as its source has it."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.interop.weights.source.rules import DEFAULTS, Rules
from hybrid_swin.network.windows import relative_position_index

WINDOW, PATCH, HEADS = 4, 2, (2, 4)
PLAIN = "w_msa", "sw_msa"
SIZES = [(32, 32), (16, 16), (16, 32), (20, 20), (8, 24), (8, 8), (12, 12), (24, 40), (16, 24)]


class Refused(Exception):
    """The library's own code would fail."""


def pair(window):
    return list(window) if isinstance(window, tuple) else [window, window]


# What each library does in one block: windows, shift, and the order of padding and rolling


def timm(grid, nominal, window, shifted):
    """Both are worked out once, for the size that the network is made for; rolled, then padded."""
    sides = [r if r <= w else w for r, w in zip(nominal, pair(window), strict=True)]
    shift = [0 if r <= s else w // 2 for r, s, w in zip(nominal, sides, pair(window), strict=True)]
    return sides, shift if shifted else [0, 0], False


def microsoft(grid, nominal, window, shifted):
    """One window for the whole map where its shorter side is no longer; no padding."""
    shift = window // 2 if shifted else 0
    if min(grid) <= window:
        shift, window = 0, min(grid)
    if any(g % window for g in grid):
        raise Refused("view: shape is invalid")
    return [window] * 2, [shift] * 2, True


def torchvision(grid, nominal, window, shifted):
    """Windows are never cut; an axis that one of them covers after padding is not shifted."""
    window = pair(window)
    whole = [-(-g // w) * w for g, w in zip(grid, window, strict=True)]
    shift = [0 if w >= p or not shifted else w // 2 for p, w in zip(whole, window, strict=True)]
    return window, shift, True


def dense(grid, nominal, window, shifted):
    """Detectors of OpenMMLab and Microsoft: everything is padded, every other block is shifted."""
    return [window] * 2, [window // 2 if shifted else 0] * 2, True


LIBRARIES = {"timm": timm, "microsoft": microsoft, "torchvision": torchvision, "dense": dense}


def attend(x, weights, heads, sides, shift, pads_first):
    height, width = x.shape[1:3]
    margin = (0, 0, 0, -width % sides[1], 0, -height % sides[0])
    back = [-s for s in shift]
    x = F.pad(x, margin).roll(back, (1, 2)) if pads_first else F.pad(x.roll(back, (1, 2)), margin)
    full = x.shape[1:3]
    region = torch.zeros(full)
    count = 0
    # A shift of 0 makes the last slice the whole axis, as it does in all of them.
    for rows in ((0, -sides[0]), (-sides[0], -shift[0]), (-shift[0], None)):
        for columns in ((0, -sides[1]), (-sides[1], -shift[1]), (-shift[1], None)):
            region[slice(*rows), slice(*columns)] = count
            count += 1
    if not any(shift):
        region.zero_()
    table = weights["attn.relative_position_bias_table"]
    places = [(i, j) for i in range(sides[0]) for j in range(sides[1])]
    index = torch.tensor(
        [
            [(a - c + sides[0] - 1) * (2 * sides[1] - 1) + b - d + sides[1] - 1 for c, d in places]
            for a, b in places
        ]
    )
    bias, out = table[index].permute(2, 0, 1), torch.zeros_like(x)
    for top in range(0, full[0], sides[0]):
        for left in range(0, full[1], sides[1]):
            here = (slice(None), slice(top, top + sides[0]), slice(left, left + sides[1]))
            qkv = F.linear(
                x[here].flatten(1, 2), weights["attn.qkv.weight"], weights["attn.qkv.bias"]
            )
            q, k, v = torch.unflatten(qkv, -1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
            ids = region[here[1:]].flatten()
            mask = torch.where(ids[:, None] == ids[None], 0.0, -100.0)
            mixed = (q @ k.mT * q.shape[-1] ** -0.5 + bias + mask).softmax(-1) @ v
            mixed = F.linear(
                mixed.transpose(1, 2).flatten(2),
                weights["attn.proj.weight"],
                weights["attn.proj.bias"],
            )
            out[here] = torch.unflatten(mixed, 1, tuple(sides))
    if pads_first:
        return out.roll(shift, (1, 2))[:, :height, :width]
    return out[:, :height, :width].roll(shift, (1, 2))


def swin(weights, images, library, window=WINDOW):
    """The last map of a plain Swin by a library's rules; ``weights`` have timm's names."""

    def norm(x, name):
        return F.layer_norm(
            x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5
        )

    x = F.conv2d(
        images, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], PATCH
    )
    x = norm(x.permute(0, 2, 3, 1), "patch_embed.norm")
    nominal = list(x.shape[1:3])
    for i, heads in enumerate(HEADS):
        if i:
            if library == "microsoft" and (x.shape[1] % 2 or x.shape[2] % 2):
                raise Refused("x size is not even")
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
            x = torch.cat([x[:, a::2, b::2] for b in (0, 1) for a in (0, 1)], -1)
            x = F.linear(
                norm(x, f"layers.{i}.downsample.norm"),
                weights[f"layers.{i}.downsample.reduction.weight"],
            )
            nominal = [(n + 1) // 2 for n in nominal]
        for j in (0, 1):
            name = f"layers.{i}.blocks.{j}"
            own = {n.removeprefix(f"{name}."): t for n, t in weights.items() if n.startswith(name)}
            rule = LIBRARIES[library](x.shape[1:3], nominal, window, j == 1)
            x = x + attend(norm(x, f"{name}.norm1"), own, heads, *rule)
            hidden = F.linear(norm(x, f"{name}.norm2"), own["mlp.fc1.weight"], own["mlp.fc1.bias"])
            x = x + F.linear(F.gelu(hidden), own["mlp.fc2.weight"], own["mlp.fc2.bias"])
    return norm(x, "norm")


def model(size, words=PLAIN, seed=0, window=WINDOW):
    stages = [hs.Stage(8 * 2**i, 2, heads, words) for i, heads in enumerate(HEADS)]
    torch.manual_seed(seed)
    network = hs.HybridSwin(hs.Variant(size, 3, 3, PATCH, window, 2, stages)).eval()
    for name, parameter in network.named_parameters():
        mean = 1.0 if "norm" in name and "weight" in name else 0.0
        torch.nn.init.normal_(parameter, mean=mean, std=0.3)
    return network


def built_at(size, library, window=WINDOW):
    """The weights of a library's network that was built for a size, by timm's names."""
    weights = model((64, 64)).state_dict()
    nominal = [s // PATCH for s in size]
    for i in range(2):
        sides = [n // 2**i for n in nominal]
        try:
            windows = LIBRARIES[library](sides, sides, window, False)[0]
        except Refused:
            windows = [WINDOW] * 2
        rows = (2 * windows[0] - 1) * (2 * windows[1] - 1)
        for j in (0, 1):
            name = f"layers.{i}.blocks.{j}.attn.relative_position_bias_table"
            weights[name] = torch.randn(rows, HEADS[i])
    return weights


def spelt(weights, layout):
    return {
        theirs: part
        for name, tensor in weights.items()
        for theirs, part in zip(names(layout, name), split(layout, name, tensor), strict=True)
    }


def in_layout(weights, library, folder=None, window=None):
    """As the library saves them; timm's beside its config, so that they can only be timm's."""
    if library == "timm":
        save_file(weights, folder / "model.safetensors")
        config = {"architecture": "swin_tiny_patch4_window7_224"}
        config |= {} if window is None else {"model_args": {"window_size": list(window)}}
        (folder / "config.json").write_text(json.dumps(config))
        return folder
    if library == "dense":
        spelled = spelt({n: t for n, t in weights.items() if "head" not in n}, "openmmlab")
        spelled |= {"neck.lateral_convs.0.conv.weight": torch.zeros(1)}
        return {"state_dict": spelled}
    return spelt(weights, library)


def own_words(library):
    rules = DEFAULTS["openmmlab"] if library == "dense" else DEFAULTS[library]
    if library == "dense":
        rules = replace(rules, small_map="pad", shift="always", small_maps=True)
    return str(rules.part("w_msa")), str(rules.part("sw_msa"))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("taken_over", [False, True])
def test_a_report_says_what_is_so(library, size, taken_over, tmp_path):
    words = own_words(library) if taken_over else PLAIN
    network, weights = model(size, words, seed=1), built_at(size, library)
    report = hs.load_weights(network, in_layout(weights, library, tmp_path))
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        try:
            expected = swin(weights, x, library)
            found = network.forward_features(x)
            same = bool((found - expected).norm() < 1e-4 * expected.norm())
        except Refused:
            same = None
    assert report.is_as_in_source is (same is True)
    if same is None:
        assert any("takes no" in block.why for block in report.blocks)
    elif taken_over:
        assert same
    elif not same:
        wrong = [b for b in report.blocks if b.how == "changed"]
        assert wrong and all(b.why for b in wrong)
        measured = [b for b in wrong if b.difference is not None]
        assert measured or report.resized
        assert all(b.difference > 1e-3 for b in measured)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
@pytest.mark.parametrize("size", [(20, 20), (8, 24), (24, 40)])
@pytest.mark.parametrize("window", [(3, 5), (5, 3), 4])
def test_windows_of_two_sides_are_those_of_the_libraries(library, size, window, tmp_path):
    sides = (3, 5)  # of the source
    words = own_words(library)
    network = model(size, words, seed=1, window=window)
    weights = built_at(size, library, sides)
    source = in_layout(weights, library, tmp_path, sides)
    if library == "torchvision":  # which keeps an index beside its tables
        index = relative_position_index(sides, sides, torch.device("cpu")).flatten()
        source |= {
            name.replace("bias_table", "index"): index for name in source if "bias_table" in name
        }
    report = hs.load_weights(network, source)
    nominal = hs.load_weights(model(size, words, window=sides), source)
    assert nominal.is_as_in_source and not nominal.resized
    if window == sides:
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            expected = swin(weights, x, library, sides)
            torch.testing.assert_close(network.forward_features(x), expected, rtol=1e-4, atol=1e-4)
            following = model(size, seed=3, window=sides)
            hs.load_weights(following, source, follow_source=True)
            assert following.variant.window_size == sides
            found = following.forward_features(x)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    else:
        changed = [b for b in report.blocks if b.how == "changed"]
        assert len(changed) == len(report.resized) and report.resized
        assert all("bias table is interpolated" in b.why for b in changed)
        assert all(b.difference > 1e-3 for b in changed if b.difference is not None)
    again = model(size, words, seed=2, window=sides)
    hs.load_weights(again, source)
    again.set_input_size(window_size=window)
    for name, table in again.state_dict().items():
        torch.testing.assert_close(table, network.state_dict()[name], msg=name)


def test_the_word_for_each_library():
    assert own_words("timm") == (
        "w_msa(small_map=fixed)",
        "sw_msa(roll=bare;shift=fixed;small_map=fixed)",
    )
    assert own_words("torchvision") == ("w_msa(small_map=pad)", "sw_msa(small_map=pad)")
    assert own_words("microsoft") == (
        "w_msa(small_map=square)",
        "sw_msa(shift=map;small_map=square)",
    )
    assert Rules("ours").part("sw_msa").options == ()


def test_without_a_config_timms_names_may_be_ours(tmp_path):
    """Then a block is neither said to be as in the source, nor to be another."""
    report = hs.load_weights(model((20, 20)), built_at((20, 20), "timm"))
    assert [b.how for b in report.blocks] == ["taken", "taken", "taken", "unsure"]
    assert report.blocks[3].why == (
        "unless the source is of this very network: a map of 5x5 is padded, then rolled; timm "
        "rolls it first (write sw_msa(roll=bare;shift=fixed;small_map=fixed) or load with "
        "follow_source=True to have that)"
    )
    hs.save_weights(model((20, 20)), tmp_path / "ours.safetensors")  # which says that it is ours
    report = hs.load_weights(model((20, 20)), tmp_path / "ours.safetensors")
    assert report.is_as_in_source and report.basis == "its variant" and report.rules == ()


def test_arguments_of_timms_training_script_are_read():
    weights = built_at((32, 32), "timm")
    kept = {"arch": "swin_tiny_patch4_window7_224", "state_dict": weights}
    assert hs.load_weights(model((20, 20)), kept).blocks[3].how == "changed"
    kept["args"] = Namespace(model_kwargs={"always_partition": True, "norm_layer": "rmsnorm"})
    report = hs.load_weights(model((16, 16)), kept)
    assert report.rules == ("timm (always_partition)",)
    assert [b.how for b in report.blocks] == ["taken", "taken", "taken", "changed"]
    assert report.outside == ("its norms are 'rmsnorm', ours are layer norms",)


def test_a_backbone_alone_may_be_a_detectors():
    weights = {n: t for n, t in built_at((16, 16), "timm").items() if "head" not in n}
    backbone = spelt(weights, "openmmlab")
    for kind in ("weight", "bias"):
        backbone[f"norm1.{kind}"] = backbone.pop(f"norm.{kind}")
    report = hs.load_weights(model((16, 16)), backbone)
    assert report.rules == ("mmpretrain", "OpenMMLab's detectors")
    assert [b.how for b in report.blocks] == ["taken", "taken", "taken", "unsure"]
    assert report.blocks[3].why.startswith("if the source is of OpenMMLab's detectors: a shift of")
    norms = {f"backbone.norm{i}.weight": torch.ones(8) for i in (0, 1)}
    detector = {f"backbone.{n}": t for n, t in spelt(weights, "microsoft").items()} | norms
    assert hs.load_weights(model((16, 16)), detector).rules == ("Microsoft's detectors",)


def test_images_that_patches_do_not_divide_are_told():
    weights = built_at((32, 32), "torchvision")
    report = hs.load_weights(model((31, 32)), spelt(weights, "torchvision"))
    assert report.outside == (
        "sides of 31x32 that patches of 2 do not divide are padded; torchvision cuts them off",
    )


def test_what_a_block_has_beside_is_no_longer_as_in_the_source():
    weights = spelt(built_at((32, 32), "torchvision"), "torchvision")
    weights["features.1.1.layer_scale.weight"] = torch.ones(8)
    weights["features.2.extra"] = torch.ones(8)
    report = hs.load_weights(model((32, 32)), weights)
    assert [b.how for b in report.blocks] == ["taken", "changed", "taken", "taken"]
    assert report.blocks[1].why == "no place for the source's layer_scale.weight"
    assert report.outside == ("the model has no place for the source's features.2.extra",)
    assert report.left_out == ("features.1.1.layer_scale.weight", "features.2.extra")
    assert report.unused == ()


def test_a_stem_without_norm_is_another_network():
    weights = {n: t for n, t in built_at((32, 32), "timm").items() if "patch_embed.norm" not in n}
    with pytest.raises(InputError, match=r"\(patch_norm: false\) is another network"):
        hs.load_weights(model((32, 32)), weights)


def test_a_difference_is_measured_beside_other_branches_and_in_any_state(tmp_path):
    """A compiled network, one in half precision, and a branch that cannot be measured."""
    source = in_layout(built_at((16, 32), "microsoft"), "microsoft")
    words = "w_msa+mdta", "sw_msa+mdta"
    alone = hs.load_weights(model((16, 32)), source).blocks[3]
    joined = hs.load_weights(model((16, 32), words), source).blocks[3]
    assert alone.how == joined.how == "changed" and joined.word == "sw_msa+mdta"
    assert joined.difference == pytest.approx(alone.difference, rel=1e-6)
    half = hs.load_weights(model((16, 32)).bfloat16(), source).blocks[3]
    assert half.difference == pytest.approx(alone.difference, rel=0.05)
    compiled = model((16, 32))
    compiled.compile_blocks(backend="eager")
    assert hs.load_weights(compiled, source).blocks[3].difference == alone.difference
    stubborn = model((16, 32), words)
    stubborn.layers[1].blocks[1].attn.forward = lambda x: 1 / 0
    report = hs.load_weights(stubborn, source)
    assert report.blocks[3].how == "changed" and report.blocks[3].difference is None


def test_no_random_number_is_used_up_and_no_mode_changed():
    network = model((16, 32)).train()
    source = in_layout(built_at((16, 32), "microsoft"), "microsoft")
    torch.manual_seed(5)
    assert any(b.difference for b in hs.load_weights(network, source).blocks)
    found = torch.randn(3)
    torch.manual_seed(5)
    assert torch.equal(torch.randn(3), found) and network.training


def test_a_hybrid_that_does_not_say_its_variant_is_compared_by_names_alone():
    words = "w_msa+mdta", "sw_msa"
    report = hs.load_weights(model((32, 32), words), model((32, 32), words, seed=1).state_dict())
    assert report.rules == ("hybrid_swin",) and report.basis.startswith("names and shapes alone")

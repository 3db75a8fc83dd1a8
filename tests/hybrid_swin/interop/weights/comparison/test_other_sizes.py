"""What is said of other sizes, beside how windows lie on thousands of them."""

import json
import random
import re

import pytest
import torch
from safetensors.torch import save_file

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.interop.weights.source.rules import MICROSOFT, TIMM, TORCHVISION, TRANSFORMERS

RULES = {
    "timm": TIMM,
    "torchvision": TORCHVISION,
    "huggingface": TRANSFORMERS,
    "microsoft": MICROSOFT,
}
PLAIN = "w_msa", "sw_msa"


def made(size, window, stages=1, words=PLAIN):
    torch.manual_seed(0)
    built = [hs.Stage(4 * 2**i, 2, 2, words) for i in range(stages)]
    return hs.HybridSwin(hs.Variant(size, 1, 2, 4, window, 1, built)).eval()


def source(network, layout, folder):
    """The network's weights by the names of a layout; of timm with its config."""
    weights = {
        theirs: part.clone()
        for name, tensor in network.state_dict().items()
        for theirs, part in zip(names(layout, name), split(layout, name, tensor), strict=True)
    }
    if layout != "timm":
        return weights
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "swin_tiny"}))
    return folder


def differ(network, rules, image, windows=None):
    """Whether some block's windows lie otherwise; None where the library takes no such image."""
    variant, found = network.variant, []
    windows = windows or variant.window_sizes
    for i, grid in enumerate(variant.grids_of(image)):
        for j, block in enumerate(network.layers[i].blocks):
            theirs = rules.lay(variant, i, windows[i], bool(j % 2), image)
            if isinstance(theirs, str):
                return None
            found.append(block.attn.lay(grid) != theirs)
    return any(found)


def named(sentence):
    return [(int(h), int(w)) for h, w in re.findall(r"; (\d+)x(\d+)\)", sentence)]


@pytest.mark.parametrize(
    ("size", "window", "stages", "at"), [(224, 7, 1, (16, 224)), (256, 8, 2, (32, 64))]
)
def test_small_maps_are_told_however_far_from_the_nominal_ones(size, window, stages, at, tmp_path):
    network = made(size, window, stages)
    said = hs.load_weights(network, source(network, "torchvision", tmp_path)).other_sizes
    assert differ(network, TORCHVISION, at)
    assert said.startswith("logits differ from those of torchvision on maps smaller than the")
    assert all(differ(network, TORCHVISION, image) for image in named(said))


@pytest.mark.parametrize("layout", RULES)
@pytest.mark.parametrize("follows", [False, True])
def test_the_sentence_holds_at_random_sizes(layout, follows, tmp_path):
    """Of networks whose nominal maps are larger than their windows, and of some that are not."""
    chance, rules = random.Random(layout), RULES[layout]
    equal = unequal = 0

    def side(window, most):
        fits = [4 * window * n for n in (1, 2, 3, 4, 8) if window * n <= most]
        return chance.choice([*fits, 4 * chance.randint(1, most), 4 * chance.randint(1, 10)])

    for _ in range(10):
        window, stages = chance.choice([2, 3, 4, 7, 8]), chance.choice([1, 2, 3])
        network = made((side(window, 60), side(window, 60)), window, stages)
        # Of transformers a table of biases tells the window, which never shrinks.
        windows = [layer.blocks[0].attn.window for layer in network.layers]
        told = windows if layout == "huggingface" else None
        given = source(network, layout, tmp_path)
        try:
            said = hs.load_weights(network, given, follow_source=follows).other_sizes
        except InputError:  # of two sides, which a table alone does not tell
            continue
        sizes = [(side(window, 70), side(window, 70)) for _ in range(100)]
        where = [image for image in sizes if differ(network, rules, image, told)]
        if "logits are those" in said:
            equal += 1
            assert not where, (network.variant, where[0], said)
        elif said:
            unequal += 1
            assert all(differ(network, rules, image, told) for image in named(said)), said
    assert equal if follows else unequal

"""Images of any size: as Hugging Face computes them, and without a memory of sizes before."""

import copy

import pytest
import torch

from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def pair(width, depths, heads, window, size):
    """Hugging Face's Swin and ours with the same random weights."""
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(
        image_size=size,
        embed_dim=width,
        depths=list(depths),
        num_heads=list(heads),
        window_size=window,
        num_labels=10,
    )
    torch.manual_seed(0)
    theirs = SwinForImageClassification(config).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "bias" in name:  # which start at 0, but for the tables
                parameter.normal_(std=0.2)
    stages = [
        Stage(width * 2**i, depth, n, ("w_msa", "sw_msa")[:depth])
        for i, (depth, n) in enumerate(zip(depths, heads, strict=True))
    ]
    variant = Variant(image_size=size, num_classes=10, window_size=window, stages=stages)
    ours = HybridSwin(variant).eval()
    report = load_weights(ours, theirs.state_dict())
    assert report.layout == "huggingface" and not report.fresh
    return theirs, ours


def compare(theirs, ours, size):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # A fresh one each time: theirs drops its shifts for good where a window covers a map.
        expected = copy.deepcopy(theirs)(images, interpolate_pos_encoding=True).logits
        found = ours(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "size",
    [(56, 56), (64, 64), (64, 80), (120, 60), (57, 101)],
    ids=lambda s: "x".join(map(str, s)),
)
def test_a_small_swin_agrees_at_other_sizes(size):
    compare(*pair(24, (2, 2), (2, 4), 7, 56), size)


def test_a_swin_of_four_stages_agrees_at_256_and_256_by_320():
    theirs, ours = pair(16, (2, 2, 2, 2), (1, 2, 4, 8), 7, 224)
    for size in ((224, 224), (256, 256), (256, 320)):
        compare(theirs, ours, size)


def test_sizes_leave_no_trace():
    _, ours = pair(24, (2, 2), (2, 4), 7, 56)
    images = torch.randn(1, 3, 56, 56)
    with torch.no_grad():
        first = ours(images)
        for size in ((64, 80), (8, 8), (20, 200), (4, 3)):
            assert ours(torch.randn(2, 3, *size)).isfinite().all()
        assert torch.equal(ours(images), first)

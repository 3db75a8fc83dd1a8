"""What of a file fits into networks of other sizes, and what starts fresh."""

import pytest
import torch

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.fresh import fresh_parts, planned_start
from hybrid_swin.interop.weights.source.weight_source import read_source

COSINE = "w_msa(attention=cosine;bias=continuous)"
IN_STAGE_2 = "mixers of stage 2, MLPs of stage 2, norms of stage 2"
# what a network has otherwise than the file: its fresh parts
NETWORKS = {
    "other classes": ({"num_classes": 3}, "head"),
    "grey images": ({"in_channels": 1}, ""),
    "smaller windows": ({"window_size": 4}, ""),
    "a smaller MLP": ({"mlp_ratio": 2.0}, "MLPs of stages 1 and 2"),
    "another stem": ({"stem": "conv"}, "stem"),
    "another merging": ({"merging": "pool"}, "merging of stage 2"),
    "norms elsewhere": ({"norm": "post"}, "norms of stages 1 and 2"),
    "a norm per branch": ({"norm": "branch"}, ""),
    "merged patches normed": ({"merging_norm": "post"}, "merging of stage 2"),
    "more blocks": ({"depths": (2, 3)}, IN_STAGE_2),
    "a stage less": ({"depths": (2,), "heads": (2,)}, "last norm, head"),
    "other heads": ({"heads": (3, 4)}, "mixers of stage 1"),
    "another version": (
        {"words": (COSINE,) * 2, "norm": "post"},
        "mixers of stages 1 and 2, norms of stages 1 and 2",
    ),
}


@pytest.mark.parametrize("changes", NETWORKS)
def test_parts_are_taken_whole_or_left_fresh(golden, small_swin, changes):
    fields, parts = NETWORKS[changes]
    words = fields.get("words", ())
    others = {name: value for name, value in fields.items() if name != "words"}
    model, first = (small_swin(*words, **others) for _ in range(2))
    first = first.state_dict()
    weights = golden().weights
    report = hs.load_weights(model, weights, strict=False)
    assert fresh_parts(report.fresh) == parts
    for name in report.fresh:
        assert torch.equal(model.state_dict()[name], first[name])
    for name in report.taken:
        if name in weights:
            assert torch.equal(model.state_dict()[name], weights[name])
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    share = sum(sizes[name] for name in report.fresh if name in sizes) / sum(sizes.values())
    assert report.fresh_share == pytest.approx(share)
    assert planned_start(model.variant, read_source(weights)) == (report.fresh_share, parts)


def test_deeper_networks_take_the_blocks_that_there_are(golden, small_swin):
    model = small_swin(depths=(2, 3))
    report = hs.load_weights(model, golden().weights, strict=False)
    assert [block.how for block in report.blocks] == ["taken"] * 4 + ["fresh"]
    assert report.blocks[-1].why == "the source has no such block"


def test_added_branches_start_as_if_they_were_not_there(golden, small_swin):
    weights, images, logits = golden()
    model = small_swin("w_msa+mdta:gate", "sw_msa")
    report = hs.load_weights(model, weights, strict=False)
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, atol=1e-5, rtol=0)
    assert fresh_parts(report.fresh) == "mixers of stages 1 and 2"


def test_of_other_widths_nothing_is_taken_and_by_default_all_is_refused(golden, small_swin):
    model = small_swin(width=32)
    with pytest.raises(InputError, match="is of another network"):
        hs.load_weights(model, golden().weights)
    assert hs.load_weights(model, golden().weights, strict=False).fresh_share == 1


def test_a_damaged_file_is_refused_all_the_same(golden, small_swin):
    weights = golden().weights
    del weights["layers.1.blocks.1.attn.qkv.bias"]
    with pytest.raises(InputError, match="incomplete"):
        hs.load_weights(small_swin(), weights, strict=False)

"""Orders of bias tables and masks that a source brings along are taken over, or said to differ."""

import pytest
import torch

from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.network.windows import relative_position_index, shift_mask

CPU = torch.device("cpu")
OURS = relative_position_index((7, 7), (7, 7), CPU)
BESIDE_TABLES = {"timm", "microsoft", "torchvision", "huggingface"}


def with_index(weights, index, tables=None):
    """A file with an index beside each bias table, which may be in another order."""
    found = dict(weights)
    for name, tensor in weights.items():
        if name.endswith("relative_position_bias_table"):
            found[name.replace("bias_table", "index")] = index
            found[name] = tensor if tables is None else tensor[tables]
    return found


def columns_first():
    """The order that a code has which counts columns before rows: index, and rows of a table."""
    table = torch.arange(169).view(13, 13)
    return table.T[OURS // 13, OURS % 13], table.T.flatten()


@pytest.mark.parametrize("library", sorted(BESIDE_TABLES))
@pytest.mark.parametrize("flat", [False, True])
def test_tables_in_another_order_give_what_they_gave(golden, small_swin, library, flat):
    weights, images, logits = golden(library)
    index, rows = columns_first()
    model = small_swin()
    file = with_index(weights, index.flatten() if flat else index, rows)
    report = load_weights(model, file)
    assert "4 bias tables are reordered" in str(report)
    assert "as in the source at 56x56: 4" in str(report)
    assert report.unused == ()
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, rtol=1e-4, atol=1e-5)


def test_the_usual_index_changes_nothing(golden, small_swin):
    weights, images, logits = golden("microsoft")
    model = small_swin()
    report = load_weights(model, with_index(weights, OURS))
    assert report.notes == load_weights(small_swin(), weights).notes and report.unused == ()
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("index", [OURS.flip(0) % 7, OURS[:16, :16], OURS.float(), OURS + 1])
def test_pairs_that_no_table_of_ours_gives_are_said(golden, small_swin, index):
    said = str(load_weights(small_swin(), with_index(golden("microsoft").weights, index)))
    assert "relative_position_index pairs tokens as no bias table of ours does" in said
    assert "blocks as in the source" not in said


def test_masks_that_hide_other_tokens_are_said(golden, small_swin):
    weights = golden("microsoft").weights
    name = "layers.0.blocks.1.attn_mask"
    mask = shift_mask((14, 14), (7, 7), (3, 3), CPU)
    for same in (mask, mask[:1], mask.flatten(1)):  # the others are of other images
        said = str(load_weights(small_swin(), weights | {name: same}))
        assert "as in the source at 56x56: 4" in said
    said = str(load_weights(small_swin(image_size=(28, 112)), weights | {name: mask}))
    assert "attn_mask" not in said  # as many windows, in another arrangement
    for other in (torch.zeros_like(mask), mask.flip(0)):
        said = str(load_weights(small_swin(), weights | {name: other}))
        assert "as in the source at 56x56: 3" in said
        assert "(layers.0.blocks.1 sw_msa): the source's attn_mask hides other tokens" in said
    said = str(load_weights(small_swin(), weights | {"layers.1.blocks.0.attn_mask": mask}))
    assert "(layers.1.blocks.0 w_msa): the source's attn_mask hides other tokens" in said


def test_a_head_without_bias_is_taken(golden, small_swin):
    weights, images, logits = golden("timm")
    bias = weights.pop("head.fc.bias")
    model = small_swin()
    assert "the source's head has no bias; ours starts at zero" in str(load_weights(model, weights))
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits - bias, rtol=1e-4, atol=1e-5)

import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods.attention_distance import AttentionDistance
from hybrid_swin.inspection.subject import make_subject
from hybrid_swin.interop.surgery import replace_blocks
from hybrid_swin.interop.weights.load_save import load_weights, save_weights
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.variant import Variant

DIM, HEADS, GRID = 12, 3, (4, 6)


def variant(*words, **fields):
    stage = {"width": DIM, "depth": len(words), "num_heads": HEADS, "blocks": list(words)}
    common = {"image_size": 8, "num_classes": 3, "patch_size": 1, "window_size": 4}
    return Variant.from_dict(common | {"stages": [stage]} | fields)


def network(*words, **fields):
    torch.manual_seed(0)
    return HybridSwin(variant(*words, **fields)).eval()


def test_one_window_attends_to_its_tokens_and_the_registers():
    torch.manual_seed(0)
    branch = build_mixer(parse("w_msa(registers=2)"), DIM, HEADS, 8, GRID).double().eval()
    with torch.no_grad():
        branch.registers.tokens.normal_()
    x = torch.randn(1, *GRID, DIM, dtype=torch.float64)
    tokens = x.flatten(0, 2)
    n, d = len(tokens), DIM // HEADS
    everything = torch.cat([tokens, branch.registers.tokens])
    projected = everything @ branch.qkv.weight.T + branch.qkv.bias
    bias = branch._bias(GRID, x)[0]
    out = torch.zeros(n, DIM, dtype=torch.float64)
    for head in range(HEADS):
        q, k, v = (
            projected[:, part * DIM + head * d : part * DIM + (head + 1) * d] for part in range(3)
        )
        for query in range(n):
            logits = k @ q[query] / d**0.5
            logits[:n] += bias[head, query]
            weights = logits.exp() / logits.exp().sum()
            out[query, head * d : (head + 1) * d] = weights @ v
    expected = (out @ branch.proj.weight.T + branch.proj.bias).view(1, *GRID, DIM)
    torch.testing.assert_close(branch(x), expected)


def test_overlapping_windows_without_a_margin_have_them_as_plain_ones_do():
    torch.manual_seed(0)
    plain, wide = (
        build_mixer(parse(word), DIM, HEADS, 4, GRID).double().eval()
        for word in ("w_msa(registers=2)", "overlap(overlap=0;registers=2)")
    )
    weights = {
        name.replace("relative_position_bias_table", "bias_table"): tensor
        for name, tensor in plain.state_dict().items()
    }
    wide.load_state_dict(weights)
    x = torch.randn(2, 5, 6, DIM, dtype=torch.float64)
    torch.testing.assert_close(wide(x), plain(x))


def test_a_variants_registers_are_those_of_all_words_that_say_nothing():
    common = variant("w_msa", "conv+sw_msa(registers=0)", "conv", registers=4)
    spelt = variant("w_msa(registers=4)", "conv+sw_msa", "conv")
    assert common.id == spelt.id != variant("w_msa", "conv+sw_msa", "conv").id
    assert common.block_words == spelt.block_words
    assert Variant.from_dict(common.to_dict()) == common
    assert "registers" not in spelt.to_dict()


def test_registers_of_a_network_without_windows_change_nothing():
    assert variant("conv", registers=4).id == variant("conv").id


@pytest.mark.parametrize("count", [-1, 1.5, 10**4, "4", True])
def test_a_number_that_cannot_be_is_refused(count):
    with pytest.raises(InputError, match="registers must be"):
        variant("w_msa", registers=count)
    with pytest.raises(InputError, match=r"option registers=\S+ is not possible"):
        variant(f"w_msa(registers={str(count).lower() if count != '4' else 'x'})")


def test_weight_decay_leaves_them_alone():
    assert (
        "layers.0.blocks.0.attn.registers.tokens" in network("w_msa", registers=4).no_weight_decay()
    )


def test_weights_of_a_network_without_them_are_taken_and_the_change_is_said(tmp_path):
    source, model = network("w_msa", "sw_msa"), network("w_msa", "conv+sw_msa", registers=2)
    save_weights(source, tmp_path / "w.safetensors")
    before = model.layers[0].blocks[0].attn.registers.tokens.clone()
    first, second = load_weights(model, tmp_path / "w.safetensors").blocks
    assert (first.how, second.how) == ("changed", "changed")
    assert "w_msa(registers=2) where the source has w_msa" in first.why
    attention = model.layers[0].blocks[0].attn
    assert torch.equal(attention.qkv.weight, source.layers[0].blocks[0].attn.qkv.weight)
    assert torch.equal(attention.registers.tokens, before)


def test_surgery_in_a_network_that_has_them_gives_them_to_the_new_mixer():
    model = network("w_msa", "w_msa", registers=2)
    images = torch.randn(1, 3, 8, 8)
    before = model(images)
    (block,) = replace_blocks(model, "w_msa+conv", stage=0, blocks=[1]).blocks
    assert block.how == "identity start"
    torch.testing.assert_close(model(images), before)
    assert model.variant.registers == 2


def test_distances_leave_them_out_and_report_their_share():
    model = network("w_msa", "grid", registers=2)
    with torch.no_grad():
        for _, block in model.blocks():
            block.attn.registers.tokens.normal_(std=20)
    numbers = AttentionDistance().measure(make_subject(model, torch.randn(2, 3, 8, 8)))
    assert all(0.05 < row["register_share"] <= 1 for row in numbers["rows"])
    assert any("register_share" in note for note in numbers["notes"])
    plain = AttentionDistance().measure(make_subject(network("w_msa"), torch.randn(2, 3, 8, 8)))
    assert "register_share" not in plain["rows"][0]


def test_other_sizes_and_windows_leave_them_as_they_are():
    model = network("w_msa", "sw_msa", registers=2)
    tokens = model.layers[0].blocks[0].attn.registers.tokens
    model.set_input_size(12, window_size=3)
    assert model.layers[0].blocks[0].attn.registers.tokens is tokens
    assert model(torch.randn(1, 3, 12, 12)).isfinite().all()

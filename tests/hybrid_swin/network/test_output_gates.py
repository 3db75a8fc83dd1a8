import copy
import math
import pickle

import pytest
import torch
from torch import nn

from hybrid_swin.inspection.measures.branch_statistics import observe
from hybrid_swin.inspection.measures.token_support import part_support
from hybrid_swin.inspection.subject import make_subject
from hybrid_swin.interop.surgery import replace_blocks
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.output_gates import GATES, gate_behind
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.variant import Variant

GRID, DIM = (5, 4), 12


def build(word):
    torch.manual_seed(0)
    return build_mixer(parse(word).canonical(), DIM, 3, 4, GRID).double().eval()


def opened(module):
    """The same with no parameter at its start."""
    torch.manual_seed(1)
    for parameter in module.requires_grad_(False).parameters():
        parameter.normal_()
    return module


def network(word):
    stage = {"width": DIM, "depth": 2, "num_heads": 3, "blocks": [word]}
    torch.manual_seed(0)
    fields = {"image_size": 8, "num_classes": 3, "patch_size": 1, "window_size": 4}
    return HybridSwin(Variant.from_dict(fields | {"stages": [stage]})).eval()


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_squeeze_and_excitation_weighs_channels_by_their_means():
    gate = opened(GATES["se"](DIM).double())
    x = torch.randn(2, *GRID, DIM, dtype=torch.float64)
    out = gate(x)
    for image in range(2):
        means = [float(x[image, :, :, c].mean()) for c in range(DIM)]
        hidden = [
            max(0.0, sum(w * m for w, m in zip(row, means, strict=True)) + b)
            for row, b in zip(gate.reduce.weight.tolist(), gate.reduce.bias.tolist(), strict=True)
        ]
        for c in range(DIM):
            z = sum(w * h for w, h in zip(gate.expand.weight[c].tolist(), hidden, strict=True))
            factor = 2 * sigmoid(z + float(gate.expand.bias[c]))
            torch.testing.assert_close(out[image, ..., c], factor * x[image, ..., c])


def test_efficient_channel_attention_filters_means_along_the_channels():
    gate = opened(GATES["eca"](DIM).double())
    x = torch.randn(2, *GRID, DIM, dtype=torch.float64)
    before, own, after = gate.filter.weight.flatten().tolist()
    out = gate(x)
    for image in range(2):
        means = [0.0, *(float(x[image, :, :, c].mean()) for c in range(DIM)), 0.0]
        for c in range(DIM):
            z = before * means[c] + own * means[c + 1] + after * means[c + 2]
            torch.testing.assert_close(out[image, ..., c], 2 * sigmoid(z) * x[image, ..., c])


@pytest.mark.parametrize(("dim", "taps"), [(1, 1), (16, 3), (96, 3), (128, 5), (1024, 5)])
def test_the_filter_grows_with_the_channels_as_in_the_paper(dim, taps):
    assert GATES["eca"](dim).filter.kernel_size == (taps,)


def test_global_response_norm_compares_the_norms_of_channels():
    gate = opened(GATES["grn"](DIM).double())
    x = torch.randn(2, *GRID, DIM, dtype=torch.float64)
    out = gate(x)
    for image in range(2):
        norms = [float(x[image, :, :, c].square().sum()) ** 0.5 for c in range(DIM)]
        for c in range(DIM):
            share = norms[c] / (sum(norms) / DIM + 1e-6)
            one = x[image, ..., c]
            expected = gate.weight[c] * one * share + gate.bias[c] + one
            torch.testing.assert_close(out[image, ..., c], expected)


def test_squares_that_half_precision_cannot_hold_do_no_harm():
    gate = opened(GATES["grn"](DIM).half())
    assert gate(torch.full((1, 8, 8, DIM), 200.0, dtype=torch.half)).isfinite().all()


@pytest.mark.parametrize("gate", GATES)
def test_it_starts_as_the_fusion_alone_and_names_stay(gate):
    plain, gated = build("conv+w_msa:concat"), build(f"conv+w_msa:concat(gate={gate})")
    names = dict(gated.named_parameters())
    assert [n for n in names if not n.startswith("output_gate.")] == [
        name for name, _ in plain.named_parameters()
    ]
    gated.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, *GRID, DIM, dtype=torch.float64)
    torch.testing.assert_close(gated(x), plain(x), rtol=0, atol=1e-12)
    opened(gated.output_gate)
    torch.testing.assert_close(gated(x), gated.output_gate(gated.forward(x)))
    assert not torch.allclose(gated(x), gated.forward(x))


@pytest.mark.parametrize("gate", GATES)
def test_every_token_sees_the_whole_map(gate):
    targets = torch.eye(20, dtype=torch.bool).reshape(20, *GRID).numpy()
    for word, all_seen in ((f"identity:sum(gate={gate})", True), ("identity", False)):
        mixer = opened(build(word)).requires_grad_(False)
        assert part_support(mixer, DIM, GRID, targets).all() == all_seen


def test_copies_and_pickles_have_the_gate():
    mixer = opened(build("w_msa:sum(gate=se)"))
    x = torch.randn(1, *GRID, DIM, dtype=torch.float64)
    for other in (copy.deepcopy(mixer), pickle.loads(pickle.dumps(mixer))):  # noqa: S301  # ours
        assert gate_behind(other) is not gate_behind(mixer)
        assert torch.equal(other(x), mixer(x))


def test_an_exported_network_has_the_gate():
    model = opened(network("conv:sum(gate=eca)"))
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        exported = torch.export.export(model, (images,)).module()
        torch.testing.assert_close(exported(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ("conv+w_msa", "conv+w_msa:sum(gate=se)", "taken"),
        ("conv+w_msa:sum(gate=se)", "conv+w_msa:sum(gate=se)", "taken"),
        ("conv+w_msa:sum(gate=se)", "conv+w_msa:sum(gate=grn)", "fresh"),
        ("w_msa", "w_msa:sum(gate=grn)", "identity start"),
        ("w_msa", "conv+w_msa:gate(gate=eca)", "identity start"),
    ],
)
def test_weights_of_a_network_without_the_gate_fill_one_that_has_it(before, after, how, tmp_path):
    from hybrid_swin.interop.weights.load_save import load_weights, save_weights

    source, model = opened(network(before)), opened(network(after))
    file = tmp_path / "weights.safetensors"
    save_weights(source, file)
    report = load_weights(model, file)
    assert {block.how for block in report.blocks} == {how}
    images = torch.randn(2, 3, 8, 8)
    same = torch.allclose(source(images), model(images), rtol=1e-3, atol=1e-3)
    assert same == (how != "fresh")


def test_surgery_puts_a_gate_behind_a_users_attention():
    model = network("w_msa")
    images = torch.randn(2, 3, 8, 8)
    expected = model(images)
    replacement = replace_blocks(model, "w_msa:sum(gate=se)", stage=0)
    assert {block.how for block in replacement.blocks} == {"identity start"}
    torch.testing.assert_close(model(images), expected)
    assert all(isinstance(block.attn.output_gate, nn.Module) for _, block in model.blocks())


def test_contributions_are_those_behind_the_gate():
    model = opened(network("conv+w_msa:sum(gate=se)"))
    subject = make_subject(model, torch.randn(3, 3, 8, 8))
    facts = observe(subject)["layers.0.blocks.0"]
    inputs = []
    gate = model.layers[0].blocks[0].attn.output_gate
    gate.register_forward_hook(lambda module, given, out: inputs.append(given[0]))
    model.forward_features(subject.images)
    factors = gate.factors(inputs[0]).double()
    for index in range(2):
        torch.testing.assert_close(torch.cat(facts.gates[index]).float(), factors.float())
        assert facts.joined[index] != facts.norms[index]

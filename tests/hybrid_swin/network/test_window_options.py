"""Options of windowed attention: Swin Transformer V2's, and masks of padded tokens."""

import math
import warnings

import pytest
import torch

from hybrid_swin.cost import mixer_cost
from hybrid_swin.errors import InputError
from hybrid_swin.network import windows
from hybrid_swin.network.block import Block
from hybrid_swin.network.branches.grid import GridAttention
from hybrid_swin.network.branches.sw_msa import SWMSA
from hybrid_swin.network.branches.w_msa import WMSA
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

DIM, HEADS = 6, 2
V2 = "attention=cosine;bias=continuous"

CPU = torch.device("cpu")


def build(branch=WMSA, window=3, grid=(5, 7), **options):
    torch.manual_seed(0)
    module = branch(DIM, HEADS, window, grid, **options).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


# No bias


@pytest.mark.parametrize("branch", [WMSA, SWMSA, GridAttention])
@pytest.mark.parametrize("options", [{}, {"attention": "cosine", "mask_padding": True}], ids=str)
@pytest.mark.parametrize("size", [(5, 7), (6, 6), (2, 3)])
def test_without_bias_it_is_a_table_of_zeros(branch, options, size):
    module, zeros = build(branch, bias="none", **options), build(branch, **options)
    with torch.no_grad():
        zeros.relative_position_bias_table.zero_()
    zeros.load_state_dict(module.state_dict(), strict=False)
    x = torch.randn(2, *size, DIM).double()
    expected = zeros(x).detach()
    torch.testing.assert_close(module(x).detach(), expected, rtol=0, atol=1e-12)
    with torch.no_grad():  # fused
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def test_without_bias_there_is_no_table_to_pay_for_or_resize():
    module = build(bias="none", window=7, grid=(14, 14))
    assert [name for name, _ in module.named_parameters()] == [
        f"{layer}.{kind}" for layer in ("qkv", "proj") for kind in ("weight", "bias")
    ]
    assert module.no_weight_decay() == set() and module.bias_tables() == {}
    module.resize(4, (8, 8))
    assert module.window == (4, 4)
    plain, none = (
        mixer_cost(parse(word), 96, 3, 7, (56, 56)) for word in ("w_msa", "w_msa(bias=none)")
    )
    assert (plain - none).to_dict() == {"parameters": 169 * 3, "macs": 0, "activations": 0}


# Cosine attention and continuous bias


@pytest.mark.parametrize("pretrained", [0, 3])
@pytest.mark.parametrize("shifted", [False, True])
def test_a_block_of_swin_v2_is_that_of_transformers(shifted, pretrained):
    from transformers import Swinv2Config
    from transformers.models.swinv2.modeling_swinv2 import Swinv2Layer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch.meshgrid without indexing
        config = Swinv2Config(mlp_ratio=2.0, window_size=4)
        torch.manual_seed(0)
        given = {"shift_size": 2 * shifted, "pretrained_window_size": pretrained}
        theirs = Swinv2Layer(config, 24, (8, 12), 3, **given).eval()
    options = f"{V2};pretrained_window_size={pretrained}"
    word = parse(f"{'sw_msa' if shifted else 'w_msa'}({options})")
    ours = Block(word, 24, 3, theirs.window_size, (8, 12), 2.0, 0.0, norm="post").eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.5)
        theirs.attention.self.logit_scale.copy_(torch.tensor([0.5, 2.0, 9.0])[:, None, None])
    mine, attention = ours.attn, theirs.attention.self
    names = {
        "attn.qkv.weight": torch.cat(
            [getattr(attention, n).weight for n in ("query", "key", "value")]
        ),
        "attn.q_bias": attention.query.bias,
        "attn.v_bias": attention.value.bias,
        "attn.logit_scale": attention.logit_scale,
        "attn.cpb_mlp.0.weight": attention.continuous_position_bias_mlp[0].weight,
        "attn.cpb_mlp.0.bias": attention.continuous_position_bias_mlp[0].bias,
        "attn.cpb_mlp.2.weight": attention.continuous_position_bias_mlp[2].weight,
        "attn.proj.weight": theirs.attention.output.dense.weight,
        "attn.proj.bias": theirs.attention.output.dense.bias,
    }
    for mine_name, their_name in (
        ("norm1", "layernorm_before"),
        ("norm2", "layernorm_after"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
    ):
        layer = theirs.get_submodule(their_name)
        names |= {f"{mine_name}.weight": layer.weight, f"{mine_name}.bias": layer.bias}
    ours.load_state_dict(names)
    assert mine.window == (4, 4)
    x = torch.randn(2, 8, 12, 24)
    with torch.no_grad():
        expected = theirs(x.flatten(1, 2), (8, 12))[0].view_as(x)
        torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours(x).detach(), expected, rtol=1e-5, atol=1e-5)


def test_cosine_attention_and_continuous_bias_are_those_of_the_paper():
    module = build(window=3, grid=(3, 3), attention="cosine", bias="continuous")
    with torch.no_grad():
        module.logit_scale.copy_(torch.tensor([1.5, 9.0])[:, None, None])
    x = torch.randn(1, 3, 3, DIM).double()
    flat = x.flatten(1, 2)[0]
    q, k, v = (flat @ w.T for w in module.qkv.weight.chunk(3))
    q, v = q + module.q_bias, v + module.v_bias
    places = [(i, j) for i in range(3) for j in range(3)]
    out = torch.zeros(9, DIM).double()
    for head in range(HEADS):
        part = slice(head * 3, head * 3 + 3)
        scale = min(math.exp(float(module.logit_scale[head].detach())), 100.0)
        for a, (ya, xa) in enumerate(places):
            logits = []
            for b, (yb, xb) in enumerate(places):
                offset = [8 * d / 2 for d in (ya - yb, xa - xb)]
                logs = [math.copysign(math.log2(1 + abs(d)) / 3, d) for d in offset]
                hidden = module.cpb_mlp[0](torch.tensor(logs).double()).clamp(min=0)
                bias = 16 * torch.sigmoid(module.cpb_mlp[2](hidden)[head])
                one, other = q[a, part], k[b, part]
                logits.append(scale * (one @ other) / (one.norm() * other.norm()) + bias)
            out[a, part] = torch.stack(logits).softmax(0) @ v[:, part]
    expected = module.proj(out).view_as(x)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-6)  # offsets are float32


def test_each_option_stands_alone():
    cosine, continuous = build(attention="cosine"), build(bias="continuous")
    assert {"logit_scale", "q_bias", "v_bias", "qkv.weight"} <= set(cosine.state_dict())
    assert "qkv.bias" not in cosine.state_dict()
    assert "cpb_mlp.2.weight" in continuous.state_dict()
    assert "relative_position_bias_table" not in continuous.state_dict()
    fresh = WMSA(DIM, HEADS, 3, (5, 7), attention="cosine")
    torch.testing.assert_close(fresh.logit_scale.exp(), torch.full((HEADS, 1, 1), 10.0))


def test_what_must_not_decay_is_named():
    stage = Stage(12, 1, 3, (f"w_msa({V2})",))
    model = HybridSwin(Variant(image_size=8, patch_size=1, window_size=4, stages=[stage]))
    names = {"logit_scale", "cpb_mlp.0.weight", "cpb_mlp.0.bias", "cpb_mlp.2.weight"}
    assert model.no_weight_decay() == {f"layers.0.blocks.0.attn.{name}" for name in names}


def test_a_smaller_map_reads_the_middle_of_the_continuous_table():
    module = build(window=5, grid=(10, 10), bias="continuous")
    like = next(module.parameters())
    whole, part = module._bias((5, 5), like), module._bias((2, 3), like)
    places = [i * 5 + j for i in range(2) for j in range(3)]
    torch.testing.assert_close(part, whole[:, :, places][..., places], rtol=0, atol=0)


def test_offsets_are_those_of_a_table():
    offsets = windows.log_offsets((2, 3), torch.device("cpu"))
    steps = [(y, x) for y in (-1, 0, 1) for x in (-2, -1, 0, 1, 2)]
    for found, (y, x) in zip(offsets.tolist(), steps, strict=True):
        expected = [math.copysign(math.log2(1 + 8 * abs(d)) / 3, d) for d in (y, x / 2)]
        assert found == pytest.approx(expected)
    assert windows.log_offsets((1, 1), torch.device("cpu")).tolist() == [[0, 0]]


@pytest.mark.parametrize("branch", [WMSA, SWMSA])
def test_offsets_are_scaled_by_the_window_of_the_first_training(branch):
    wide = build(branch, 5, (10, 10), bias="continuous", pretrained_window_size=3)
    module = build(branch, 3, (10, 10), bias="continuous")
    module.load_state_dict(wide.state_dict())
    like = next(wide.parameters())
    places = [i * 5 + j for i in range(3) for j in range(3)]
    # offsets that both windows have mean the same to both
    found = wide._bias((5, 5), like)[:, :, places][..., places]
    torch.testing.assert_close(found, module._bias((3, 3), like), rtol=0, atol=1e-12)
    far = windows.log_offsets((5, 5), CPU, (3, 3))[-1]
    assert far.tolist() == pytest.approx([math.log2(1 + 4 * 8 / 2) / 3] * 2)
    for side in (0, 5):
        own = build(branch, 5, (10, 10), bias="continuous", pretrained_window_size=side)
        assert not torch.equal(own._bias((5, 5), like), wide._bias((5, 5), like))


def test_the_window_of_the_first_training_is_part_of_an_identity_where_it_is_another():
    def name(side, word="w_msa", **fields):
        options = f"bias=continuous;pretrained_window_size={side}"
        stage = Stage(12, 1, 3, (f"{word}({options})",))
        return Variant(image_size=16, patch_size=1, stages=[stage], **fields).id

    for word in ("w_msa", "sw_msa", "grid"):
        assert name(0, word, window_size=4) == name(4, word, window_size=4)
        assert name(8, word, window_size=4) != name(4, word, window_size=4)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("w_msa(pretrained_window_size=8)", "scales a continuous position bias; add bias=cont"),
        ("sw_msa(bias=table;pretrained_window_size=8)", "scales a continuous position bias"),
        ("w_msa(bias=continuous;pretrained_window_size=-1)", "=-1 is not possible; give a whole"),
        ("grid(bias=continuous;pretrained_window_size=7.5)", "give a whole number"),
    ],
)
def test_a_window_of_the_first_training_that_means_nothing_is_refused(word, message):
    with pytest.raises(InputError, match=message):
        parse(word)


def test_options_cost_what_they_add():
    def cost(word):
        return mixer_cost(parse(word), 96, 3, 7, (56, 56))

    assert (cost("w_msa(attention=cosine)") - cost("w_msa")).to_dict() == {
        "parameters": 3 - 96,
        "macs": 0,
        "activations": 0,
    }
    extra = cost("w_msa(bias=continuous)") - cost("w_msa")
    assert extra.parameters == 3 * 512 + 512 * 3 - 169 * 3
    assert extra.macs == 169 * (2 * 512 + 512 * 3)
    assert cost("w_msa(mask_padding=true)") == cost("w_msa")


# Padded tokens


def alone(module, x):
    """What each token becomes if windows hold only tokens of the map, by gathering them."""
    height, width = x.shape[1:3]
    window, shift, *_ = module.lay((height, width))
    strides = [math.ceil(s / w) for s, w in zip((height, width), window, strict=True)]

    def cell(i, j):
        if module.layout == "strided":
            return i % strides[0], j % strides[1]
        return (i - shift[0]) // window[0], (j - shift[1]) // window[1]

    def step(place):
        if module.layout == "strided":
            return place[0] // strides[0], place[1] // strides[1]
        return place

    places = [(i, j) for i in range(height) for j in range(width)]
    q, k, v = module.qkv(x).unflatten(-1, (3, HEADS, -1)).unbind(3)
    out = torch.zeros(len(x), height, width, HEADS, DIM // HEADS, dtype=x.dtype)
    for a in places:
        keys = [b for b in places if cell(*a) == cell(*b)]
        for head in range(HEADS):
            rows = [
                (step(a)[0] - step(b)[0] + module.window[0] - 1) * (2 * module.window[1] - 1)
                + step(a)[1]
                - step(b)[1]
                + module.window[1]
                - 1
                for b in keys
            ]
            bias = module.relative_position_bias_table[rows, head]
            key = torch.stack([k[:, i, j, head] for i, j in keys], 1)
            value = torch.stack([v[:, i, j, head] for i, j in keys], 1)
            logits = (key @ q[:, a[0], a[1], head, :, None])[..., 0] / math.sqrt(DIM // HEADS)
            weights = (logits + bias).softmax(-1)
            out[:, a[0], a[1], head] = (weights[..., None] * value).sum(1)
    return module.proj(out.flatten(3))


@pytest.mark.parametrize("branch", [WMSA, SWMSA, GridAttention])
@pytest.mark.parametrize("size", [(5, 7), (6, 6), (4, 10), (2, 5)])
@pytest.mark.parametrize("window", [3, (2, 4), (5, 3)])
def test_padding_can_be_left_out_of_attention(branch, size, window):
    module = build(branch, window, (6, 9), mask_padding=True)
    x = torch.randn(2, *size, DIM).double()
    with torch.no_grad():
        expected = alone(module, x)
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module(x).detach(), expected, rtol=0, atol=1e-12)


def test_padding_is_attended_to_by_default_and_only_matters_where_there_is_any():
    masked, plain = build(mask_padding=True), build()
    for size, same in (((5, 7), False), ((6, 9), True)):
        x = torch.randn(1, *size, DIM).double()
        assert torch.allclose(masked(x), plain(x)) is same


@pytest.mark.parametrize("attention", ["dot", "cosine"])
def test_no_logit_is_strong_enough_to_attend_to_padding(attention):
    # The last token shares its window with padding alone, and is as unlike itself as can be.
    module = build(window=3, grid=(4, 4), attention=attention, mask_padding=True)
    with torch.no_grad():
        query, key, _ = module.qkv.weight.chunk(3)
        query.copy_(-key)
        module.relative_position_bias_table.zero_()
        if attention == "cosine":
            module.logit_scale.fill_(9.0)
            module.q_bias.zero_()
        else:
            module.qkv.weight.mul_(10)
            module.qkv.bias.zero_()[-DIM:].normal_()
        x = torch.randn(1, 4, 4, DIM).double()
        last = x[0, 3, 3]
        bias = module.v_bias if attention == "cosine" else module.qkv.bias[-DIM:]
        expected = module.proj(module.qkv.weight[-DIM:] @ last + bias)
        torch.testing.assert_close(module(x)[0, 3, 3], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module(x)[0, 3, 3].detach(), expected, rtol=0, atol=1e-12)


def test_windows_of_padding_alone_do_no_harm():
    # Shifted, rolled windows of 7 on a map of 8: whole regions are padding.
    module = SWMSA(8, 2, 7, (8, 8), mask_padding=True)
    x = torch.randn(2, 8, 8, 8, requires_grad=True)
    out = module(x)
    out.sum().backward()
    tensors = [out, x.grad, *(p.grad for p in module.parameters())]
    assert all(t.isfinite().all() for t in tensors)


def test_masks_do_not_grow_with_the_batch_or_the_number_of_sizes():
    def mask(side):
        return windows.padding_mask((5, side), (6, side + 2), (3, 3), (1, 1), False, CPU)

    first = mask(7)
    assert first.shape == (6, 1, 9)
    assert mask(7) is first
    for side in range(10, 10 + 3 * 64, 3):
        mask(side)
    assert mask(7) is not first  # the last 64 are kept

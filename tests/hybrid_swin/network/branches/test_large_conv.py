"""Large-kernel convolution against loops in float64."""

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.cost import Cost
from hybrid_swin.errors import InputError
from hybrid_swin.network.branches.large_conv import LargeConv
from hybrid_swin.spec.block_words import parse


def build(**options):
    torch.manual_seed(0)
    module = LargeConv(4, 2, 7, (6, 5), **options).double()
    with torch.no_grad():
        module.norm.weight.uniform_(0.5, 2)
        module.norm.bias.uniform_(-1, 1)
    return module


def reference(module, x, kernel):
    """Around each token, then over its channels. (B, H, W, C)."""
    height, width = x.shape[1:3]
    reach = kernel // 2
    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            seen = module.dwconv.bias.expand(len(x), -1).clone()
            for a in range(-reach, reach + 1):
                for b in range(-reach, reach + 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        weight = module.dwconv.weight[:, 0, a + reach, b + reach]
                        seen += weight * x[:, i + a, j + b]
            centred = seen - seen.mean(-1, keepdim=True)
            deviation = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
            normal = centred / deviation * module.norm.weight + module.norm.bias
            hidden = F.gelu(normal @ module.expand.weight.T + module.expand.bias)
            out[:, i, j] = hidden @ module.contract.weight.T + module.contract.bias
    return out


@pytest.mark.parametrize("options", [{}, {"kernel": 9, "ratio": 2.5}, {"kernel": 13}], ids=str)
@pytest.mark.parametrize("size", [(6, 5), (1, 2)])
def test_it_convolves_then_mixes_channels(options, size):
    module = build(**options)
    x = torch.randn(2, *size, 4).double()
    expected = reference(module, x, options.get("kernel", 7))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    assert module.expand.out_features == round(4 * options.get("ratio", 1))


def test_with_four_times_the_units_it_is_convnexts_block_but_for_the_epsilon():
    from transformers import ConvNextConfig
    from transformers.models.convnext.modeling_convnext import ConvNextLayer

    ours = build(ratio=4)
    theirs = ConvNextLayer(ConvNextConfig(layer_scale_init_value=0.0), dim=4).double()
    assert (theirs.layernorm.eps, ours.norm.eps) == (1e-6, 1e-5)
    theirs.layernorm.eps = ours.norm.eps
    names = {"norm": "layernorm", "expand": "pwconv1", "contract": "pwconv2", "dwconv": "dwconv"}
    state = {}
    for name, tensor in ours.state_dict().items():
        module, _, leaf = name.partition(".")
        state[f"{names[module]}.{leaf}"] = tensor
    theirs.load_state_dict(state)
    x = torch.randn(2, 6, 5, 4).double()
    expected = theirs(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(x + ours(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [7, 9, 11, 13])
def test_a_token_reaches_half_a_kernel_and_no_further(kernel):
    module, x = build(kernel=kernel), torch.randn(1, 17, 1, 4).double()
    other = x.clone()
    other[0, 0] += 1
    changed = (module(other) != module(x)).any(-1).flatten()
    assert changed.tolist() == [row <= kernel // 2 for row in range(17)]


def test_what_it_costs():
    tokens = 56**2
    cost = LargeConv.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 52 * 96 + 193 * 96 + 96
    assert cost.macs == 49 * tokens * 96 + 2 * tokens * 96**2
    wide = LargeConv.cost(96, 3, 7, (56, 56), kernel=13, ratio=4)
    assert wide.parameters == (13**2 + 3) * 96 + 193 * 4 * 96 + 96
    assert wide.macs == 169 * tokens * 96 + 8 * tokens * 96**2
    assert LargeConv.projection_cost(96, (56, 56), kernel=7) == Cost()


@pytest.mark.parametrize("ratio", [0, -1, 65, float("nan")])
def test_a_ratio_that_cannot_be_is_refused_where_words_are_read(ratio):
    with pytest.raises(InputError, match=f"ratio={ratio} is not possible; give a number"):
        parse(f"large_conv(ratio={ratio})")
    assert LargeConv(4, 2, 7, (3, 3), ratio=0.01).expand.out_features == 1

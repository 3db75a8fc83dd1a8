"""By how much a block differs from the source's: both compute a random map, in double precision."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Grid
from hybrid_swin.interop.weights.source.rules import Rules
from hybrid_swin.network.block import Block
from hybrid_swin.network.resizing import offsets
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Norm
from hybrid_swin.spec.window_rules import WindowLayout

_MOST_MACS = 2e10  # of a block: some seconds in double precision
_TABLE, _SCALE = "attn.relative_position_bias_table", "attn.logit_scale"
_V2 = "w_msa(attention=cosine;bias=continuous)"


class _QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


# By transformers' names; those that are the same function are one.
_TANH_GELUS = "gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh"
_ACTIVATIONS: dict[str, nn.Module] = {
    "gelu": nn.GELU(),
    **dict.fromkeys(_TANH_GELUS, nn.GELU("tanh")),
    "quick_gelu": _QuickGelu(),
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    **dict.fromkeys(("silu", "swish"), nn.SiLU()),
    "mish": nn.Mish(),
    "leaky_relu": nn.LeakyReLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "linear": nn.Identity(),
}


def measure_difference(
    block: nn.Module,
    weights: Mapping[str, Tensor],
    rules: Rules,
    laid: WindowLayout,
    grid: Grid,
    by: Grid | None = None,
) -> float | None:
    """The difference between two blocks' outputs over the size of the source's; None if unknown.

    Args:
        block: the model's, with its weights.
        weights: of the source's plain block, by timm's names within it.
        rules: by which the source's block computes.
        laid: its windows on the map.
        grid: the map's size.
        by: the window by which a continuous position bias counts offsets; if not given, its own.
    """
    width, table = len(weights["norm1.weight"]), weights.get(_TABLE)
    if table is not None and len(table) != offsets(laid.window):
        return None  # of a network of another size, which its library would have had to fit
    tokens, area = laid.padded[0] * laid.padded[1], laid.window[0] * laid.window[1]
    macs = (12 * width + 2 * area) * width * (tokens + grid[0] * grid[1])
    if rules.activation not in _ACTIVATIONS or macs > _MOST_MACS:
        return None
    plain = _plain_block(weights, rules, laid, by)
    if plain is None:
        return None
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(1, *grid, width, generator=noise, dtype=torch.float64)
    with torch.no_grad():
        theirs = plain(x)
        try:
            ours = copy.deepcopy(block).to("cpu", torch.float64).eval()(x)
        except Exception:  # a user's own branch may neither be copied nor know double precision
            return None
        return float((ours - theirs).norm() / theirs.norm())


def _plain_block(
    weights: Mapping[str, Tensor], rules: Rules, laid: WindowLayout, by: Grid | None
) -> Block | None:
    """A plain block of Swin, or of V2, by a library's rules; None if the weights are of neither.

    A mask that a library adds twice counts once.
    """
    wide = {name: tensor.detach().to("cpu", torch.float64) for name, tensor in weights.items()}
    hidden, width = wide["mlp.fc1.weight"].shape
    zeros = wide["attn.qkv.weight"].new_zeros(3 * width)
    norm: Norm = "pre"
    if _SCALE in wide:
        word, norm, heads = _V2, "post", wide[_SCALE].numel()
        biases = {f"attn.{name}_bias": zeros[:width] for name in "qv"}
    elif _TABLE in wide:
        word, heads, biases = "w_msa", wide[_TABLE].shape[1], {"attn.qkv.bias": zeros}
    else:
        return None
    window, ratio = laid.window, hidden / width
    with torch.device("meta"):
        scale = float("ls1.gamma" in wide)
        block = Block(parse(word), width, heads, window, window, ratio, 0.0, norm, scale)
    missing, others = block.load_state_dict(biases | wide, strict=False, assign=True)
    if missing or any(name.startswith("attn.") for name in others):
        return None
    within: Any = block
    within.norm1.eps = within.norm2.eps = rules.eps
    within.mlp.act = _ACTIVATIONS[rules.activation]
    within.attn.lay, within.attn.scale_window = lambda size: laid, by
    return block.eval()

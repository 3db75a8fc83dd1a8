"""By how much a block differs from the source's: both compute a random map, in double precision."""

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Grid
from hybrid_swin.interop.weights.source.rules import Rules
from hybrid_swin.network import windows
from hybrid_swin.network.resizing import offsets
from hybrid_swin.spec.window_rules import WindowLayout

_MOST_MACS = 2e10  # of a block: some seconds in double precision
_TABLE, _SCALE = "attn.relative_position_bias_table", "attn.logit_scale"
_CONTINUOUS = "attn.cpb_mlp.0"
# By transformers' names; those that are the same function are one.
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_fast": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_accurate": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "swish": F.silu,
    "mish": F.mish,
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "linear": lambda x: x,
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
    marks = _SCALE in weights, f"{_CONTINUOUS}.weight" in weights
    if marks != ((True, True) if table is None else (False, False)):
        return None  # neither Swin's attention nor V2's
    if table is not None and len(table) != offsets(laid.window):
        return None  # of a network of another size, which its library would have had to fit
    tokens, area = laid.padded[0] * laid.padded[1], laid.window[0] * laid.window[1]
    macs = (12 * width + 2 * area) * width * (tokens + grid[0] * grid[1])
    if rules.activation not in _ACTIVATIONS or macs > _MOST_MACS:
        return None
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(1, *grid, width, generator=noise, dtype=torch.float64)
    wide = {name: tensor.detach().to("cpu", torch.float64) for name, tensor in weights.items()}
    with torch.no_grad():
        theirs = plain_block(x, wide, rules, laid, by)
        try:
            found = copy.deepcopy(block).to("cpu", torch.float64).eval()(x)
        except Exception:  # a user's own branch may neither be copied nor know double precision
            return None
        return float((found - theirs).norm() / theirs.norm())


def plain_block(
    x: Tensor,
    weights: Mapping[str, Tensor],
    rules: Rules,
    laid: WindowLayout,
    by: Grid | None = None,
) -> Tensor:
    """A plain block of Swin, or of Swin V2, by a library's rules. (B, H, W, C) -> (B, H, W, C)."""
    by = by or laid.window
    if _SCALE in weights:
        x = x + _norm(_attend(x, weights, rules, laid, by), weights, "norm1", rules.eps)
        return x + _norm(_mlp(x, weights, rules), weights, "norm2", rules.eps)
    x = x + _attend(_norm(x, weights, "norm1", rules.eps), weights, rules, laid, by)
    return x + _mlp(_norm(x, weights, "norm2", rules.eps), weights, rules)


def _mlp(x: Tensor, weights: Mapping[str, Tensor], rules: Rules) -> Tensor:
    hidden = F.linear(x, weights["mlp.fc1.weight"], weights.get("mlp.fc1.bias"))
    hidden = _ACTIVATIONS[rules.activation](hidden)
    return F.linear(hidden, weights["mlp.fc2.weight"], weights.get("mlp.fc2.bias"))


def _biases(weights: Mapping[str, Tensor], window: Grid, by: Grid) -> tuple[Tensor, Tensor | None]:
    """The table of position biases, and the bias of queries, keys and values."""
    if _SCALE not in weights:
        return weights[_TABLE], weights.get("attn.qkv.bias")
    first = _CONTINUOUS
    coords = windows.log_offsets(window, torch.device("cpu"), by).double()
    hidden = F.linear(coords, weights[f"{first}.weight"], weights[f"{first}.bias"]).relu()
    table = 16 * F.linear(hidden, weights["attn.cpb_mlp.2.weight"]).sigmoid()
    query, value = weights.get("attn.q_bias"), weights.get("attn.v_bias")
    if query is None or value is None:
        return table, None
    return table, torch.cat([query, torch.zeros_like(query), value])


def _norm(x: Tensor, weights: Mapping[str, Tensor], name: str, eps: float) -> Tensor:
    return F.layer_norm(
        x, x.shape[-1:], weights.get(f"{name}.weight"), weights.get(f"{name}.bias"), eps
    )


def _attend(
    x: Tensor, weights: Mapping[str, Tensor], rules: Rules, laid: WindowLayout, by: Grid
) -> Tensor:
    height, width = x.shape[1:3]
    back = (-laid.shift[0], -laid.shift[1])
    margin = (0, 0, 0, laid.padded[1] - width, 0, laid.padded[0] - height)
    x = (
        F.pad(x, margin).roll(back, (1, 2))
        if laid.pads_first
        else F.pad(x.roll(back, (1, 2)), margin)
    )
    table, bias = _biases(weights, laid.window, by)
    qkv = F.linear(windows.partition(x, laid.window), weights["attn.qkv.weight"], bias)
    q, k, v = torch.unflatten(qkv, -1, (3, table.shape[1], -1)).permute(3, 0, 1, 4, 2, 5)
    index = windows.relative_position_index(laid.window, laid.window, x.device)
    if _SCALE in weights:
        scale = weights[_SCALE].clamp(max=math.log(100)).exp()
        logits = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale
    else:
        logits = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    logits = logits + table[index].permute(2, 0, 1)
    mask = windows.shift_mask(laid.padded, laid.window, laid.shift, x.device)
    logits = logits + rules.masks * mask[:, None]
    mixed = (logits.softmax(-1) @ v).transpose(2, 3).flatten(3)
    mixed = F.linear(mixed, weights["attn.proj.weight"], weights.get("attn.proj.bias"))
    x = windows.merge(mixed, laid.window, laid.padded)
    if laid.pads_first:
        return x.roll(laid.shift, (1, 2))[:, :height, :width]
    return x[:, :height, :width].roll(laid.shift, (1, 2))

"""`deform`: keys and values from places that the image itself chooses."""

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, depthwise, layer_norm, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.layers import convolve
from hybrid_swin.network.resizing import offsets as rows_of
from hybrid_swin.network.tracing import is_traced, is_unfused, made_like, sides


class Deform(Branch):
    """Deformable attention (DAT): keys and values at learned offsets from a uniform grid.

    For each group of heads ``offset = s/2 · stride · tanh(W GELU(norm(depthwise_k(q))))`` tokens,
    the depthwise convolution with a stride; x is read bilinearly at ``reference + offset``, with
    zeros beyond the map, and gives k and v. For each head and all tokens ``softmax(q kᵀ / sqrt(D) +
    bias) v`` over all M places. References are the centres of stride x stride tokens; s is
    ``offset_range``, and 2 lets a place move as far as to its neighbour's.

    The bias is read, bilinearly as well, from a table of all relative positions on the nominal map.
    A place that lies further beyond the map than one token has the bias of one token beyond.
    On another map the table is stretched, so that distances count as shares of the map.

    ``offsets=fixed`` is the control: places stay at their references, and nothing is learned of
    them. ``groups=0`` gives four heads to a group, as in DAT-T, S and B; where 4 does not divide
    the heads, as many as divide both.

    The defaults are those of DAT-T's third stage. All heads see the whole map, so it is for small
    maps, or large strides: the table's reading takes memory for N² biases per head of a group.

    Parameters 4C² + 4C + (2H - 1)(2W - 1)K + (k² + 5)C/G for G groups; MACs
    2NC² + 2MC² + 2NMC + (k² + 2)MC.

    Shapes: B batch, H height, W width, C channels, G groups, N tokens, M places, K heads, D
    channels per head.

    Source: Vision Transformer with Deformable Attention, 2022, https://arxiv.org/abs/2201.00520
    (``DAttentionBaseline`` in the authors' code)
    """

    gates_values = True
    divides_heads = ("groups",)
    limits: ClassVar = {"groups": (0, 65536), "offset_range": (0.001, 64)}

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        offsets: Literal["learned", "fixed"] = "learned",
        bias: Literal["table", "none"] = "table",
        stride: Literal[1, 2, 4, 8] = 1,
        kernel: Literal[3, 5, 7, 9] = 5,
        groups: int = 0,
        offset_range: float = 2.0,
    ) -> None:
        super().__init__()
        self.num_heads, self.stride, self.nominal = num_heads, stride, grid_size
        self.groups = _groups(num_heads, groups)
        self.offset_range = offset_range
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        self.learned = offsets == "learned"
        if self.learned:
            own = dim // self.groups
            self.dwconv = nn.Conv2d(own, own, kernel, stride, kernel // 2, groups=own)
            self.norm = nn.LayerNorm(own)
            self.offset = nn.Linear(own, 2, bias=False)
        self.bias_table = None
        if bias == "table":
            self.bias_table = nn.Parameter(torch.empty(rows_of(grid_size), num_heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights of the table."""
        if self.bias_table is not None:
            nn.init.trunc_normal_(self.bias_table, std=0.02)

    def resize(self, window_size: Window, grid_size: Grid) -> None:
        """Take another nominal map: the table is stretched to it, as for every map."""
        before, self.nominal = self.nominal, grid_size
        if self.bias_table is not None and grid_size != before:
            old = self.bias_table
            stretched = self.fitted("bias_table", old.detach(), before)
            self.bias_table = nn.Parameter(stretched, old.requires_grad)

    def fitted(self, name: str, weight: Tensor, before: Grid) -> Tensor:
        """A table of another map, stretched to this one."""
        return _stretch(weight, before, self.nominal).flatten(0, 1).contiguous()

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend to the chosen places. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        size, batch = sides(x), x.shape[0]
        q_BHWC = self.q(x)
        places = self.places(q_BHWC)  # (BG, M, 2)
        maps = _in_groups(x, self.groups).flatten(1, 2)  # (BG, HW, C/G)
        sampled = read(_with_border(maps, size), size, places)
        sampled_BMC = torch.unflatten(sampled, 0, (batch, -1)).transpose(1, 2).flatten(2)
        k, v = self.kv(sampled_BMC).chunk(2, dim=-1)
        if value_gate is not None:
            v = v * value_gate[:, None]
        q, k, v = (
            torch.unflatten(part, -1, (self.num_heads, -1)).transpose(1, 2)
            for part in (q_BHWC.flatten(1, 2), k, v)
        )  # (B, K, N or M, D)
        bias = None if self.bias_table is None else self._bias(size, places, batch)
        out_BKND = _attention(q, k, v, bias)
        return torch.unflatten(out_BKND.transpose(1, 2).flatten(2), 1, size)

    def places(self, q_BHWC: Tensor) -> Tensor:
        """Where keys are read, as rows and columns of tokens, in float32 at least. (BG, M, 2)."""
        grid = sides(q_BHWC)
        exact = torch.promote_types(q_BHWC.dtype, torch.float32)
        at = made_like(q_BHWC, partial(_references, grid, self.stride, exact, q_BHWC.device))
        if not self.learned:
            return at.expand(q_BHWC.shape[0] * self.groups, -1, -1)
        local = convolve(self.dwconv, _in_groups(q_BHWC, self.groups))
        raw = self.offset(F.gelu(self.norm(local))).flatten(1, 2)
        return at + raw.to(exact).tanh() * (self.offset_range / 2 * self.stride)

    def _bias(self, size: Grid, places: Tensor, batch: int) -> Tensor:
        """Position bias of each query and place. (B, K, N, M).

        What a place between tokens has is read, bilinearly, from what keys at tokens would have.
        """
        assert self.bias_table is not None  # noqa: S101  # asked for by those who have one
        table = _stretch(self.bias_table, self.nominal, size)
        table = F.pad(table, (0, 0, 1, 1, 1, 1))  # (2H + 1, 2W + 1, K), zeros around
        for axis, side in enumerate(size):
            index = made_like(table, partial(_rows, side, table.device))
            table = table.index_select(axis, index)
        height, width = size
        of_tokens = table.view(height + 2, height, width + 2, width, self.groups, -1)
        of_tokens = of_tokens.permute(4, 0, 2, 5, 1, 3).flatten(3).flatten(1, 2)
        biases = read(of_tokens, size, places, batch)  # (BG, M, NK/G)
        biases = torch.unflatten(biases, -1, (-1, height * width)).permute(0, 2, 3, 1)
        return torch.unflatten(biases, 0, (batch, -1)).flatten(1, 2)

    @classmethod
    def table_window(cls, window_size: Window, grid_size: Grid, **_: Any) -> Grid:
        """The nominal map, all of whose offsets have a row."""
        return grid_size

    def bias_tables(self) -> dict[str, Grid]:
        """The table of the nominal map."""
        return {} if self.bias_table is None else {"bias_table": self.nominal}

    def no_weight_decay(self) -> set[str]:
        """The table of position biases."""
        return set(self.bias_tables())

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        offsets: str = "learned",
        bias: str = "table",
        stride: int = 1,
        kernel: int = 5,
        groups: int = 0,
        offset_range: float = 2.0,
    ) -> Cost:
        """Reading between tokens counts nothing: it is neither a product nor a convolution."""
        tokens, count = grid_size[0] * grid_size[1], _groups(num_heads, groups)
        places, own = -(-grid_size[0] // stride) * -(-grid_size[1] // stride), dim // count
        total = linear(tokens, dim, dim) + linear(places, dim, 2 * dim) + linear(tokens, dim, dim)
        total += Cost(0, 2 * tokens * places * dim, tokens * (places * num_heads + dim))
        if bias == "table":
            total += Cost(rows_of(grid_size) * num_heads)
        if offsets == "learned":  # one network for all groups
            local = depthwise(count * places, own, kernel) + linear(count * places, own, 2, False)
            total += local + layer_norm(own)
        return total


def read(maps: Tensor, size: Grid, places: Tensor, batch: int = 1) -> Tensor:
    """Maps between their tokens: bilinear, zeros beyond. (BG, M, 2) -> (BG, M, C).

    ``maps`` (BG, (H + 2)(W + 2), C) have a border of zeros; with ``batch`` there are only G, the
    same for so many images. It is ``grid_sample`` written out, which has neither a derivative
    forwards nor a second one, and on a CPU takes longer where there are many channels.
    """
    stride = size[1] + 2
    y, x = ((at + 1).clamp(0, s + 1) for at, s in zip(places.unbind(-1), size, strict=True))
    top, left = (at.detach().floor().clamp(max=side) for at, side in zip((y, x), size, strict=True))
    down, across = ((at - low)[..., None].to(maps.dtype) for at, low in ((y, top), (x, left)))
    count, device = maps.shape[0], places.device
    image = made_like(places, lambda: torch.arange(count, device=device).repeat(batch))
    index = (top * stride + left).long() + image[:, None] * maps.shape[1]
    rows = maps.flatten(0, 1)

    def corner(step: int) -> Tensor:
        tokens = rows.index_select(0, (index + step).flatten())
        return torch.unflatten(tokens, 0, index.shape)

    upper = torch.lerp(corner(0), corner(1), across)
    return torch.lerp(upper, torch.lerp(corner(stride), corner(stride + 1), across), down)


def _with_border(maps: Tensor, size: Grid) -> Tensor:
    """(B, HW, C) -> (B, (H + 2)(W + 2), C)."""
    return F.pad(torch.unflatten(maps, 1, size), (0, 0, 1, 1, 1, 1)).flatten(1, 2)


def _in_groups(x_BHWC: Tensor, groups: int) -> Tensor:
    """The channels of each group as a map of its own. (BG, H, W, C/G)."""
    return torch.unflatten(x_BHWC, -1, (groups, -1)).permute(0, 3, 1, 2, 4).flatten(0, 1)


def _references(size: Grid, stride: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Centres of equal cells of at most stride x stride tokens. (1, M, 2)."""
    axes = []
    for side in size:
        count = -(-side // stride)
        cells = torch.arange(count, dtype=dtype, device=device)
        axes.append((cells + 0.5) * (side / count) - 0.5)
    return _pairs(axes)


def _stretch(table: Tensor, before: Grid, after: Grid) -> Tensor:
    """A table of one map, bilinearly for another. ((2H-1)(2W-1), K) -> (2H'-1, 2W'-1, K)."""
    rows: Grid = (2 * before[0] - 1, 2 * before[1] - 1)
    if after == before:
        return torch.unflatten(table, 0, rows)
    at = made_like(table, partial(_stretched, after, before, table.dtype, table.device))
    stretched = read(_with_border(table[None], rows), rows, at)[0]
    return torch.unflatten(stretched, 0, [2 * side - 1 for side in after])


def _stretched(size: Grid, table: Grid, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Where on the table of one map the offsets of another lie. (1, (2H-1)(2W-1), 2)."""
    axes = []
    for side, nominal in zip(size, table, strict=True):
        steps = torch.arange(1 - side, side, dtype=dtype, device=device)
        axes.append(steps * ((nominal - 1) / max(side - 1, 1)) + nominal - 1)
    return _pairs(axes)


def _pairs(axes: list[Tensor]) -> Tensor:
    """All pairs of coordinates, row by row. (1, M, 2)."""
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)[None]


def _rows(side: int, device: torch.device) -> Tensor:
    """Rows of a table with a border: keys from -1 to ``side``, for each all queries."""
    keys = torch.arange(-1, side + 1, device=device)
    queries = torch.arange(side, device=device)
    return (queries[None, :] - keys[:, None] + side).flatten()


def _attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """``softmax(q kᵀ / sqrt(D) + bias) v``; plain products where windows have them, and why."""
    if bias is None:
        written_out = is_unfused(q)
    else:
        slow = torch.is_grad_enabled() and not q.is_cuda and not is_traced()
        written_out = slow or is_unfused(q)
    if written_out:
        logits = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)
        logits = logits if bias is None else logits + bias
        return logits.softmax(dim=-1).to(v.dtype) @ v
    mask = None if bias is None else bias.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _groups(num_heads: int, groups: int) -> int:
    """How many groups of heads have offsets of their own."""
    return groups or num_heads // math.gcd(num_heads, 4)

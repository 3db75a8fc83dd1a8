"""Multi-head self-attention in windows: what `w_msa`, `sw_msa` and `grid` share."""

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network import windows
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.branches._registers import Registers, bias_for_all, registers_cost
from hybrid_swin.network.resizing import crop_table, offsets, resize_table
from hybrid_swin.network.tracing import is_traced, is_transformed, is_unfused, made_like, sides
from hybrid_swin.spec.window_rules import Roll, Shift, SmallMap, WindowLayout, lay_windows, sides_of

_HIDDEN = 512  # units of the network that gives continuous position biases
_MAX_LOG_SCALE = math.log(100)


class WindowAttention(Branch):
    """Self-attention within windows of M tokens (abstract: `layout` is the branches').

    For each window and head: ``softmax(q kᵀ / sqrt(D) + bias) v``, where ``bias`` is read from a
    table by the relative position of query and key. A map that the window does not divide is
    padded right and below, then rolled where shifted. On a map smaller than the window the window
    shrinks to the map.

    ``attention=cosine`` and ``bias=continuous`` are Swin Transformer V2's: logits
    ``s cos(q, k) + bias`` with s learned for each head, from 10 to at most 100; and the table
    computed as ``16 sigmoid(W₂ ReLU(W₁ offset))`` of the log of the offset. The offset is scaled by
    the window's largest; where the network was first trained with other windows, by theirs:
    ``pretrained_window_size``, if it is not 0. With ``bias=none`` no logit tells where tokens
    stand: the ablation of Swin's table 4.

    ``mask_padding`` lets no token attend to padding; otherwise padding is attended to, as in timm,
    torchvision, transformers and OpenMMLab.

    ``small_map`` says what the window does where a side of the map is shorter: ``shrink`` to it; be
    ``square``, as wide as the shorter side (Microsoft's Swin); keep its size and ``pad`` the map
    (torchvision's); or keep the size that is ``fixed`` by the nominal map, to which it shrinks
    (timm's).

    ``registers`` are so many learned tokens that every window attends to as well: see `Registers`.

    Parameters 4C² + 4C + (2h-1)(2w-1)K for windows of M = hw tokens; MACs 4NC² + 2NMC. Parameter
    names are timm's.

    Shapes: B batch, H height, W width, C channels, G windows, N tokens per window, K heads,
    D channels per head.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030; Swin Transformer V2: Scaling Up Capacity and Resolution, 2021,
    https://arxiv.org/abs/2111.09883
    """

    gates_values = True
    has_windows = True
    limits: ClassVar = {"registers": (0, 1000), "pretrained_window_size": (0, 65536)}
    layout: ClassVar[Literal["windows", "shifted", "strided"]]
    shift_rule: Shift = "none"
    roll_rule: Roll = "padded"

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        attention: Literal["dot", "cosine"] = "dot",
        bias: Literal["table", "continuous", "none"] = "table",
        mask_padding: bool = False,
        small_map: Literal["shrink", "square", "pad", "fixed"] = "shrink",
        pretrained_window_size: int = 0,
        registers: int = 0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.small_map: SmallMap = small_map
        self.nominal = grid_size
        self.window = lay_windows(grid_size, sides_of(window_size), small_map).window
        self.mask_padding = mask_padding
        self.cosine = attention == "cosine"
        self.qkv = nn.Linear(dim, 3 * dim, bias=not self.cosine)
        if self.cosine:  # as in Swin V2, where keys have no bias
            self.q_bias = nn.Parameter(torch.empty(dim))
            self.v_bias = nn.Parameter(torch.empty(dim))
            self.logit_scale = nn.Parameter(torch.empty(num_heads, 1, 1))
        self.proj = nn.Linear(dim, dim)
        self.position_bias = bias
        self.registers = Registers(registers, dim) if registers else None
        side = pretrained_window_size
        self.scale_window: Grid | None = (side, side) if side else None
        if bias == "continuous":
            self.cpb_mlp = nn.Sequential(
                nn.Linear(2, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, num_heads, bias=False)
            )
        elif bias == "table":
            table = torch.empty(offsets(self.window), num_heads)
            self.relative_position_bias_table = nn.Parameter(table)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights of what is not in a layer."""
        if self.cosine:
            nn.init.zeros_(self.q_bias)
            nn.init.zeros_(self.v_bias)
            nn.init.constant_(self.logit_scale, math.log(10))
        if self.position_bias == "table":
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def resize(self, window_size: Window, grid_size: Grid) -> None:
        """Take another window, whose table of biases is the old one's, interpolated.

        Where the old window only shrinks to the map, it is the middle of the old one's.
        """
        window = lay_windows(grid_size, sides_of(window_size), self.small_map).window
        if self.position_bias == "table" and window != self.window:
            table = self.relative_position_bias_table
            shrinks = window == lay_windows(grid_size, self.window, self.small_map).window
            resize = crop_table if shrinks else resize_table
            resized = resize(table.detach(), self.window, window)
            self.relative_position_bias_table = nn.Parameter(resized, table.requires_grad)
        self.window, self.nominal = window, grid_size

    def follow(self, window_size: Window, small_map: SmallMap, shift: Shift, roll: Roll) -> None:
        """Take other rules of how windows lie; where they change the window, as ``resize``."""
        self.small_map, self.shift_rule, self.roll_rule = small_map, shift, roll
        self.resize(window_size, self.nominal)

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Attend within windows. (B, H, W, C) -> (B, H, W, C); ``value_gate`` (B, C)."""
        height, width = sides(x)
        at = self.lay((height, width))
        # Two rolls and two croppings, of which each case does one: windows may be padded first or
        # rolled first.
        by = at.shift if any(at.shift) else None
        if by and not at.pads_first:
            x = x.roll((-by[0], -by[1]), dims=(1, 2))
        if at.padded != (height, width):
            x = F.pad(x, (0, 0, 0, at.padded[1] - width, 0, at.padded[0] - height))
        if by and at.pads_first:
            x = x.roll((-by[0], -by[1]), dims=(1, 2))
        strided = self.layout == "strided"
        x_BGNC = windows.partition(x, at.window, strided)
        bias = self._bias(at.window, x)
        if by:
            mask = partial(windows.shift_mask, at.padded, at.window, by, x.device)
            bias = _masked(bias, made_like(x, mask))
        if self.mask_padding and at.padded != (height, width):
            rolled = at.shift if at.pads_first else (0, 0)
            sizes = (height, width), at.padded, at.window, rolled
            mask = partial(windows.padding_mask, *sizes, strided, x.device)
            bias = _masked(bias, made_like(x, mask))
        x_BGNC = self._attend(x_BGNC, bias, value_gate)
        x = windows.merge(x_BGNC, at.window, at.padded, strided)
        if by and at.pads_first:
            x = x.roll(by, dims=(1, 2))
        if at.padded != (height, width):
            x = x[:, :height, :width]
        return x.roll(by, dims=(1, 2)) if by and not at.pads_first else x

    def lay(self, size: Grid) -> WindowLayout:
        """The windows on a map of this size."""
        return lay_windows(
            size, self.window, self.small_map, self.shift_rule, self.roll_rule, self.nominal
        )

    def padded(self, size: Grid) -> Grid:
        """Whole windows; the map itself where padding is masked."""
        return size if self.mask_padding else self.lay(size).padded

    @classmethod
    def padded_grid(
        cls,
        window_size: Window,
        grid_size: Grid,
        mask_padding: bool = False,
        small_map: SmallMap = "shrink",
        **_: Any,
    ) -> Grid:
        """Whole windows; the map itself where padding is masked."""
        laid = lay_windows(grid_size, sides_of(window_size), small_map)
        return grid_size if mask_padding else laid.padded

    @classmethod
    def fitted_window(
        cls, window_size: Window, grid_size: Grid, small_map: SmallMap = "shrink", **_: Any
    ) -> Window:
        """The window as it is on the nominal grid."""
        return lay_windows(grid_size, sides_of(window_size), small_map).window

    @classmethod
    def table_window(
        cls, window_size: Window, grid_size: Grid, small_map: SmallMap = "shrink", **_: Any
    ) -> Grid:
        """The window as it is on the nominal grid."""
        return lay_windows(grid_size, sides_of(window_size), small_map).window

    def bias_tables(self) -> dict[str, Grid]:
        """The table of the window, if biases come from one."""
        has_table = self.position_bias == "table"
        return {"relative_position_bias_table": self.window} if has_table else {}

    def _attend(self, x_BGNC: Tensor, bias: Tensor | None, value_gate: Tensor | None) -> Tensor:
        """Attention of each window with itself; ``bias`` is (1 or G, 1 or K, 1 or N, N)."""
        q, k, v, scale = self.heads(x_BGNC)
        if value_gate is not None:
            gate_BKD = torch.unflatten(value_gate, -1, (self.num_heads, -1))
            v = v * gate_BKD[:, None, :, None, :]
        bias = None if bias is None else bias_for_all(bias, k)
        return attend(q, k, v, bias, scale).transpose(2, 3).flatten(3)

    def heads(self, x_BGNC: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        """Queries, keys and values, each (B, G, K, N, D), and by what to scale their products.

        Registers stand behind keys and values.
        """
        qkv = torch.unflatten(self._project(x_BGNC), -1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)
        if self.registers is not None:
            k, v = self.registers.beside(k, v, self._project)
        if self.cosine:
            temperature = self.logit_scale.clamp(max=_MAX_LOG_SCALE).exp()
            return _normalise(q, temperature), _normalise(k), v, 1.0
        return q, k, v, q.shape[-1] ** -0.5

    def _project(self, x: Tensor) -> Tensor:
        """Queries, keys and values. (..., C) -> (..., 3C)."""
        out: Tensor = self.qkv(x)
        if not self.cosine:
            return out
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        return out + bias.to(out.dtype)

    def _bias(self, window: Grid, like: Tensor) -> Tensor | None:
        """Position bias, if any, of a window no larger than the nominal one. (1, K, N, N)."""
        if self.position_bias == "none":
            return None
        if self.position_bias == "continuous":
            scale = self.scale_window
            of = partial(windows.log_offsets, self.window, like.device, scale)
            table = 16 * self.cpb_mlp(made_like(like, of).to(like.dtype)).sigmoid()
        else:
            table = self.relative_position_bias_table
        of = partial(windows.relative_position_index, window, self.window, table.device)
        index = made_like(table, of)
        return table[index].permute(2, 0, 1)[None]

    def no_weight_decay(self) -> set[str]:
        """What gives the position bias, and the scale of the cosines."""
        names = {"logit_scale"} if self.cosine else set()
        names |= {"registers.tokens"} if self.registers is not None else set()
        if self.position_bias == "continuous":
            return names | {f"cpb_mlp.{name}" for name, _ in self.cpb_mlp.named_parameters()}
        return names | self.bias_tables().keys()

    @classmethod
    def cost(
        cls,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        attention: str = "dot",
        bias: str = "table",
        small_map: SmallMap = "shrink",
        registers: int = 0,
        **_: Any,
    ) -> Cost:
        """Padded tokens count where they are computed: everywhere but in the last projection.

        What only says where windows are shifted to (options of `sw_msa`), or scales offsets, costs
        nothing.
        """
        laid = lay_windows(grid_size, sides_of(window_size), small_map)
        window, size = laid.window, laid.padded
        tokens, area, rows = size[0] * size[1], window[0] * window[1], offsets(window)
        total = linear(tokens, dim, 3 * dim)
        if attention == "cosine":
            total += Cost(parameters=num_heads - dim)
        total += Cost(0, 2 * tokens * area * dim, tokens * (area * num_heads + dim))
        total += registers_cost(registers, tokens, dim, num_heads)
        if bias == "continuous":
            total += linear(rows, 2, _HIDDEN) + linear(rows, _HIDDEN, num_heads, bias=False)
        elif bias == "table":
            total += Cost(rows * num_heads)
        return total + linear(grid_size[0] * grid_size[1], dim, dim)


def _normalise(x: Tensor, length: Tensor | None = None) -> Tensor:
    """Scale the last axis to length 1, or to the given; in float32 at least, against underflow."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    wide = F.normalize(wide, dim=-1)
    return (wide if length is None else wide * length).to(x.dtype)


def _masked(bias: Tensor | None, mask_GNN: Tensor) -> Tensor:
    """A bias, if any, and a mask of each window for all heads. -> (G, 1 or K, 1 or N, N)."""
    mask_G1NN = mask_GNN[:, None]
    return mask_G1NN if bias is None else bias + mask_G1NN


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """``softmax(scale q kᵀ + bias) v``. q (B, G, K, N, D) -> the same.

    k and v (B, G, K, M, D) may have more tokens than q; bias is (1 or G, 1 or K, 1 or N, M).
    """
    if is_unfused(q) or (torch.is_grad_enabled() and not q.is_cuda and not is_traced()):
        # Training on a CPU has no fused kernel for a learned bias; PyTorch's fallback guards
        # against rows that are masked whole, which cannot occur here and costs a fifth of a step.
        logits = (q * scale) @ k.transpose(-2, -1)
        if bias is None:
            return logits.softmax(dim=-1).to(v.dtype) @ v
        # In place where that costs no precision (autocast's products are narrower than the bias),
        # and where one of the two cannot have axes that the other lacks, as under vmap.
        alike = type(logits) is type(bias) is Tensor and logits.dtype == bias.dtype
        logits = logits.add_(bias) if alike and not is_transformed() else logits + bias
        return logits.softmax(dim=-1).to(v.dtype) @ v
    shape = q.shape
    if bias is not None:
        bias = bias.to(q.dtype).expand(-1, *shape[2:4], -1)
    if bias is None or bias.shape[0] == 1:  # the same for all windows: they join the batch
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    else:  # a bias of its own for each window: windows join the heads
        q, k, v = (t.flatten(1, 2) for t in (q, k, v))
        bias = bias.flatten(0, 1)[None]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
    return out.reshape(shape)

"""Networks to replace blocks of: Hugging Face's own, ours, and doubles of what is not installed."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import SwinConfig, SwinForImageClassification

import hybrid_swin as hs

DEPTHS, HEADS, WIDTH, WINDOW = (2, 3), (2, 4), 16, 4


# Doubles: the structure, names and arithmetic of two libraries, in as few words as will do


def attend(x, window, shift, qkv, proj, table, heads, roll_first):
    """Slow window attention; where the window does not divide, timm rolls before it pads."""
    (wh, ww), (height, width) = window, x.shape[1:3]
    bottom, right = -height % wh, -width % ww
    back = tuple(-s for s in shift)
    if roll_first:
        x = F.pad(x.roll(back, (1, 2)), (0, 0, 0, right, 0, bottom))
    else:
        x = F.pad(x, (0, 0, 0, right, 0, bottom)).roll(back, (1, 2))
    full_h, full_w = x.shape[1:3]
    regions = torch.zeros(full_h, full_w)
    for axis, (w, s) in enumerate(zip(window, shift, strict=True)):
        if s:
            edges = torch.arange(regions.shape[axis])
            size = regions.shape[axis]
            ids = (edges >= size - w).float() + (edges >= size - s).float()
            regions += (ids[:, None] if axis == 0 else ids[None]) * 3 ** (1 - axis)
    cells = [(i, j) for i in range(wh) for j in range(ww)]
    index = [[(a - c + wh - 1) * (2 * ww - 1) + b - d + ww - 1 for c, d in cells] for a, b in cells]
    bias = table[torch.tensor(index)].permute(2, 0, 1)
    out = torch.zeros_like(x)
    for top in range(0, full_h, wh):
        for left in range(0, full_w, ww):
            here = (slice(None), slice(top, top + wh), slice(left, left + ww))
            q, k, v = (
                t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in qkv(x[here].flatten(1, 2))
            )
            ids = regions[here[1:]].flatten()
            mask = torch.where(ids[:, None] == ids[None], 0.0, -100.0).to(x.dtype)
            weights = (q @ k.mT * q.shape[-1] ** -0.5 + bias + mask).softmax(-1)
            out[here] = proj((weights @ v).transpose(1, 2).flatten(2)).unflatten(1, (wh, ww))
    if roll_first:
        return out[:, :height, :width].roll(shift, (1, 2))
    return out.roll(shift, (1, 2))[:, :height, :width]


class TimmAttention(nn.Module):
    def __init__(self, dim, heads, window, qkv_bias=True):
        super().__init__()
        self.num_heads = heads
        rows = (2 * window[0] - 1) * (2 * window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(0.0)


class TimmBlock(nn.Module):
    def __init__(self, dim, resolution, heads, window, shift, always_partition, qkv_bias):
        super().__init__()
        self.dim, self.input_resolution = dim, resolution
        fits = [r > w or always_partition for r, w in zip(resolution, window, strict=True)]
        self.window_size = tuple(
            w if f else r for f, w, r in zip(fits, window, resolution, strict=True)
        )
        self.shift_size = tuple(w // 2 if f and shift else 0 for f, w in zip(fits, window))  # noqa: B905
        self.norm1 = nn.LayerNorm(dim)
        self.attn = TimmAttention(dim, heads, self.window_size, qkv_bias)
        self.drop_path1 = nn.Dropout(0.0)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.drop_path2 = nn.Dropout(0.0)
        self.register_buffer("attn_mask", torch.zeros(1), persistent=False)

    def forward(self, x):
        a = self.attn
        mixed = attend(
            self.norm1(x),
            self.window_size,
            self.shift_size,
            lambda y: a.qkv(y).chunk(3, -1),
            a.proj,
            a.relative_position_bias_table,
            a.num_heads,
            roll_first=True,
        )
        x = x + self.drop_path1(a.proj_drop(mixed))
        return x + self.drop_path2(self.mlp(self.norm2(x)))


class TimmStage(nn.Module):
    def __init__(self, index, grid, window, always_partition, qkv_bias):
        super().__init__()
        dim = WIDTH * 2**index
        self.downsample = nn.Linear(dim // 2, dim) if index else nn.Identity()
        self.blocks = nn.Sequential(
            *(
                TimmBlock(dim, grid, HEADS[index], window, i % 2, always_partition, qkv_bias)
                for i in range(DEPTHS[index])
            )
        )

    def forward(self, x):
        x = self.downsample(x)
        return self.blocks(x[:, ::2, ::2] if isinstance(self.downsample, nn.Linear) else x)


class TimmSwin(nn.Module):
    def __init__(
        self, grid=(16, 16), window=(WINDOW, WINDOW), always_partition=False, qkv_bias=True
    ):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, WIDTH, 1)
        grids = grid, tuple(-(-side // 2) for side in grid)
        self.layers = nn.Sequential(
            *(TimmStage(i, grids[i], window, always_partition, qkv_bias) for i in range(2))
        )
        self.head = nn.Linear(2 * WIDTH, 3)

    def forward(self, x):
        return self.head(self.layers(self.patch_embed(x).permute(0, 2, 3, 1)).mean((1, 2)))


class Layer4(nn.Module):
    """A block of transformers 4.x."""

    def __init__(self, dim, heads, shift):
        super().__init__()
        self.shift_size, self.input_resolution = shift, (16, 16)
        self.layernorm_before = nn.LayerNorm(dim)
        self.attention = nn.Module()
        inner = self.attention.self = nn.Module()
        inner.num_attention_heads = heads
        inner.query, inner.key, inner.value = (nn.Linear(dim, dim) for _ in range(3))
        inner.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        inner.dropout = nn.Dropout(0.0)
        self.attention.output = nn.Module()
        self.attention.output.dense = nn.Linear(dim, dim)
        self.attention.output.dropout = nn.Dropout(0.0)
        self.drop_path = nn.Identity()
        self.layernorm_after = nn.LayerNorm(dim)
        self.intermediate = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU())
        self.output = nn.Linear(2 * dim, dim)

    def forward(self, hidden_states, input_dimensions, head_mask=None, output_attentions=False):
        a = self.attention.self
        mixed = attend(
            self.layernorm_before(hidden_states).unflatten(1, input_dimensions),
            (WINDOW, WINDOW),
            (self.shift_size, self.shift_size),
            lambda y: (a.query(y), a.key(y), a.value(y)),
            self.attention.output.dense,
            a.relative_position_bias_table,
            a.num_attention_heads,
            roll_first=False,
        )
        x = hidden_states + self.drop_path(mixed.flatten(1, 2))
        return (x + self.output(self.intermediate(self.layernorm_after(x))),)


class Swin4(nn.Module):
    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(model_type="swin")
        self.embed = nn.Conv2d(3, WIDTH, 1)
        self.encoder = nn.Module()
        layer = nn.Module()
        layer.blocks = nn.ModuleList(Layer4(WIDTH, 2, shift) for shift in (0, 2))
        self.encoder.layers = nn.ModuleList([layer])

    def forward(self, x):
        x = self.embed(x)
        size = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        for block in self.encoder.layers[0].blocks:
            x = block(x, size, None, False)[0]
        return x


# The real ones


def config_of(**changes):
    sizes = {"embed_dim": WIDTH, "depths": list(DEPTHS), "num_heads": list(HEADS)}
    rest = {"image_size": 32, "patch_size": 2, "window_size": WINDOW, "mlp_ratio": 2}
    return SwinConfig(**sizes | rest | {"num_labels": 3, "drop_path_rate": 0.0} | changes)


class Logits(nn.Module):
    """A classifier of Hugging Face's that gives a tensor, as the others do."""

    def __init__(self, **changes):
        super().__init__()
        self.inside = SwinForImageClassification(config_of(**changes))

    def forward(self, x):
        return self.inside(x).logits


def hybrid(**changes):
    stages = tuple(
        hs.Stage(WIDTH * 2**i, depth, heads, ("w_msa", "sw_msa"))
        for i, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True))
    )
    sizes = {"image_size": 16, "patch_size": 1, "num_classes": 3, "window_size": WINDOW}
    return hs.HybridSwin(hs.Variant(**sizes | {"stages": stages, "mlp_ratio": 2} | changes))


KINDS = {"timm": TimmSwin, "huggingface 4": Swin4, "huggingface 5": Logits, "ours": hybrid}


@pytest.fixture
def make():
    """A network of a kind, with weights that are felt, and images for it."""

    def made(kind, **changes):
        torch.manual_seed(0)
        model = KINDS[kind](**changes).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name and "weight" in name:
                nn.init.uniform_(parameter, 0.5, 1.5)
            else:
                nn.init.normal_(parameter, std=1.0 if "table" in name else 0.15)
        return model, torch.randn(2, 3, *((32, 32) if kind == "huggingface 5" else (16, 16)))

    return made


@pytest.fixture
def hf_config():
    """Hugging Face's settings of the same sizes."""
    return config_of

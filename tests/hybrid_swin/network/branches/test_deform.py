"""Deformable attention against loops over heads, tokens and places, in float64."""

import math

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.cost import count_cost
from hybrid_swin.network.branches.deform import Deform, _stretch, read
from hybrid_swin.network.branches.pooled import Pooled
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

DIM, HEADS = 8, 4


def build(grid=(4, 5), heads=HEADS, **options):
    torch.manual_seed(0)
    module = Deform(DIM, heads, 4, grid, **options).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def at(image, y, x):
    """A map of (H, W, C) between its tokens; every token counts by how near it is."""
    rows, columns = (
        (1 - (torch.arange(side, dtype=image.dtype) - at).abs()).clamp(min=0)
        for side, at in zip(image.shape, (y, x), strict=False)
    )
    return torch.einsum("i,j,ijc->c", rows, columns, image)


@torch.no_grad()
def reference(module, x, gate, groups):
    height, width = x.shape[1:3]
    stride, own, size = module.stride, DIM // groups, DIM // HEADS
    cells = [(s, math.ceil(s / stride)) for s in (height, width)]
    centres = [[(i + 0.5) * s / n - 0.5 for i in range(n)] for s, n in cells]
    q, out = module.q(x), torch.zeros_like(x)
    for image in range(len(x)):
        for group in range(groups):
            part = slice(group * own, (group + 1) * own)
            places = [(y, x_) for y in centres[0] for x_ in centres[1]]
            if module.learned:
                local = module.dwconv(q[image, :, :, part].permute(2, 0, 1)[None])[0]
                raw = module.offset(F.gelu(module.norm(local.permute(1, 2, 0)))).flatten(0, 1)
                moves = (raw.tanh() * module.offset_range / 2 * stride).tolist()
                places = [(y + a, x_ + b) for (y, x_), (a, b) in zip(places, moves, strict=True)]
            sampled = torch.zeros(len(places), DIM, dtype=x.dtype)
            # a head's keys are made of all groups' channels, each read at its own places
            sampled[:, part] = torch.stack([at(x[image, :, :, part], *p) for p in places])
            if group == 0:
                everything, all_places = torch.zeros_like(sampled), {}
            everything += sampled
            all_places[group] = places
        k, v = module.kv(everything).chunk(2, dim=-1)
        v = v * gate[image]
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            table = None
            if module.bias_table is not None:
                table = module.bias_table[:, head].view(*(2 * s - 1 for s in module.nominal), 1)
            for i in range(height):
                for j in range(width):
                    logits = k[:, part] @ q[image, i, j, part] / math.sqrt(size)
                    if table is not None:
                        there = [  # at most one token beyond the map
                            (min(max(y, -1), height), min(max(x_, -1), width))
                            for y, x_ in all_places[head * groups // HEADS]
                        ]
                        middle = [s - 1 for s in module.nominal]
                        logits = logits + torch.stack(
                            [at(table, i - y + middle[0], j - x_ + middle[1])[0] for y, x_ in there]
                        )
                    out[image, i, j, part] = logits.softmax(0) @ v[:, part]
    return module.proj(out)


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ({"groups": 2}, 2),
        ({}, 1),
        ({"stride": 2, "kernel": 3, "offset_range": 5.0, "groups": 4}, 4),  # far beyond the map
        ({"bias": "none", "groups": 2}, 2),
        ({"offsets": "fixed", "stride": 2}, 1),
    ],
)
@pytest.mark.parametrize("size", [(4, 5), (1, 1)])
def test_it_attends_to_places_between_tokens(size, options, groups):
    module = build(size, **options)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    expected = reference(module, x, torch.ones_like(gate), groups)
    gated = reference(module, x, gate, groups)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(module.proj(module.mix(x, gate)), gated, rtol=0, atol=1e-12)
    with torch.no_grad():  # fused
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def test_reading_is_that_of_grid_sample():
    maps, places = torch.randn(3, 4, 5, 2).double(), 8 * torch.rand(3, 9, 2).double() - 2
    scale = torch.tensor([4, 5])
    grid = ((2 * places + 1) / scale - 1).flip(-1)[:, None]  # x first
    expected = F.grid_sample(maps.permute(0, 3, 1, 2), grid, align_corners=False)[:, :, 0]
    bordered = F.pad(maps, (0, 0, 1, 1, 1, 1)).flatten(1, 2)
    torch.testing.assert_close(read(bordered, (4, 5), places), expected.transpose(1, 2))


@pytest.mark.parametrize("size", [(4, 5), (6, 3), (1, 1)])
def test_fixed_places_make_it_global_attention(size):
    module = build(offsets="fixed", bias="none")
    whole = Pooled(DIM, HEADS, 4, (4, 5), pool=1).double()
    whole.load_state_dict(module.state_dict())
    x = torch.randn(2, *size, DIM).double()
    torch.testing.assert_close(module(x), whole(x), rtol=0, atol=1e-12)


def test_the_table_is_stretched_for_another_map():
    module, x = build((3, 5), offsets="fixed"), torch.randn(1, 5, 9, DIM).double()
    with torch.no_grad():  # a plane stays one
        rows, columns = torch.meshgrid(torch.arange(5), torch.arange(9), indexing="ij")
        plane = (2.0 * (rows - 2) + columns - 4).flatten()[:, None]
        module.bias_table.copy_(plane.expand(-1, HEADS))
        table = _stretch(module.bias_table, (3, 5), (5, 9))
        assert table[4, 8].tolist() == [0] * HEADS  # offset (0, 0) stays in the middle
        assert table[0, 0].tolist() == module.bias_table[0].tolist()
        torch.testing.assert_close(table[5, 8] - table[4, 8], torch.ones(HEADS).double())
        torch.testing.assert_close(table[4, 9] - table[4, 8], torch.full((HEADS,), 0.5).double())
        before = module(x)
        module.resize(4, (5, 9))
        torch.testing.assert_close(module(x), before, rtol=0, atol=1e-12)
    assert module.bias_table.shape == (9 * 17, HEADS) and module.bias_table.requires_grad


def test_groups_are_those_of_the_published_networks():
    heads = {12: 3, 24: 6, 16: 4, 32: 8, 3: 3, 6: 3}  # DAT-T's stages 3 and 4, DAT-B's; others
    assert {n: Deform(2 * n, n, 7, (2, 2)).groups for n in heads} == heads


def test_what_it_costs():
    tokens, dim = 14**2, 384
    cost = Deform.cost(dim, 12, 7, (14, 14))  # DAT-T's third stage
    assert cost.parameters == 4 * dim**2 + 4 * dim + 27**2 * 12 + 30 * dim // 3
    assert cost.macs == 4 * tokens * dim**2 + 2 * tokens**2 * dim + 27 * tokens * dim
    fixed = Deform.cost(dim, 12, 7, (14, 14), offsets="fixed", bias="none")
    assert fixed == Pooled.cost(dim, 12, 7, (14, 14), pool=1)
    coarse = Deform.cost(dim, 12, 7, (14, 14), stride=4)
    assert coarse.macs == (2 * tokens + 2 * 16) * dim**2 + 2 * tokens * 16 * dim + 27 * 16 * dim


def test_dat_t_costs_nearly_what_is_published():
    """29M and 4.6 GMACs, with windows, shifted windows and this in Swin's shell."""
    windows, deform = ("w_msa", "sw_msa"), ("w_msa", "deform")
    widths = (96, 2, 3, windows), (192, 2, 6, windows), (384, 6, 12, deform), (768, 2, 24, deform)
    cost = count_cost(Variant(stages=[Stage(*stage) for stage in widths]))
    assert (round(cost.parameters / 1e6, 1), round(cost.macs / 1e9, 2)) == (28.3, 4.56)

"""Agent attention against loops in float64."""

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.cost import count_cost
from hybrid_swin.network.branches.agent import Agent, region_means
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

DIM, HEADS = 6, 2
OPTIONS = [
    {},
    {"agents": 2},
    {"agents": 1, "depthwise": False},
    {"attention": False},
    {"attention": False, "depthwise": False},
]


def build(**options):
    torch.manual_seed(0)
    return Agent(DIM, HEADS, 4, (5, 4), **options).double().eval()


def regions(side, most):
    """Which places of an axis each part holds."""
    parts = min(side, most)
    edges = [(i * side // parts, -(-(i + 1) * side // parts)) for i in range(parts)]
    return [list(range(*edge)) for edge in edges]


def reference(module, image, gate, options):
    """(H, W, C) -> (H, W, C)."""
    height, width = image.shape[:2]
    *qk, values = (image @ module.qkv.weight.T + module.qkv.bias).split(DIM, dim=-1)
    values = values * gate
    local = values
    if module.dwconv is not None:
        weight = torch.diag_embed(module.dwconv.weight[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1)
        dense = F.conv2d(values.permute(2, 0, 1)[None], weight, module.dwconv.bias, padding=1)
        local = dense[0].permute(1, 2, 0)
    if not options.get("attention", True):
        mixed = values if module.dwconv is None else values + local
        return mixed @ module.proj.weight.T + module.proj.bias
    q, k = qk
    most = options.get("agents", 7)
    mixed = torch.zeros_like(image) if module.dwconv is None else local.clone()
    size = DIM // HEADS
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        agents = [
            torch.stack([q[i, j, own] for i in rows for j in columns]).mean(0)
            for rows in regions(height, most)
            for columns in regions(width, most)
        ]
        gathered = []
        for agent in agents:
            weights = (k[..., own] @ agent / size**0.5).flatten().softmax(0)
            gathered.append(weights @ values[..., own].flatten(0, 1))
        for i in range(height):
            for j in range(width):
                weights = (torch.stack(agents) @ q[i, j, own] / size**0.5).softmax(0)
                mixed[i, j, own] += weights @ torch.stack(gathered)
    return mixed @ module.proj.weight.T + module.proj.bias


@pytest.mark.parametrize("size", [(5, 4), (1, 1), (3, 9)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_computes_what_the_paper_says(options, size):
    module = build(**options)
    x, gate = torch.randn(2, *size, DIM).double(), torch.randn(2, DIM).double()
    for found, gates in (
        (module(x), torch.ones_like(gate)),
        (module.proj(module.mix(x, gate)), gate),
    ):
        pairs = zip(x, gates, strict=True)
        expected = torch.stack([reference(module, *pair, options) for pair in pairs])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(56, 56), (13, 9), (3, 20), (1, 1)])
def test_agents_are_torch_s_adaptive_means(size):
    x = torch.randn(2, *size, DIM).double()
    parts = [min(side, 7) for side in size]
    expected = F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), parts).permute(0, 2, 3, 1)
    torch.testing.assert_close(region_means(x, 7), expected, rtol=0, atol=1e-12)


def test_one_agent_gives_all_tokens_the_same():
    mixed = build(agents=1, depthwise=False).mix(torch.randn(1, 5, 4, DIM).double())
    assert torch.allclose(mixed, mixed[:, :1, :1])


def test_what_it_costs():
    tokens = 56**2
    cost = Agent.cost(96, 3, 7, (56, 56))
    assert cost.parameters == 4 * 96**2 + 14 * 96
    means = 96 * (7 * tokens + 7 * 56 * 7)
    assert cost.macs == tokens * (4 * 96**2 + 4 * 49 * 96 + 9 * 96) + means
    # A map of 5 x 9 tokens has 5 x 7 agents.
    small = Agent.cost(96, 3, 7, (5, 9), depthwise=False)
    assert small.macs == 45 * (4 * 96**2 + 4 * 35 * 96) + 96 * (5 * 45 + 5 * 9 * 7)
    plain = Agent.cost(96, 3, 7, (56, 56), attention=False)
    assert plain.parameters == 2 * 96**2 + 12 * 96
    assert plain.macs == tokens * (2 * 96**2 + 9 * 96)


def test_agent_swin_t_costs_what_its_authors_code_does_but_for_biases_and_means():
    """29M and 4.5G in the paper; by their code 28,902,964 parameters and 4,499,447,808 MACs."""
    blocks = ("agent(agents=3)",), ("agent(agents=4)",), ("agent",), ("w_msa",)
    stages = [
        Stage(96 * 2**i, depth, 3 * 2**i, words)
        for i, (depth, words) in enumerate(zip((2, 2, 6, 2), blocks, strict=True))
    ]
    cost = count_cost(Variant(224, stages=stages))
    biases = means = 0
    for i, (depth, side, agents) in enumerate(((2, 56, 3), (2, 28, 4), (6, 14, 7))):
        biases += depth * 3 * 2**i * agents**2 * (2 * 49 + 4 * side)
        means += depth * 96 * 2**i * (agents * side**2 + agents**2 * side)
    assert cost.parameters + biases == 28_902_964
    assert cost.macs - means == 4_499_447_808

"""What a measurement says; not how long anything takes."""

import math

import pytest
import torch
from torch import nn

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.profiling.latency import measure_latency
from hybrid_swin.profiling.timing import Setup
from hybrid_swin.spec.variant import Variant

VARIANT = Variant.from_dict(
    {
        "image_size": [8, 12],
        "in_channels": 2,
        "num_classes": 3,
        "patch_size": 2,
        "window_size": 2,
        "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}],
    }
)


class Probe(nn.Module):
    """Remembers how it is called."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = set()

    def forward(self, x):
        self.seen.add((tuple(x.shape), x.dtype, self.training, torch.is_inference_mode_enabled()))
        return x * self.weight


def test_says_how_long_a_batch_takes_as_all_else_is_measured(monkeypatch):
    rounds = [n / 1000 for n in (9, 1, 15, 3, 8, 7, 2, 14, 13, 4, 5, 12, 6, 11, 10)]
    monkeypatch.setattr(
        "hybrid_swin.profiling.latency.interleaved", lambda steps, *_: [rounds for _ in steps]
    )
    found = measure_latency(HybridSwin(VARIANT), VARIANT, "cpu")
    assert found.pop("device")
    # the fourth from either end: 1 - 2 P(X < 4) = .965, and .882 for the fifth
    assert found == {
        "median_ms": 8.0,
        "low_ms": 4.0,
        "high_ms": 12.0,
        "rounds": 15,
        "batch": Setup().batch,
        "threads": torch.get_num_threads(),
        "beside_other_work": True,
    }


def test_measures_rounds_and_keeps_the_median_within_its_interval():
    found = measure_latency(HybridSwin(VARIANT), VARIANT, "cpu")
    assert 0 < found["low_ms"] <= found["median_ms"] <= found["high_ms"] < math.inf


def test_calls_the_network_as_it_answers():
    probe = Probe().train()
    measure_latency(probe, VARIANT, "cpu")
    assert probe.seen == {((Setup().batch, 2, 8, 12), torch.float32, False, True)}


def test_leaves_no_trace_of_gradients():
    network = HybridSwin(VARIANT)
    measure_latency(network, VARIANT, "cpu")
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_a_device_without_the_memory_costs_only_the_figure():
    class Greedy(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("no memory left")

    assert measure_latency(Greedy(), VARIANT, "cpu") is None


def test_another_error_is_one():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        measure_latency(Broken(), VARIANT, "cpu")

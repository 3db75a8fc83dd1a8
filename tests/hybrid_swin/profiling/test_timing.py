"""What is timed, in which order, and what is made of it; not how long anything takes."""

import math

import pytest
import torch
from torch import nn

from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.profiling import timing as measuring
from hybrid_swin.profiling.timing import (
    Setup,
    compare_times,
    interleaved,
    make_step,
    measure_latency,
    median_interval,
)
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

TINY = Variant((8, 12), 2, 3, 2, 2, 2.0, (Stage(8, 1, 2, ("w_msa",)),))
WIDE = Variant((8, 12), 2, 0, 2, 2, 2.0, (Stage(16, 1, 2, ("conv+w_msa",)),))
CPU = Setup("cpu", threads=1, batch=4)


@pytest.fixture
def clock(monkeypatch):
    """Time passes only where a step says so."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(measuring, "time", found)
    return found


def test_variants_are_timed_in_turn(clock):
    log = []

    def step(name, seconds):
        def run():
            log.append(name)
            clock.now += seconds

        return run

    samples = interleaved([step("a", 1), step("b", 2)], lambda: log.append("."), 3)
    assert samples == [[1, 1, 1], [2, 2, 2]]
    warming = ".a..a..b..b."
    assert "".join(log) == warming + ".a..b." * 3


def test_short_steps_are_repeated_within_a_sample(clock):
    count = 0

    def short():
        nonlocal count
        count += 1
        clock.now += 0.004

    assert interleaved([short], lambda: None, 2) == [[pytest.approx(0.004)] * 2]
    assert count == 2 + 2 * 5


def test_a_slow_round_does_not_move_the_ratio(monkeypatch):
    samples = [[1.0, 1.0, 4.0, 1.0, 1.0], [2.0, 2.0, 8.0, 2.0, 2.0]]
    monkeypatch.setattr(measuring, "interleaved", lambda *_: samples)
    first, second = compare_times([TINY, WIDE], "forward", CPU, 5)
    assert (first.ratio, first.ratio_iqr) == (1, 0)
    assert (second.median_ms, second.iqr_ms, second.ratio, second.ratio_iqr) == (2000, 0, 2, 0)
    assert second.rounds == 5


def test_quartiles():
    assert measuring._iqr([1, 2, 3, 4, 5]) == 2
    assert measuring._iqr([7]) == 0


def test_real_networks_are_timed():
    threads, done = torch.get_num_threads(), []
    for work in ("forward", "training"):
        for timing in compare_times([TINY, WIDE], work, CPU, 2, done.append):
            assert 0 < timing.median_ms < 10_000
            assert timing.rounds == 2
    assert done == [1, 2, 1, 2]
    assert torch.get_num_threads() == threads


@pytest.fixture
def built(monkeypatch):
    models = []

    def build(variant):
        models.append(HybridSwin(variant))
        return models[-1]

    monkeypatch.setattr(measuring, "HybridSwin", build)
    return models


def test_a_forward_pass_leaves_no_gradients(built):
    make_step(TINY, "forward", CPU)()
    assert not built[0].training
    assert all(p.grad is None for p in built[0].parameters())


@pytest.mark.parametrize("variant", [TINY, WIDE], ids=["classes", "none"])
def test_a_training_step_trains(variant, built):
    step = make_step(variant, "training", CPU)
    before = [p.detach().clone() for p in built[0].parameters()]
    step()
    assert built[0].training
    assert all((a != b).any() for a, b in zip(before, built[0].parameters(), strict=True))


def test_a_gpu_that_is_full_is_named(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(measuring, "interleaved", full)
    with pytest.raises(InputError, match="training of 2 variants with a batch of 4 does not fit"):
        compare_times([TINY, WIDE], "training", CPU)


def test_the_setup_is_told():
    label = Setup("cpu", threads=2, batch=16).label
    assert label.endswith("2 threads, batch 16, float32")
    assert Setup("auto").device == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "batch must be at least 1; got 0"),
        ({"threads": -1}, "threads must be at least 1; got -1"),
        ({"device": "tpu"}, "accelerator must be one of"),
    ],
)
def test_a_setup_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Setup(**arguments)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (15, 4), (20, 6), (100, 40)])
def test_the_interval_of_a_median_is_that_of_the_tables(n, k):
    """k as tabled for 95% (Conover, Practical Nonparametric Statistics)."""
    assert median_interval(range(n, 0, -1)) == (k, (n + 1) / 2, n + 1 - k)


def test_too_few_values_have_no_interval():
    with pytest.raises(ValueError, match="5 values are too few"):
        median_interval(range(5))


# One network alone: measure_latency


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
        "hybrid_swin.profiling.timing.interleaved", lambda steps, *_: [rounds for _ in steps]
    )
    found = measure_latency(HybridSwin(TINY), TINY, "cpu")
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
    found = measure_latency(HybridSwin(TINY), TINY, "cpu")
    assert 0 < found["low_ms"] <= found["median_ms"] <= found["high_ms"] < math.inf


def test_calls_the_network_as_it_answers():
    probe = Probe().train()
    measure_latency(probe, TINY, "cpu")
    assert probe.seen == {((Setup().batch, 2, 8, 12), torch.float32, False, True)}


def test_leaves_no_trace_of_gradients():
    network = HybridSwin(TINY)
    measure_latency(network, TINY, "cpu")
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_a_device_without_the_memory_costs_only_the_figure():
    class Greedy(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("no memory left")

    assert measure_latency(Greedy(), TINY, "cpu") is None


def test_another_error_is_one():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        measure_latency(Broken(), TINY, "cpu")

"""Rows with time and memory; the clock is a formula where its figures matter."""

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.profiling.timing import Setup, Timing
from hybrid_swin.spec.published import published
from search.cli.cost import measured as cost_measuring
from search.cli.cost.measured import matched_by_clock, measured, setup_of
from search.cli.cost.rows import Question, counted, named_variants

CPU = Setup("cpu")


@pytest.fixture
def figures(monkeypatch):
    """Both measurements by formula; remembers what was asked of them, in order."""
    asked = []

    def memory(variant, work, setup, plugins):
        asked.append(("memory", work, tuple(plugins)))
        return count_cost(variant).activations / (1e6 if work == "forward" else 1e5)

    def times(variants, work, setup, rounds, progress=lambda _: None):
        asked.append((work, len(variants), rounds))
        progress(rounds)
        macs = [count_cost(v).macs for v in variants]
        return [Timing(m / 1e8, 0.5, m / macs[0], 0.01, rounds) for m in macs]

    monkeypatch.setattr(cost_measuring, "peak_memory", memory)
    monkeypatch.setattr(cost_measuring, "compare_times", times)
    return asked


def test_each_row_gets_its_own_figures(figures):
    question = Question(("swin_t", "swin_s"), plugin=(), rounds=3)
    said = []
    rows = measured(counted(named_variants(question)), question, CPU, said.append)
    for row in rows:
        assert row.measured.forward.median_ms == pytest.approx(row.cost.macs / 1e8)
        assert row.measured.training_mb == 10 * row.measured.forward_mb
        assert row.measured.forward_mb == pytest.approx(row.cost.activations / 1e6)
    assert rows[0].measured.training.ratio == 1 < rows[1].measured.training.ratio
    assert [a[0] for a in figures] == ["memory"] * 4 + ["forward", "training"]
    assert figures[-1] == ("training", 2, 3)
    assert said[-1] == "training: round 3 of 3"


def test_a_variant_is_as_wide_as_anothers_time_allows(figures):
    question = Question(("w_msa+mdta",), match="swin_t", by="latency", rounds=7)
    reference, row = matched_by_clock(named_variants(question), question, CPU, lambda _: None)
    assert reference.variant == published("swin_t")
    assert row.relative.keys() == {"parameters", "macs", "activations", "latency"}
    assert abs(row.relative["latency"]) <= 0.05
    assert row.relative["latency"] == pytest.approx(row.relative["macs"])
    assert "of swin_t (IQR 0.01)" in row.adjuster
    assert set(figures) == {("forward", 2, 7)}


def test_milliseconds_are_met_alone(figures):
    question = Question(("swin_t",), match="22.5 ms", by="latency", tolerance=0.02)
    (row,) = matched_by_clock(named_variants(question), question, CPU, lambda _: None)
    assert row.cost.macs / 1e8 == pytest.approx(22.5, rel=0.02)
    assert row.relative.keys() == {"latency"}
    assert row.adjuster.endswith(" ms (IQR 0.5)")
    assert set(figures) == {("forward", 1, 10)}


def test_what_is_no_time_is_refused():
    question = Question(("swin_t",), match="3 minutes", by="latency")
    with pytest.raises(InputError, match="must be a variant or milliseconds such as 25"):
        matched_by_clock(named_variants(question), question, CPU, lambda _: None)


def test_the_setup_is_what_was_asked():
    assert setup_of(Question(device="cpu", threads=2, batch=3)) == Setup("cpu", 2, 3)
    with pytest.raises(InputError, match="rounds must be at least 1; got 0"):
        setup_of(Question(rounds=0))

"""Time and memory of the rows of `cost`, and rows that are matched by time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hybrid_swin.cost.latency_solver import Measured, match_latency
from hybrid_swin.profiling.memory import peak_memory
from hybrid_swin.profiling.timing import Setup, Timing, Work, compare_times
from hybrid_swin.spec import registry
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.spec.variant import Variant
from search.cli.cost.rows import (
    CostRow,
    Measurement,
    Named,
    Question,
    others,
    reference_rows,
    target_of,
)

Progress = Callable[[str], object]
_WORKS: tuple[Work, ...] = ("forward", "training")


def setup_of(question: Question) -> Setup:
    """What the question wants measured with. Raises InputError where that cannot be."""
    check_ranges({"rounds": (question.rounds, Range(1, 100_000))})
    return Setup(question.device, question.threads, question.batch)


def measured(
    rows: Sequence[CostRow], question: Question, setup: Setup, progress: Progress
) -> list[CostRow]:
    """The rows with their time and memory; memory first, since it tells whether they have room."""
    memory: list[list[float]] = []
    times: list[list[Timing]] = []
    for work in _WORKS:
        memory.append([])
        for row in rows:
            progress(f"{work}: memory of {row.name}")
            memory[-1].append(peak_memory(row.variant, work, setup, registry.runnable_plugins()))
    for work in _WORKS:

        def show_round(done: int, work: Work = work) -> None:
            progress(f"{work}: round {done} of {question.rounds}")

        variants = [row.variant for row in rows]
        times.append(compare_times(variants, work, setup, question.rounds, show_round))
    columns = zip(rows, *times, *memory, strict=True)
    return [replace(row, measured=Measurement(*values)) for row, *values in columns]


def matched_by_clock(
    named: Named, question: Question, setup: Setup, progress: Progress
) -> list[CostRow]:
    """Rows with the target's time of a forward pass: another variant's, beside it, or in ms."""
    target = target_of(question)
    rows = reference_rows(question, target)
    beside = [row.variant for row in rows]

    def measure(candidate: Variant) -> Measured:
        timing = compare_times([*beside, candidate], "forward", setup, question.rounds)[-1]
        if beside:
            return Measured(timing.ratio, timing.ratio_iqr)
        return Measured(timing.median_ms, timing.iqr_ms)

    for name, variant in others(named, question):
        progress(f"matching {name} by the clock")
        match, time = match_latency(
            variant,
            1.0 if isinstance(target, Variant) else target,
            measure,
            reference=rows[0].cost if beside else None,
            tolerance=question.nearness,
        )
        unit = f"of {question.match}" if beside else "ms"
        adjuster = f"{match.adjuster}; takes {time.value:.4g} {unit} (IQR {time.noise:.2g})"
        rows.append(CostRow(name, match.variant, match.cost, match.residuals, adjuster))
    return rows

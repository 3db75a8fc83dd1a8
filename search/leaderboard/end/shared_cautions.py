"""Cautions that studies and comparisons share, in the same words on the last page and in full."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import InputError
from search.records.time_limit import LEAST_SEEDS, read_time_limit
from search.statistics.formatting import counted
from search.statistics.looks import LEVEL
from search.statistics.skewed_luck import CAUTION

MOST_CAUTIONS = 3  # on the last page
FEW_SEEDS = 5  # below it, an interval over seeds is wide enough to say so


def cut_short(folder: Path) -> Iterator[str]:
    """Seeds that were planned for the hours, and for which there was no time."""
    limit = None
    with suppress(InputError):  # a file that cannot be read is told elsewhere
        limit = read_time_limit(folder)
    if limit is None or not 0 < limit.seeds < limit.planned_seeds:
        return
    left = counted(limit.seeds, "seed")
    harm = (
        f"{left} can hardly show a difference"
        if limit.seeds < LEAST_SEEDS
        else "intervals are wider than planned"
    )
    yield (
        f"The time limit cut the seeds from {limit.planned_seeds} to {limit.seeds}: {harm}. The "
        "same command with more --hours trains the others."
    )


def incomplete(damaged: Sequence[str], pending: int, what: str, brief: bool) -> Iterator[str]:
    """Files that cannot be read, which the full page names elsewhere, and what has not ended."""
    count = len(damaged)
    if brief and damaged:
        yield f"{count} file{'s' * (count > 1)} could not be read: --all says which."
    if pending:
        have = f"{what} has" if pending == 1 else f"{what}s have"
        yield f"{pending} {have} not ended: this is not a final result."


def unlike(what: str, names: Sequence[str]) -> Iterator[str]:
    """Rows or arms that differ in more than they should."""
    if names:
        yield f"{what} differ in their {', '.join(names)}, not in their blocks alone."


def in_parts(names: str) -> Iterator[str]:
    """Rows or arms whose networks have batch norm and were trained in micro-batches."""
    if names:
        yield (
            f"Memory ran out, so batch norm took its statistics over micro-batches, not over whole "
            f"batches, in {names}: not their blocks alone differ."
        )


def not_judged(young: str, unknown: Iterable[str], lost: str) -> Iterator[str]:
    """What no conclusion speaks of, by its names; which may be young is said by sentences."""
    if young:
        yield (
            f"Still improving when training ended, so left out: {young}. Train longer "
            "(recipe.epochs)."
        )
    yield from unknown
    if lost:
        yield f"Not every seed completed, and a mean of survivors flatters, so left out: {lost}."


def wide_doubt(seeds: int, lucky: str, level: float, brief: bool) -> Iterator[str]:
    """Few seeds, skewed luck near the ceiling, and looks, of which the full page tells more."""
    if 2 <= seeds < FEW_SEEDS:
        scale = " (one over seeds alone may hold every possible difference)" if seeds == 2 else ""
        yield f"{seeds} seeds give wide intervals{scale}; {FEW_SEEDS} are the least for a claim."
    if lucky:
        yield f"Of {lucky}, {CAUTION}."
    if brief and level < LEVEL:
        yield f"Several looks were taken: tests are held to {100 * level:.3g}%."

"""Costs on the leaderboard: which have a column, and which rows no other beats in all of them."""

from collections.abc import Sequence

from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.row import Row
from search.statistics.formatting import count_text, seconds_text, share_text
from search.study.pareto import Direction, front

FEW = 2  # more costs searched against leave no room for something else
TRAIN, FRESH = "train", "fresh"  # shown beside the costs of a network, none themselves
HEADS = {
    "parameters": "params",
    "macs": "MACs",
    "activations": "activ-\nations",
    "latency": "latency\n(ms)",
    "memory": "memory\n(MiB)",
    TRAIN: "train",
    FRESH: "fresh",
}
_FIELDS = {"latency": "latency_ms", "memory": "peak_memory_mb"}


def shown_costs(board: Leaderboard, wide: bool) -> list[str]:
    """Costs with a column: those searched against always, others where there is room."""
    usual = ("parameters", "macs") if wide else () if board.against else ("parameters",)
    time = (TRAIN,) if wide and len(board.against) <= FEW else ()
    fresh = (FRESH,) if wide and board.starts else ()  # from what a row's weights began
    return list(dict.fromkeys((*usual, *board.against, *time, *fresh)))


def cost_text(row: Row, name: str) -> str:
    """One cost of a row in few characters."""
    if name == TRAIN:
        return seconds_text(row.train_seconds)
    if name == FRESH:
        return "" if row.fresh is None else share_text(row.fresh)
    cost = _cost(row, name)
    if name != "latency" or cost is None:
        return count_text(cost)
    low, high = row.latency_low, row.latency_high
    return f"{cost:.3g}" if low is None or high is None else f"{cost:.3g} [{low:.3g}, {high:.3g}]"


def on_front(board: Leaderboard, rows: Sequence[Row]) -> list[Row]:
    """Rows that no other beats in validation and all costs searched against; none without such."""
    if not board.against:
        return []
    points = [(r.validation_mean, *(_cost(r, name) for name in board.against)) for r in rows]
    costs: list[Direction] = ["min"] * len(board.against)
    return [rows[place] for place in front(points, [board.mode, *costs])]


def _cost(row: Row, name: str) -> float | None:
    cost: float | None = getattr(row, _FIELDS.get(name, name))
    return cost

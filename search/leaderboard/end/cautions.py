"""The cautions that matter most for a study, in a fixed order, of which the end page shows three.

A caution's place is what it can do to the answer. Those that hold are shown in this order:

1. figures are incomplete: files cannot be read, or runs have not ended;
2. rows are not alike: other images, splits or code;
3. rows may not be judged: still improving when training ended, too few epochs to tell, lost seeds;
4. the search found nothing: its best is not shown better than random candidates;
5. size may explain a gain: a row that is ahead costs more, and no control of its size is behind it;
6. the doubt is wide or understated: few seeds, skewed luck near the ceiling, unplanned looks, seeds
   without images;
7. the score is flattered: the test split was read by others, or the validation images that chose
   the finalists judged them again;
8. a cost is not a finding: latency that was not measured in turn.

All cautions, and these in more words, are sentences of the full page.
"""

from collections.abc import Iterator
from itertools import islice

from search.leaderboard.board import Leaderboard
from search.leaderboard.cautions import DIFFERENCES, FEW_SEEDS, differ, luck_of
from search.leaderboard.chance import gain_on_chance
from search.leaderboard.end.answer import base_of, named, usable
from search.leaderboard.end.wording import NAMED, listed
from search.leaderboard.rows.controls import SIZE
from search.leaderboard.rows.row import Row
from search.statistics.formatting import interval_text, points, unit
from search.statistics.looks import LEVEL
from search.statistics.undertraining import FEWEST_EPOCHS

SHOWN = 3
_COSTLIER = 1.1  # times the MACs


def top_cautions(board: Leaderboard) -> list[str]:
    """The first three that hold."""
    return list(islice(_in_order(board), SHOWN))


def _in_order(board: Leaderboard) -> Iterator[str]:
    final = [row for row in board.rows if row.fidelity == "final"]
    yield from _incomplete(board)
    unlike = [what for name, what in DIFFERENCES.items() if differ(board, name)]
    if unlike:
        yield f"Rows differ in their {' and '.join(unlike)}, not in their blocks alone."
    yield from _not_to_be_judged(final)
    yield from _chance(board)
    yield from _size(board)
    yield from _doubt(board, final)
    yield from _flattered(board)
    if "latency" in board.against and any(row.latency_ms is not None for row in board.rows):
        yield "Latencies were not measured in turn: their differences are not a finding."


def _incomplete(board: Leaderboard) -> Iterator[str]:
    if board.damaged:
        count = len(board.damaged)
        yield f"{count} file{'s' * (count > 1)} could not be read: --all says which."
    if board.pending:
        runs = "run has" if board.pending == 1 else "runs have"
        yield f"{board.pending} {runs} not ended: this is not a final result."


def _not_to_be_judged(final: list[Row]) -> Iterator[str]:
    young = [row for row in final if row.undertrained]
    if young:
        some = _some(young)
        yield f"Still improving at the end, so left out: {some}. Train longer (recipe.epochs)."
    unknown = [row for row in final if row.undertrained is None and row.seeds]
    if any(row.epochs < FEWEST_EPOCHS for row in unknown):
        yield f"Below {FEWEST_EPOCHS} epochs nobody can tell whether training had ended."
    elif unknown:
        yield f"Nobody can tell whether training had ended of {_some(unknown)}."
    lost = [row for row in final if row.seeds < row.seeds_asked]
    if lost:
        yield f"Seeds were lost, so left out: {_some(lost)}."


def _chance(board: Leaderboard) -> Iterator[str]:
    found = gain_on_chance(board)
    if found is None or found.low is None or found.high is None:
        return
    sign = 1 if board.mode == "max" else -1
    if min(sign * found.low, sign * found.high) > 0:
        return
    size = f"{points(found.mean, board.monitor)}{unit(board.monitor)}"
    span = interval_text(found.low, found.high, board.monitor)
    yield f"The search is not shown to beat random candidates: {size} {span}."


def _size(board: Leaderboard) -> Iterator[str]:
    """Rows that are ahead and cost more, unless a control of their size is shown behind them."""
    base = base_of(board)
    if base is None or board.matched or not base.macs:
        return
    ahead = {q.row for q in board.questions if q.against == base.keys and q.verdict == "ahead"}
    answered = {q.row for q in board.questions if q.cause == SIZE and q.verdict == "ahead"}
    costly = [
        row
        for row in board.rows
        if row.keys in ahead - answered and usable(row) and (row.macs or 0) > _COSTLIER * base.macs
    ]
    if costly:
        times = listed(f"{(r.macs or 0) / base.macs:.1f}" for r in costly[:NAMED])
        yield (
            f"{_some(costly)}: {times} times the MACs of {named(base)}, so size may explain "
            f"{'its' if len(costly) == 1 else 'their'} gain."
        )


def _doubt(board: Leaderboard, final: list[Row]) -> Iterator[str]:
    seeds = min((row.seeds for row in final if row.seeds >= 2), default=0)
    if 2 <= seeds < FEW_SEEDS:
        yield f"{seeds} seeds give wide intervals; {FEW_SEEDS} are the least for a claim."
    lucky = luck_of(board, final)
    if lucky:
        yield (
            f"Near the ceiling the luck of seeds is skewed, so that 95% may cover 80 to 92%: "
            f"{_some(lucky)}."
        )
    if board.level < LEVEL:
        yield f"Several looks were taken: tests are held to {100 * board.level:.3g}%."
    compared = [row for row in final if row.difference is not None or row.is_test_reference]
    if any(row.test_covers == "seeds" for row in compared):
        yield "Comparisons speak of new seeds on these test images, not of new images."


def _flattered(board: Leaderboard) -> Iterator[str]:
    own = board.test_reads + board.reference_reads
    count = sum(board.readers.values())
    if count > own:
        yield (
            f"The test split was read {count} times, {count - own} of them by other studies or "
            "commands: what was chosen by these reads is flattered."
        )
    elif board.open_reads or board.other_reads:
        yield "These test images may have been read by others as well: --all says how often."
    if board.fresh_splits is False:
        yield "The validation images that chose the finalists judge them again: trust test more."


def _some(rows: list[Row]) -> str:
    more = f" and {len(rows) - NAMED} more" * (len(rows) > NAMED)
    return ", ".join(f"#{row.rank}" if row.rank else row.label for row in rows[:NAMED]) + more

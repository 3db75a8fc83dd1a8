"""What to be careful of in a study, in the order of what it can do to the answer.

1. figures are incomplete: a time limit cut the seeds, files cannot be read, or runs have not ended;
2. rows are not alike: other images, splits or code;
3. rows may not be judged: still improving when training ended, too few epochs to tell, lost
   seeds, out of memory;
4. the search found nothing: its best is not shown better than random candidates;
5. size may explain a gain: a row that is ahead costs more, and no control of its size is behind it;
6. the doubt is wide or understated: few seeds, skewed luck near the ceiling, unplanned looks, seeds
   without images;
7. the score is flattered: the test split was read by others, or the validation images that chose
   the finalists judged them again;
8. a cost is not a finding: latency that was not measured in turn.

The last page shows the first three that hold; the full page shows all, names every row, and counts
the readings of the test split.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from hybrid_swin.errors import few
from search.leaderboard.board import Leaderboard
from search.leaderboard.chance import gain_on_chance
from search.leaderboard.end.answer import base_of, named, usable
from search.leaderboard.end.shared_cautions import (
    MOST_CAUTIONS,
    cut_short,
    in_parts,
    incomplete,
    not_judged,
    unlike,
    wide_doubt,
)
from search.leaderboard.end.wording import NAMED, found_text, listed, more
from search.leaderboard.rows.building import VARIED
from search.leaderboard.rows.controls import SIZE
from search.leaderboard.rows.intervals import items_of
from search.leaderboard.rows.row import Row, rows_text
from search.statistics.formatting import difference_phrase, share_text
from search.statistics.skewed_luck import skewed_luck
from search.statistics.undertraining import FEWEST_EPOCHS

DIFFERENCES = {
    "data_hash": "images",
    "split_hash": "splits",
    "test_hash": "test split",
    "code_hash": "code",
}
_READERS = 4  # named
_COSTLIER = 1.1  # times the MACs
_ALIKE_FRESH = 0.02  # of the parameters


def top_cautions(board: Leaderboard) -> list[str]:
    """The first three that hold."""
    return list(islice(_in_order(board, brief=True), MOST_CAUTIONS))


def cautions(board: Leaderboard) -> list[str]:
    """All that hold."""
    return list(_in_order(board, brief=False))


def _in_order(board: Leaderboard, brief: bool) -> Iterator[str]:
    final = [row for row in board.rows if row.fidelity == "final"]
    for folder in board.folders:
        yield from cut_short(folder)
    yield from incomplete(board.damaged, board.pending, "run", brief)
    names = [f"{what} ({name})" for name, what in DIFFERENCES.items() if _differ(board, name)]
    yield from unlike("Rows", names)
    yield from in_parts(few(board.in_parts, NAMED if brief else len(board.in_parts)))
    young = _some([row for row in final if row.undertrained], brief)
    lost = _some([row for row in final if row.seeds < row.seeds_asked], brief)
    yield from not_judged(young, _unknown(final, brief), lost)
    yield from _too_large(board, brief)
    yield from _fresh(final)
    if brief:  # the full page has the numbers of it
        yield from _chance(board)
    yield from _size(board, brief)
    yield from _doubt(board, final, brief)
    yield from _flattered(board) if brief else _readings(board)
    if "latency" in board.against and any(row.latency_ms is not None for row in board.rows):
        yield (
            "Latencies were not measured in turn, so their differences are not a finding: "
            "`python search.py cost --measure` measures variants in turn."
        )


def _differ(board: Leaderboard, name: str) -> bool:
    """Whether rows that are compared differ in what one of their hashes is of.

    Finalists validate on images drawn anew, and have the search's test images. Trials that a rung
    of images stopped have learnt from fewer, and have no rank.
    """
    by_kind: dict[str, set[str]] = {}
    for row in board.rows:
        if row.rank or row.fidelity != "search":
            kind = row.fidelity if name == "split_hash" else ""
            by_kind.setdefault(kind, set()).add(getattr(row, name))
    return any(len(hashes - {"", VARIED}) > 1 for hashes in by_kind.values())


def _too_large(board: Leaderboard, brief: bool) -> Iterator[str]:
    """Rows whose training ran out of memory."""
    rows = {  # a baseline's runs are two rows
        row.candidate_id: row
        for row in board.rows
        if row.state == "infeasible" and row.fidelity in ("search", "final")
    }
    if rows:
        yield (
            f"Ran out of memory, also with half the images at once, so infeasible here: "
            f"{_some([*rows.values()], brief)}. A smaller recipe.batch_size, or workers.devices 2, "
            "needs less."
        )


def _fresh(final: Sequence[Row]) -> Iterator[str]:
    """Rows of which unlike shares did not come from the file of first weights."""
    if all(row.fresh is None for row in final):
        return
    rows = sorted(final, key=_share_fresh)
    least, most = rows[0], rows[-1]
    low, high = _share_fresh(least), _share_fresh(most)
    if high - low < _ALIKE_FRESH:
        return
    yield (
        f"Rows did not start alike: of {named(least)} {share_text(low)} of its parameters began "
        f"fresh, of {named(most)} {share_text(high)}, the rest from the file. A row with much "
        "fresh may gain, or lose, by that alone."
    )


def _share_fresh(row: Row) -> float:
    """All of a row that started from no file."""
    return 1.0 if row.fresh is None else row.fresh


def _unknown(final: Sequence[Row], brief: bool) -> Iterator[str]:
    """Rows of which it cannot be told whether training had ended."""
    unknown = [row for row in final if row.undertrained is None and row.seeds]
    short = [row for row in unknown if row.epochs < FEWEST_EPOCHS]
    blind = [row for row in unknown if row.epochs >= FEWEST_EPOCHS]
    whys = f"Below {FEWEST_EPOCHS} epochs", "Without a finite score of every last epoch"
    for why, rows in zip(whys, (short, blind), strict=True):
        if rows:
            yield f"{why} nobody can tell whether training had ended: {_some(rows, brief)}."


def _chance(board: Leaderboard) -> Iterator[str]:
    gain = gain_on_chance(board)
    if gain is None or gain.low is None or gain.high is None:
        return
    sign = 1 if board.mode == "max" else -1
    if min(sign * gain.low, sign * gain.high) > 0:
        return
    size = difference_phrase(gain.mean, gain.low, gain.high, board.monitor)
    yield f"The search is not shown to beat random candidates: {size}."


def _size(board: Leaderboard, brief: bool) -> Iterator[str]:
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
            f"{_some(costly, brief)}: {times} times the MACs of {named(base)}, so size may explain "
            f"{'its' if len(costly) == 1 else 'their'} gain."
        )


def _doubt(board: Leaderboard, final: Sequence[Row], brief: bool) -> Iterator[str]:
    seeds = min((row.seeds for row in final if row.seeds >= 2), default=0)
    compared = [row for row in final if row.difference is not None or row.is_test_reference]
    lucky = [
        row
        for row in compared
        if skewed_luck(row.test_scores, items_of(board.monitor, row.test_items) or 0)
    ]
    yield from wide_doubt(seeds, _some(lucky, brief), board.level, brief)
    if not brief:
        yield from _missed(board, final)
    if any(row.test_covers == "seeds" for row in compared):
        yield (
            "Comparisons on test are over seeds where it is not known which images were right, or "
            "the score is not a share of images: these speak of new seeds on these images, not of "
            "new images."
        )


def _missed(board: Leaderboard, final: Sequence[Row]) -> Iterator[str]:
    """How small a difference would have been found."""
    tested_rows = [row for row in final if row.difference_detectable is not None]
    if not tested_rows:
        return
    size = found_text([row.difference_detectable or 0.0 for row in tested_rows], board.monitor)
    count = sum(row.difference is not None for row in final)
    over = "the scatter over seeds"
    covers = {row.test_covers for row in tested_rows}
    if covers == {"seeds and images"}:
        over += " and the test images"
    elif covers == {"seeds and groups of images"}:
        over += " and the groups of test images"
    together = f", {count} asked at once," if count > 1 else ""
    what = f"a true difference from row R{together} of {size} would be found on test four times"
    if not size:
        what = "any difference from row R would be missed on test more than one time"
    yield f"By {over}, {what} in five."


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
    imported = [row for row in board.rows if row.fidelity == "final" and row.imported_from]
    if imported:
        was = "was" if len(imported) == 1 else "were"
        yield (
            f"{_some(imported, brief=True)} {was} imported, so the search did not find "
            f"{'it' if len(imported) == 1 else 'them'}: --all says from where."
        )
    if board.fresh_splits is False:
        yield "The validation images that chose the finalists judge them again: trust test more."


def _readings(board: Leaderboard) -> Iterator[str]:
    if board.test_reads:
        by = "once for each run with fresh seeds"
        if board.reference_reads:
            by = f"once for each of {board.test_reads} runs with fresh seeds and "
            by += f"{_times(board.reference_reads)} for references"
        count = _times(board.test_reads + board.reference_reads)
        yield f"Test was read {count}, {by}; its scores choose and order nothing here."
    if board.readers:
        names = few((f"{times} by {name}" for name, times in board.readers.items()), _READERS)
        yield (
            f"This test split has been read {_times(sum(board.readers.values()))} in all ({names}):"
            " whatever was chosen in the light of it is flattered by it."
        )
    if board.open_reads:
        yield (
            f"It may have been read {_times(board.open_reads)} more: so many readings were begun, "
            "and a kill left unknown whether they happened."
        )
    if board.other_reads:
        yield (
            f"Other test splits of the same images have been read {_times(board.other_reads)} as "
            "well: as far as they have images in common, these count too."
        )


def _some(rows: Sequence[Row], brief: bool) -> str:
    """Rows by number, the first few; in full all of them, with their labels where they are few."""
    if not brief:
        return rows_text(rows)
    return ", ".join(f"#{r.rank}" if r.rank else r.label for r in rows[:NAMED]) + more(rows)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

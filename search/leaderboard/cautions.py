"""What to be careful of on a leaderboard: readings of the test split, few seeds, unequal rows."""

import math
from collections.abc import Sequence
from statistics import median

from hybrid_swin.training.metric_facts import bounds_of
from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.building import VARIED
from search.leaderboard.rows.intervals import items_of
from search.leaderboard.rows.row import Row, rows_text
from search.statistics.formatting import is_share, score_text
from search.statistics.skewed_luck import CAUTION, skewed_luck
from search.statistics.undertraining import FEWEST_EPOCHS

DIFFERENCES = {
    "data_hash": "images",
    "split_hash": "splits",
    "test_hash": "test split",
    "code_hash": "code",
}
READERS = 4  # named
FEW_SEEDS = 5  # below it, an interval over seeds is wide enough to say so


def cautions(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """Sentences on how far the retrained rows can be trusted."""
    return [*_reading(board), *_seeds(board, final), *_rows(board, final)]


def _reading(board: Leaderboard) -> list[str]:
    said = []
    if board.test_reads:
        said.append(
            f"Test was read {_times(board.test_reads)}, once for each run with fresh seeds"
            + (
                f" (and {_times(board.reference_reads)} for references)"
                * bool(board.reference_reads)
            )
            + "; its scores choose and order nothing here."
        )
    if board.readers:
        count, readers = sum(board.readers.values()), list(board.readers)
        names = ", ".join(f"{board.readers[name]} by {name}" for name in readers[:READERS])
        names += f" and {len(readers) - READERS} more" * (len(readers) > READERS)
        said.append(
            f"This test split has been read {_times(count)} in all ({names}): whatever was chosen "
            "in the light of it is flattered by it."
        )
    if board.open_reads:
        said.append(
            f"It may have been read {_times(board.open_reads)} more: so many readings were begun, "
            "and a kill left unknown whether they happened."
        )
    if board.other_reads:
        said.append(
            f"Other test splits of the same images have been read {_times(board.other_reads)} as "
            "well: as far as they have images in common, these count too."
        )
    return said


def _seeds(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    said = []
    seeds = min((row.seeds for row in final if row.seeds >= 2), default=0)
    if 2 <= seeds < FEW_SEEDS:
        said.append(f"{seeds} seeds give wide intervals; 5 are the least for a claim.")
    found = [row for row in final if row.difference_detectable is not None]
    if found:
        least = median(row.difference_detectable or 0.0 for row in found)
        asked = sum(row.difference is not None for row in final)
        unit = " points" if is_share(board.monitor) else ""
        over = "the scatter over seeds"
        if all(row.test_covers == "seeds and images" for row in found):
            over += " and the test images"
        together = f", {asked} asked at once," if asked > 1 else ""
        what = f"a true difference{together} below about {score_text(least, board.monitor)}{unit}"
        low, high = bounds_of(board.monitor) or (0.0, math.inf)
        if least >= high - low:
            what = "any difference"
        said.append(f"By {over}, {what} would be missed on test more than one time in five.")
    compared = [row for row in final if row.difference is not None or row.is_test_reference]
    if any(row.test_covers == "seeds" for row in compared):
        said.append(
            "Comparisons on test are over seeds where it is not known which images were right, or "
            "the score is not a share of images: these speak of new seeds on these images, not of "
            "new images."
        )
    luck = luck_of(board, final)
    if luck:
        said.append(f"Of {rows_text(luck)}, {CAUTION}.")
    return said


def luck_of(board: Leaderboard, final: Sequence[Row]) -> list[Row]:
    """Compared rows near the ceiling, whose seeds differ more than intervals can know."""
    compared = [row for row in final if row.difference is not None or row.is_test_reference]
    return [row for row in compared if skewed_luck(row.test_scores, _images(row, board))]


def _images(row: Row, board: Leaderboard) -> int:
    return items_of(board.monitor, row.test_images) or 0


def _rows(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    said = []
    young = [row for row in final if row.undertrained]
    if young:
        said.append(
            f"Still improving when training ended, so draw no conclusion from: {rows_text(young)}."
        )
    short = [r for r in final if r.undertrained is None and r.seeds and r.epochs < FEWEST_EPOCHS]
    if short:
        said.append(
            f"Below {FEWEST_EPOCHS} epochs nobody can tell whether a row was still improving when "
            f"training ended: {rows_text(short)}."
        )
    blind = [r for r in final if r.undertrained is None and r.seeds and r.epochs >= FEWEST_EPOCHS]
    if blind:
        said.append(
            "Without a finite score of every last epoch nobody can tell whether a row was still "
            f"improving when training ended: {rows_text(blind)}."
        )
    lost = [row for row in final if row.seeds < row.seeds_asked]
    if lost:
        survivors = rows_text(lost)
        said.append(f"Not every seed completed, and a mean of survivors flatters: {survivors}.")
    said += [
        f"The rows differ in their {what} ({name}): compare with care."
        for name, what in DIFFERENCES.items()
        if differ(board, name)
    ]
    if "latency" in board.against and any(row.latency_ms is not None for row in board.rows):
        said.append(
            "Latencies were measured beside other work and not in turn: their differences are "
            "not a finding. `python search.py cost --measure` measures variants in turn."
        )
    if board.pending:
        said.append(f"{board.pending} run(s) have not ended: this is not a final result.")
    return said


def differ(board: Leaderboard, name: str) -> bool:
    """Whether rows that are compared differ in what one of their hashes is of.

    Finalists validate on images drawn anew, and have the search's test images. Trials that a rung
    of images stopped have learnt from fewer, and have no rank.
    """
    found: dict[str, set[str]] = {}
    for row in board.rows:
        if row.rank or row.fidelity != "search":
            kind = row.fidelity if name == "split_hash" else ""
            found.setdefault(kind, set()).add(getattr(row, name))
    return any(len(hashes - {"", VARIED}) > 1 for hashes in found.values())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

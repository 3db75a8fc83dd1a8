"""What the score that chose a finalist became with fresh seeds: the winner's curse."""

from collections.abc import Sequence
from statistics import fmean

from hybrid_swin.training.metric_facts import bounds_of
from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.row import Row
from search.statistics.formatting import difference_phrase, score_phrase
from search.statistics.intervals import Interval
from search.statistics.unpaired import unpaired_difference


def retraining(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """How far the chosen fell, and how much of that is the price of having been chosen.

    Fresh splits may be harder or easier for every row. Baselines, which no score chose, tell how
    much of a fall is that; what the chosen fall beyond it is the winner's curse. Where the splits
    were given, the images that flattered the chosen still validate: only the luck of a seed can be
    seen to go.
    """
    pairs = [
        (row, row.search_score, row.validation_mean)
        for row in final
        if row.search_score is not None and row.validation_mean is not None and row.seeds
    ]
    chosen = [(a, b) for row, a, b in pairs if "search" in row.chosen_by and not row.is_baseline]
    given = [(a, b) for row, a, b in pairs if row.is_baseline and "search" not in row.chosen_by]
    if not chosen:
        return []
    imported = sum("search" in row.chosen_by and bool(row.imported_from) for row, _, _ in pairs)
    if board.tried and board.tried <= len(chosen) and not imported:
        return [
            f"All {len(chosen)} candidates of the search were retrained, so that no score chose "
            f"among them; with fresh seeds they went {_from_to(chosen, board)} on validation."
        ]
    which = "the one" if len(chosen) == 1 else f"the {len(chosen)}"
    score = "the score that chose them"
    if board.against:
        score = f"the score that, with {' and '.join(board.against)}, chose them"
    text = (
        f"Retrained with fresh seeds{_images(board)}, {which} chosen by the search went "
        f"{_from_to(chosen, board, f' ({score})')} on validation"
    )
    if given:
        which = "the baseline" if len(given) == 1 else f"the {len(given)} baselines"
        text += f"; {which}, which no score chose, {_from_to(given, board)}"
    limit = ""
    if board.fresh_splits is False:
        limit = " The splits were given, so the same images validate: how far those images "
        limit += "themselves flattered the chosen cannot be seen here, test can tell."
    elif board.fresh_splits is None:
        limit = " Whether other images validated is not known: if they did not, how far the images "
        limit += "themselves flattered the chosen cannot be seen here."
    if imported:
        which = "It was" if imported == len(chosen) == 1 else f"{imported} of them {_was(imported)}"
        limit += f" {which} imported, so these validation images may have chosen "
        limit += f"{'it' if imported == 1 else 'them'} before, which flatters more."
    return [f"{text}: {_verdict(board, chosen, given)}.{limit}"]


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _images(board: Leaderboard) -> str:
    if board.fresh_splits is None:
        return ""
    return " on other validation images" if board.fresh_splits else " on the same validation images"


def _verdict(
    board: Leaderboard, chosen: Sequence[tuple[float, float]], given: Sequence[tuple[float, float]]
) -> str:
    """What may be said of the flattery, by those that nobody chose."""
    if min(len(chosen), len(given)) < 2:
        flattery = "a score chosen for being the best flatters (winner's curse)"
        if board.fresh_splits:
            flattery += ", and other images may be harder or easier"
        return f"{flattery}; two baselines and two chosen would tell how much"
    sign = 1 if board.mode == "max" else -1
    falls, of_baselines = ([sign * (a - b) for a, b in some] for some in (chosen, given))
    excess = unpaired_difference(falls, of_baselines)
    low, high = _possible(excess, sign * (_before(chosen) - _before(given)), board.monitor)
    size = difference_phrase(excess.mean, low, high, board.monitor)
    if excess.mean <= 0:
        return f"the chosen fell no more than the baselines ({size}): a winner's curse is not shown"
    if fmean(falls) <= 0:
        what = f"the chosen rose less than the baselines, a difference of {size}"
    elif fmean(of_baselines) < 0:
        what = f"the chosen fell and the baselines rose, a difference of {size}"
    else:
        what = f"the chosen fell {size} more than the baselines"
    luck = "of the seed" if board.fresh_splits is False else "of having been chosen"
    if low is not None and low > 0:
        return f"{what}, the flattery {luck} (winner's curse)"
    return f"{what}; a winner's curse is not shown"


def _before(scores: Sequence[tuple[float, float]]) -> float:
    return fmean(before for before, _ in scores)


def _possible(excess: Interval, lead: float, monitor: str) -> tuple[float | None, float | None]:
    """The interval within what can be: the scores that chose are known, those after are bounded."""
    bounds = bounds_of(monitor)
    if excess.low is None or excess.high is None or bounds is None:
        return excess.low, excess.high
    width = bounds[1] - bounds[0]
    return max(excess.low, lead - width), min(excess.high, lead + width)


def _from_to(scores: Sequence[tuple[float, float]], board: Leaderboard, note: str = "") -> str:
    before, after = (fmean(values) for values in zip(*scores, strict=True))
    return (
        f"from {score_phrase(before, board.monitor)}{note} to {score_phrase(after, board.monitor)}"
    )

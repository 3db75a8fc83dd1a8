"""What a study's best must be seen against: random candidates, a random search, no network."""

from collections.abc import Sequence

from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.against_reference import AgainstReference, Lead
from search.leaderboard.rows.intervals import Validated, differ_on_validation, pair_on_validation
from search.leaderboard.rows.row import Row
from search.statistics.best import selected_confidence
from search.statistics.formatting import (
    difference_phrase,
    interval_text,
    percent,
    points,
    range_text,
    score_phrase,
)
from search.statistics.intervals import Difference, Interval

_SHORT = 0.95  # of the cost of the search: a random search below it is not an equal
_NAMED = 3  # rows whose leads are written out


def gain_on_chance(board: Leaderboard) -> Interval | None:
    """By how much the best of the search differs from random candidates; None if unknown."""
    difference, confidence = _gain(board)
    return difference.at(confidence) if difference else None


def _gain(board: Leaderboard) -> tuple[Difference | None, float]:
    """The same, with the confidence of what was chosen among several."""
    best, mean, searched = _best_and_mean(board)
    confidence = selected_confidence(max(1, searched))
    if best is None or mean is None or min(best.seeds, mean.seeds) < 2 or board.waiting:
        return None, confidence
    sides = _with_images(best, board), _with_images(mean, board)
    return differ_on_validation(*sides, board.monitor), confidence


def _best_and_mean(board: Leaderboard) -> tuple[Row | None, Row | None, int]:
    """The best of the search, the mean of random candidates, and how many the search chose."""
    searched = [row for row in board.rows if "search" in row.chosen_by]
    mean = next((row for row in board.rows if row.fidelity == "random"), None)
    if board.studies or mean is None or mean.validation_mean is None:
        return None, None, 0
    return next((row for row in searched if row.rank), None), mean, len(searched)


def chance(board: Leaderboard) -> list[str]:
    """What no search at all would have given; each study has a chance of its own."""
    best, mean, searched = _best_and_mean(board)
    if best is None or mean is None:
        return []
    within = " within the budget" * board.budgeted
    score = score_phrase(mean.validation_mean, board.monitor)
    text = f"A random candidate{within} gets {score} on validation (mean of {mean.seeds}"
    if mean.seeds < mean.seeds_asked:
        text += f" that came to their end, of {mean.seeds_asked}, which flatters"
    if mean.validation_low is not None:
        span = range_text(mean.validation_low, mean.validation_high, board.monitor)
        text += f", 95% interval over candidates {span}"
    difference, confidence = _gain(board)
    if difference is None:
        return [f"{text})."]
    gain, of_the_best = difference.at(confidence), f", since it is the best of {searched} retrained"
    what = _covers(difference, board, "seeds and candidates")
    held = f" ({percent(confidence)}{of_the_best * (searched > 1)}; {what})"
    size = difference_phrase(gain.mean, gain.low, gain.high, board.monitor)
    held *= gain.low is not None
    return [f"{text}); the best of the search differs from that by {size}{held}."]


def random_search(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """What learning from results brought, where a random search of equal cost was asked for."""
    searched = [row for row in final if "search" in row.chosen_by and row.rank]
    drawn = [row for row in final if "random search" in row.chosen_by and row.rank]
    if board.studies or not searched or not drawn:
        return []
    one, other = searched[0], drawn[0]
    cost = " that cost as much to train"
    if board.random_cost is None:
        cost = ""  # one of the two goes on
    elif board.random_cost < _SHORT:
        cost = f" that cost {board.random_cost:.0%} as much to train (it found no further candidate"
        cost += " within the budget)" if board.budgeted else ")"
    only = "one search each: this tells of these two, not of the ways to search"
    if one is other:
        return [
            f"The best of the search, #{one.rank}, is also the best of a random search{cost}; "
            f"{only}."
        ]
    scores = [score_phrase(row.validation_mean, board.monitor) for row in (one, other)]
    text = (
        f"Of the search, the best is #{one.rank} with {scores[0]} on validation; of a random "
        f"search{cost}, #{other.rank} with {scores[1]}"
    )
    whole = one.seeds == one.seeds_asked == other.seeds == other.seeds_asked
    if whole and one.seeds >= 2 and not board.waiting:  # the same seeds
        confidence = selected_confidence(len(searched) * len(drawn))
        sides = _with_images(one, board), _with_images(other, board)
        difference = pair_on_validation(*sides, board.monitor)
        gain = difference.at(confidence)
        text += f": {difference_phrase(gain.mean, gain.low, gain.high, board.monitor)}"
        if gain.low is not None:
            own = ", since each is the best of its own" * (confidence > 0.95)
            text += f" ({percent(confidence)}{own}; {_covers(difference, board)})"
    return [f"{text}; {only}."]


def references(board: Leaderboard) -> list[str]:
    """A model without a network that does as well is the first thing to know."""
    sentences = [_against(reference, board) for reference in board.references]
    known = {reference.label for reference in board.references}
    ranked = [r for r in board.rows if r.fidelity == "final" and r.rank and r.seeds]
    sign = 1 if board.mode == "max" else -1
    for row in board.rows:
        if row.fidelity != "reference" or row.label in known or row.validation_mean is None:
            continue
        known.add(row.label)  # several studies may have the same one
        on_test = row.test_mean is not None and all(r.test_mean is not None for r in ranked)
        own = row.test_mean if on_test else row.validation_mean
        scores = [r.test_mean if on_test else r.validation_mean for r in ranked]
        higher = sum(sign * (score or 0.0) > sign * (own or 0.0) for score in scores)
        if ranked:
            other = ", which are other images for most rows" * bool(board.fresh_splits)
            where = "test" if on_test else f"validation{other}"
            sentences.append(
                f"The reference model {row.label} has {score_phrase(own, board.monitor)} on "
                f"{where}; {higher} of {len(ranked)} retrained rows have a better score, of which "
                "no test is possible."
            )
    return sentences


def _against(reference: AgainstReference, board: Leaderboard) -> str:
    sign = 1 if board.mode == "max" else -1
    better = [lead for lead in reference.leads if lead.shown and sign * lead.difference > 0]
    worse = [lead for lead in reference.leads if lead.shown and sign * lead.difference < 0]
    open_ = [lead for lead in reference.leads if not lead.shown]
    parts = {
        "shown better": better,
        "not shown different": open_,
        "shown worse": worse,
    }
    text = "; ".join(f"{what}: {_leads(some, board)}" for what, some in parts.items() if some)
    together = "Holm over the rows, intervals hold together; " if len(reference.leads) > 1 else ""
    return (
        f"On test the reference model {reference.label} gets "
        f"{score_phrase(reference.score, board.monitor)}; retrained rows against it "
        f"({together}over {reference.covers}): {text}."
    )


def _with_images(row: Row, board: Leaderboard) -> Validated:
    return row, board.validated.get(row.keys)


def _covers(difference: Difference, board: Leaderboard, what: str = "seeds") -> str:
    """What an interval of a difference on validation speaks of."""
    if difference.items:
        groups = any(row.validation_groups for row in board.rows)
        return f"over {what} and {'groups of ' * groups}images"
    if board.fresh_splits is False:
        return f"over {what}, on these validation images only"
    own = ", each with validation images of its own" if board.fresh_splits else ""
    return f"over {what}{own}"


def _leads(leads: Sequence[Lead], board: Leaderboard) -> str:
    texts = [
        f"#{lead.rank} {points(lead.difference, board.monitor)} "
        + interval_text(lead.low, lead.high, board.monitor)
        for lead in leads[:_NAMED]
    ]
    rest = ", ".join(f"#{lead.rank}" for lead in leads[_NAMED:])
    its = "its interval" if len(leads) == _NAMED + 1 else "their intervals"
    more = f" and, with {its} by --format json, {rest}" * bool(rest)
    return ", ".join(text.rstrip() for text in texts) + more

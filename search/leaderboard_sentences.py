"""What the leaderboard says in words, and no more than its numbers say."""

from collections.abc import Sequence
from statistics import fmean

from search import fidelity
from search.difference_format import interval_text, points, unit
from search.leaderboard import Leaderboard
from search.leaderboard_cautions import cautions
from search.leaderboard_costs import on_front
from search.leaderboard_format import is_share, range_text, rows_text, score_text
from search.row import Row
from search.statistics.intervals import paired_difference
from search.statistics.unpaired import unpaired_difference

_SHORT = 0.95  # of the cost of the search: a random search below it is no equal


def sentences(board: Leaderboard) -> list[str]:
    """Plain sentences: the best row, its ties, what retraining did, and what to be careful of."""
    final = [row for row in board.rows if row.fidelity == "final"]
    return [
        *_best(board),
        *_comparison(board, final),
        *_chance(board),
        *_random_search(board, final),
        *_references(board, final),
        *_retraining(board, final),
        *fidelity.sentences(board.fidelity),
        *cautions(board, final),
        *board.notes,
    ]


def _best(board: Leaderboard) -> list[str]:
    best = board.best
    if best is None:
        if not board.rows:
            return [f"No run of study {board.study!r} has ended yet."]
        return [
            "Nothing is retrained over several seeds yet: the order is of single runs, where the "
            "luckiest stands first."
        ]
    of_study = f" of study {best.study}" if best.study else ""
    text = (
        f"Best by validation: {best.label}{of_study}, {_score(best.validation_mean, board)} "
        f"(mean of {best.seeds} fresh seeds, 95% interval over seeds "
        f"{_range(best.validation_low, best.validation_high, board)})"
    )
    if best.test_mean is not None:
        text += f"; on test {_score(best.test_mean, board)}"
        if best.test_covers:
            text += f" {_range(best.test_low, best.test_high, board)} (over {best.test_covers})"
    front = on_front(board, [row for row in board.rows if row.fidelity == "final" and row.rank])
    if front:
        against = " and ".join(board.against)
        text += f"; that is by the first objective only: on the Pareto front against {against} are "
        text += ", ".join(f"#{row.rank}" for row in front)
    return [f"{text}."]


def _comparison(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """Ties and differences on test; a row may also be better there than the best by validation."""
    compared = [row for row in final if row.ties_with_best is not None]
    ties = [row for row in compared if row.ties_with_best]
    sign = 1 if board.mode == "max" else -1
    better = [r for r in compared if not r.ties_with_best and sign * (r.difference or 0) > 0]
    worse = [r for r in compared if not r.ties_with_best and sign * (r.difference or 0) < 0]
    said = []
    if ties:
        said.append(f"not shown different from it: {rows_text(ties)}")
    if worse:
        said.append(f"shown worse: {rows_text(worse)}")
    if better:
        said.append(f"shown better than it, against the order on validation: {rows_text(better)}")
    young = ""
    if board.best is not None and board.best.undertrained:
        young = f"; but #{board.best.rank}, with which they are compared, was still improving when "
        young += "training ended, so that longer training may change this"
    sentences = [f"On test (Holm, 5% over the table), {'; '.join(said)}{young}."] if said else []
    unpaired = [row for row in compared if row.difference_paired is False]
    if unpaired:
        sentences.append(
            "Compared without pairs of seeds (Welch), which shows large differences only, since "
            f"fewer than two seeds are shared with the best row: {rows_text(unpaired)}."
        )
    return sentences


def _chance(board: Leaderboard) -> list[str]:
    """What no search at all would have given; each study has a chance of its own."""
    if board.studies:
        return []
    searched = [row for row in board.rows if "search" in row.chosen_by]
    best = next((row for row in searched if row.rank), None)
    mean = next((row for row in board.rows if row.fidelity == "random"), None)
    if best is None or mean is None or mean.validation_mean is None:
        return []
    text = (
        f"A random candidate within the budget gets {_score(mean.validation_mean, board)} on "
        f"validation (mean of {mean.seeds}"
    )
    if mean.validation_low is not None:
        interval = _range(mean.validation_low, mean.validation_high, board)
        text += f", 95% interval over candidates {interval}"
    if min(best.seeds, mean.seeds) < 2:
        return [f"{text})."]
    gain = unpaired_difference(best.validation_scores, mean.validation_scores)
    span = interval_text(gain.low, gain.high, board.monitor)
    return [
        f"{text}); the best of the search differs from that by {points(gain.mean, board.monitor)}"
        f"{unit(board.monitor)} {span}, the luck of being the best of "
        f"{len(searched)} retrained included."
    ]


def _random_search(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """What learning from results brought, where a random search of equal cost was asked for."""
    searched = [row for row in final if "search" in row.chosen_by and row.rank]
    drawn = [row for row in final if "random search" in row.chosen_by and row.rank]
    if board.studies or not searched or not drawn:
        return []
    one, other = searched[0], drawn[0]
    cost = "as much to train"
    if board.random_cost is not None and board.random_cost < _SHORT:
        cost = (
            f"{board.random_cost:.0%} as much to train (it found no further candidate within the "
            "budget)"
        )
    if one is other:
        return [
            f"The best of the search, #{one.rank}, is also the best of a random search that cost "
            f"{cost}."
        ]
    text = (
        f"Of the search, the best is #{one.rank} with {_score(one.validation_mean, board)} on "
        f"validation; of a random search that cost {cost}, #{other.rank} with "
        f"{_score(other.validation_mean, board)}"
    )
    if one.seeds == one.seeds_asked == other.seeds == other.seeds_asked >= 2:  # the same seeds
        gain = paired_difference(one.validation_scores, other.validation_scores)
        span = interval_text(gain.low, gain.high, board.monitor)
        text += f": {points(gain.mean, board.monitor)}{unit(board.monitor)} {span}".rstrip()
    return [f"{text}."]


def _references(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """A model without a network that does as well is the first thing to know."""
    sign = 1 if board.mode == "max" else -1
    ranked = [row for row in final if row.rank is not None and row.validation_mean is not None]
    said = []
    references = {
        (row.label, row.validation_mean): row for row in board.rows if row.fidelity == "reference"
    }  # several studies may have the same one
    for row in references.values():
        if row.validation_mean is None or not ranked:
            continue
        # Rows have other validation images than the reference, and the same test images.
        on_test = row.test_mean is not None and all(r.test_mean is not None for r in ranked)
        split = "test" if on_test else "validation"
        own = row.test_mean if on_test else row.validation_mean
        scores = [r.test_mean if on_test else r.validation_mean for r in ranked]
        reached = sum(sign * (score or 0.0) > sign * (own or 0.0) for score in scores)
        said.append(
            f"Better on {split} than the reference {row.label} ({_score(own, board)}): "
            f"{reached} of {len(ranked)} retrained rows."
        )
    return said


def _retraining(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """What the search's own score of the chosen became with fresh seeds.

    Fresh splits may be harder or easier for every row. Baselines, which no score chose, tell how
    much of a fall is that; what the chosen fall beyond it is the price of having been chosen.
    """
    pairs = [
        (row, row.search_score, row.validation_mean)
        for row in final
        if row.search_score is not None and row.validation_mean is not None
    ]
    chosen = [(a, b) for row, a, b in pairs if "search" in row.chosen_by and not row.is_baseline]
    given = [(a, b) for row, a, b in pairs if row.is_baseline and "search" not in row.chosen_by]
    if not chosen:
        return []
    text = (
        f"Retrained with fresh seeds, the {len(chosen)} chosen by the search went "
        f"{_from_to(chosen, board, ' (the score that chose them)')} on validation"
    )
    if given:
        which = "the baseline" if len(given) == 1 else f"the {len(given)} baselines"
        text += f"; {which}, which no score chose, {_from_to(given, board)}"
    if min(len(chosen), len(given)) < 2:
        return [
            f"{text}: a score chosen for being the best flatters (winner's curse), and fresh "
            "splits may be harder or easier; two baselines and two chosen would tell them apart."
        ]
    sign = 1 if board.mode == "max" else -1
    falls, of_baselines = ([sign * (a - b) for a, b in some] for some in (chosen, given))
    excess = unpaired_difference(falls, of_baselines)
    if excess.low is None or excess.mean <= 0:
        return [f"{text}: no winner's curse shows here."]
    size = f"{points(excess.mean, board.monitor)}{unit(board.monitor)}"
    size += f" {interval_text(excess.low, excess.high, board.monitor)}"
    if excess.low > 0:
        return [f"{text}: {size} are the flattery of having been chosen (winner's curse)."]
    return [f"{text}: beyond what befell all, {size}; a winner's curse is not shown."]


def _from_to(scores: Sequence[tuple[float, float]], board: Leaderboard, note: str = "") -> str:
    before, after = (fmean(values) for values in zip(*scores, strict=True))
    return f"from {_score(before, board)}{note} to {_score(after, board)}"


def _score(value: float | None, board: Leaderboard) -> str:
    return score_text(value, board.monitor) + ("%" if is_share(board.monitor) else "")


def _range(low: float | None, high: float | None, board: Leaderboard) -> str:
    return range_text(low, high, board.monitor)

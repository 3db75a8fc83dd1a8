"""The answer of a study in one sentence, with its doubt.

It says no more than corrected tests on test images bear out: what is ahead of the first baseline,
which of those is better, what the gain is credited to, and what all of it is conditional on. A part
gets the credit for a gain only where the row is shown ahead of its control without it. Rows that
were still improving, or lost a seed, are left out.
"""

from collections.abc import Mapping, Sequence

from search.leaderboard.board import Leaderboard
from search.leaderboard.costs import on_front
from search.leaderboard.end.wording import (
    NAMED,
    Credit,
    capital,
    could_text,
    listed,
    more,
    size_text,
    tells_nothing,
)
from search.leaderboard.rows.controls import SIZE
from search.leaderboard.rows.questions import Question, first_baseline
from search.leaderboard.rows.row import Row
from search.statistics.formatting import epochs_text, images_text, points, score_text, score_unit

_LONG = 32  # characters of a label


def answer(board: Leaderboard) -> str:
    """What the study found, in one sentence."""
    for early in (_nothing_yet, _waiting):
        if sentence := early(board):
            return sentence
    clauses = [*_front(board), *_differences(board), *_references(board)]
    return f"{capital('; '.join(clauses))} ({_given(board)})."


def usable(row: Row) -> bool:
    """Whether the answer may speak of a row: no seed lost, and not still improving at the end."""
    return row.seeds == row.seeds_asked and not row.undertrained


def named(row: Row) -> str:
    """A row by its number and, if it is short, its label."""
    place = f"#{row.rank} " if row.rank else ""
    return f"{place}{row.label}" if len(row.label) <= _LONG or not place else place.strip()


def ahead_text(question: Question, monitor: str) -> str:
    """By how much the row is ahead, or behind if that is shown."""
    behind = question.verdict == "behind"
    return size_text(question.ahead, question.low, question.high, monitor, behind)


def beyond_text(question: Question, monitor: str) -> str:
    """What the row is beyond the other one: ``+5.4 [3.0, 7.8]``, with its sign."""
    size = points(question.ahead, monitor)
    if question.low is None or question.high is None:
        return size
    ends = (points(end, monitor, sign=False) for end in (question.low, question.high))
    return f"{size} [{', '.join(ends)}]"


def base_of(board: Leaderboard) -> Row | None:
    """The row that all others are asked against: the first baseline, or row R."""
    rows = [row for row in board.rows if row.fidelity == "final" and row.seeds >= 2]
    first = first_baseline(rows)
    if first is not None:
        return rows[first]
    return next((row for row in rows if row.is_test_reference), None)


def _nothing_yet(board: Leaderboard) -> str:
    if board.best is not None:
        return ""
    if not board.rows:
        return f"No run of study {board.study!r} has ended yet."
    retrained = any(row.fidelity == "final" and row.seeds for row in board.rows)
    if retrained and board.waiting:
        return ""
    if retrained:
        return (
            "Nothing is concluded: each row was retrained with one seed, which gives no interval; "
            "finalists.seeds 5 gives one."
        )
    if not any(row.rank for row in board.rows):
        states = [row.state for row in board.rows if row.fidelity in ("search", "final")]
        how = ", ".join(
            f"{states.count(state)} {state}"
            for state in ("stopped", "diverged", "infeasible", "failed")
            if state in states
        )
        return (
            f"Nothing is concluded: no run came to its end with a score{f' ({how})' * bool(how)}."
        )
    return (
        "Nothing is concluded: nothing was retrained over several seeds, and of single runs the "
        "luckiest stands first."
    )


def _waiting(board: Leaderboard) -> str:
    if not board.waiting:
        return ""
    count = (
        f"{board.pending} run{'s' * (board.pending != 1)}" if board.pending else "retrained runs"
    )
    return (
        f"Nothing is concluded yet: {count} still to come, and nothing is concluded before, so "
        "that looking early costs nothing."
    )


def _front(board: Leaderboard) -> list[str]:
    rows = on_front(board, [r for r in board.rows if r.fidelity == "final" and r.rank and r.seeds])
    if not rows:
        return []
    metric = board.monitor.rpartition("/")[2]
    against = " and ".join(board.against)
    some = f"{listed(named(row) for row in rows[:NAMED])}{more(rows)}"
    stand = "stand" if len(rows) > 1 else "stands"
    return [f"on the front of {metric} on validation against {against} {stand} {some}"]


def _differences(board: Leaderboard) -> list[str]:
    """What is ahead of the baseline and what is behind it, or what could have been found."""
    base = base_of(board)
    if base is None or not board.questions:
        return ["the only row that was retrained over several seeds is compared with no other"]
    if not usable(base):
        why = "still improving when training ended" if base.undertrained else "short of a seed"
        return [f"nothing is concluded, since {named(base)}, the row to compare with, was {why}"]
    rows = {row.keys: row for row in board.rows}
    questions = [
        (rows[q.row], q) for q in board.questions if q.against == base.keys and usable(rows[q.row])
    ]
    if not questions:
        return [
            f"nothing is concluded, since every row beside {named(base)} was still improving when "
            "training ended or lost a seed"
        ]
    ahead = [(row, q) for row, q in questions if q.verdict == "ahead"]
    behind = [(row, q) for row, q in questions if q.verdict == "behind"]
    if not ahead and not behind:
        could = _could(board, questions)
        return [f"nothing is shown to differ from {named(base)} on test: {could}"]
    clauses = []
    if ahead:
        clauses.append(f"on test, {_sized(ahead, board, 'ahead of')} {named(base)}")
        clauses += _which(board, [row for row, _ in ahead])
        clauses += _cause(board, [row for row, _ in ahead], base.keys, rows)
    else:
        clauses.append("on test, nothing is shown ahead of " + named(base))
    if behind and not ahead:
        clauses.append(f"{_sized(behind, board, 'behind it')}")
    elif behind:
        are = "is" if len(behind) == 1 else "are"
        place = f"#{base.rank}" if base.rank else base.label
        clauses.append(f"{_hash([row for row, _ in behind])} {are} behind {place}")
    return clauses


def _sized(questions: Sequence[tuple[Row, Question]], board: Leaderboard, place: str) -> str:
    """``a is ahead of``, with its size; two rows with the size of each; the first and how many."""
    row, question = questions[0]
    if len(questions) == 1:
        return f"{named(row)} is {ahead_text(question, board.monitor)} {place}"
    sizes = [f"{named(row)} ({ahead_text(q, board.monitor)})" for row, q in questions]
    some = sizes if len(questions) == 2 else [sizes[0], f"{len(questions) - 1} more"]
    return f"{listed(some)} are {place}"


def _which(board: Leaderboard, ahead: Sequence[Row]) -> list[str]:
    """Which of the rows that are ahead is better, as far as the set of the best tells."""
    if len(ahead) < 2:
        return []
    best = [row for row in board.rows if row.may_be_best]
    if len(best) == 1 and best[0].keys in {row.keys for row in ahead}:
        return [f"the best of all is shown to be {named(best[0])}"]
    inside = [row for row in ahead if row.may_be_best]
    if len(inside) < 2:
        return []
    which = "the two" if len(ahead) == 2 else "them" if len(inside) == len(ahead) else _hash(inside)
    return [f"which of {which} is better is not shown"]


def _cause(
    board: Leaderboard,
    ahead: Sequence[Row],
    base: tuple[str, ...],
    rows: Mapping[tuple[str, ...], Row],
) -> list[str]:
    """What the controls say of the gain of the first row that has any; or that none has."""
    without = []
    for row in ahead:
        controls = [  # the baseline itself, if it lacks a whole branch, says no more than the gain
            q
            for q in board.questions
            if q.row == row.keys and q.cause and q.against != base and usable(rows[q.against])
        ]
        if controls:
            return [_credit(controls, rows, board.monitor).text(named(row))]
        if not row.is_baseline or not _is_control(board, row):
            without.append(row)
    if not without:
        return []
    return [f"what the gain of {_hash(without)} is due to was not tested by a control"]


def _credit(
    controls: Sequence[Question], rows: Mapping[tuple[str, ...], Row], monitor: str
) -> Credit:
    """What a control bears out, what gets no credit, and of what nothing is known."""
    size = [q for q in controls if q.cause == SIZE]
    parts = [q for q in controls if q.cause != SIZE]
    ties = [q for q in parts if q.verdict in ("tie", "unknown")]
    wide = [q for q in ties if q.verdict == "unknown" or tells_nothing(q.low, q.high, monitor)]
    explains = any(q.verdict != "ahead" for q in size)
    return Credit(
        helps=[q.cause for q in parts if q.verdict == "ahead"],
        idle=[q.cause for q in ties if q not in wide],
        hurts=[q.cause for q in parts if q.verdict == "behind"],
        size="explains" if explains else "refuted" if size else "",
        control=named(rows[size[0].against]) if size else "",
        unknown=[q.cause for q in wide],
    )


def _is_control(board: Leaderboard, row: Row) -> bool:
    return any(q.cause and q.against == row.keys for q in board.questions)


def _could(board: Leaderboard, questions: Sequence[tuple[Row, Question]]) -> str:
    """What could have been found, where nothing was."""
    images = _images(board)
    joined = " on these" if _seeds_only(board) else " and"
    many = f"{_seeds(board)} seeds{f'{joined} {images}' * bool(images)}"
    known = [q.detectable for _, q in questions if q.detectable is not None]
    return could_text(known, many, board.monitor)


def _references(board: Leaderboard) -> list[str]:
    """A model without a network that does as well is the first thing to know."""
    clauses = []
    sign = 1 if board.mode == "max" else -1
    for reference in board.references:
        score = f"{score_text(reference.score, board.monitor)}{score_unit(board.monitor)}"
        if all(lead.shown and sign * lead.difference < 0 for lead in reference.leads):
            clauses.append(f"{reference.label} ({score}, no network) is ahead of every row")
        elif not any(lead.shown and sign * lead.difference > 0 for lead in reference.leads):
            clauses.append(f"no row is shown ahead of {reference.label} ({score}, no network)")
    return clauses


def _given(board: Leaderboard) -> str:
    """What the answer is conditional on."""
    images = _images(board)
    these = f"these {images} only" if _seeds_only(board) else images
    given = [f"{_seeds(board)} seeds", *([these] if images else []), *_training(board)]
    if board.limits:
        given.append(("at " if board.matched else "at most ") + " and ".join(board.limits))
    if board.level < 0.05:
        given.append(f"tests at {100 * board.level:.3g}%")
    return ", ".join(given)


def _training(board: Leaderboard) -> list[str]:
    """How long retrained rows were trained; nothing if unknown."""
    rows = [row for row in board.rows if row.fidelity == "final" and row.epochs_planned]
    stops = any((row.recipe or {}).get("early_stopping") for row in rows)
    text = epochs_text([row.epochs_planned for row in rows], stops)
    return [text] if text else []


def _seeds(board: Leaderboard) -> str:
    """Seeds of the rows: ``5``, or ``3 to 5``."""
    counts = [row.seeds for row in board.rows if row.fidelity == "final" and row.seeds >= 2]
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _images(board: Leaderboard) -> str:
    """The fewest test images of a row, with their groups; empty if unknown."""
    known = [row for row in board.rows if row.fidelity == "final" and row.test_images]
    fewest = min(known, key=lambda row: row.test_items, default=None)
    return images_text(fewest.test_images, fewest.test_groups) if fewest else ""


def _seeds_only(board: Leaderboard) -> bool:
    """Whether intervals of some rows are over seeds: they speak of these images, not of new ones.

    So it is for metrics that are not means over images, and where predictions are lost.
    """
    final = [row for row in board.rows if row.fidelity == "final" and row.seeds >= 2]
    return any(row.test_covers == "seeds" for row in final)


def _hash(rows: Sequence[Row]) -> str:
    return listed(f"#{row.rank}" for row in rows)

"""What the leaderboard says in words, and no more than its numbers and its design bear out.

A sentence that presumes something of the design (fresh splits, paired seeds, test answers, a
budget, several seeds, a score that selected) is conditional on it.
"""

from collections.abc import Sequence

from search.leaderboard import rung_audit as fidelity
from search.leaderboard.board import Leaderboard
from search.leaderboard.cautions import cautions
from search.leaderboard.chance import chance, random_search, references
from search.leaderboard.costs import on_front
from search.leaderboard.end.answer import base_of, beyond_text, named
from search.leaderboard.retraining import retraining
from search.leaderboard.rows.controls import SIZE
from search.leaderboard.rows.questions import Question
from search.leaderboard.rows.row import Row, rows_text
from search.statistics.formatting import percent, range_text, score_phrase
from search.study.looks import about_looks


def sentences(board: Leaderboard) -> list[str]:
    """Plain sentences: the best row, its ties, what retraining did, and what to be careful of."""
    final = [row for row in board.rows if row.fidelity == "final"]
    return [
        *_best(board),
        *_comparison(board, final),
        *_questions(board),
        *_looks(board),
        *chance(board),
        *random_search(board, final),
        *references(board),
        *retraining(board, final),
        *fidelity.sentences(board.fidelity),
        *cautions(board),
        *board.notes,
    ]


def _best(board: Leaderboard) -> list[str]:
    best = board.best
    if best is None:
        if not board.rows:
            return [f"No run of study {board.study!r} has ended yet."]
        if not any(row.rank for row in board.rows):
            return ["No run has come to its end with a score, so there is no order."]
        return [
            "Nothing is retrained over several seeds yet: the order is of single runs, where the "
            "luckiest stands first."
        ]
    confidence = percent(best.interval_confidence or 0.95)
    of_study = f" of study {best.study}" if best.study else ""
    score = score_phrase(best.validation_mean, board.monitor)
    text = f"Best by validation: {best.label}{of_study}, {score} (mean of {best.seeds} fresh seeds"
    if best.validation_low is not None:
        span = range_text(best.validation_low, best.validation_high, board.monitor)
        text += f", {confidence} interval over seeds {span}"
    text += ")"
    if best.test_mean is not None:
        text += f"; on test {score_phrase(best.test_mean, board.monitor)}"
        if best.test_covers:
            span = range_text(best.test_low, best.test_high, board.monitor)
            text += f" {span} (over {best.test_covers})"
    among = sum(row.fidelity == "final" and row.seeds >= 2 for row in board.rows)
    if not board.waiting and among > 1 and (best.validation_low is not None or best.test_covers):
        text += f"; intervals at {confidence}, since it was chosen among {among} rows"
    front = on_front(board, [row for row in board.rows if row.fidelity == "final" and row.rank])
    if front:
        against = " and ".join(board.against)
        text += f"; that is by the first objective only: on the Pareto front against {against} are "
        text += ", ".join(f"#{row.rank}" for row in front)
    return [f"{text}."]


def _comparison(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    """Which rows may be the best on test, and how each differs from row R there."""
    if board.waiting:
        several = board.best is not None
        return [
            "Retrained runs are still to come: nothing is concluded before, so that looking early "
            "costs nothing."
        ] * several
    lines = []
    inside = [row for row in final if row.may_be_best]
    if inside:
        some = "only " * (len(inside) == 1) + rows_text(inside)
        judged = sum(row.may_be_best is not None for row in final)
        every = " (no row is left out)" if len(inside) == judged else ""
        text = f"May be the best on test, a set that contains it with {percent(1 - board.level)}: "
        text += f"{some}{every}"
        if board.best is not None and board.best.may_be_best is False:
            text += "; the best by validation is not among them"
        lines.append(f"{text}.")
    return lines + _against_reference(board, final)


def _against_reference(board: Leaderboard, final: Sequence[Row]) -> list[str]:
    reference = next((row for row in final if row.is_test_reference), None)
    compared = [row for row in final if row.difference is not None]
    if reference is None or not compared:
        return []
    sign = 1 if board.mode == "max" else -1
    shown_rows = [row for row in compared if row.difference_shown]
    better = [row for row in shown_rows if sign * (row.difference or 0) > 0]
    worse = [row for row in shown_rows if sign * (row.difference or 0) < 0]
    open_ = [row for row in compared if not row.difference_shown]
    parts = {"shown better": better, "not shown different": open_, "shown worse": worse}
    text = "; ".join(f"{what}: {rows_text(rows)}" for what, rows in parts.items() if rows)
    if reference.search_score is not None:
        why = "the best by the score of the search, so chosen on other runs than those compared"
    elif reference.is_baseline:
        why = "the first baseline"
    else:
        why = "the row that was asked first"
    young = ""
    if reference.undertrained:
        young = "; but it was still improving when training ended, so that longer training may "
        young += "change this"
    level = f"Holm, {percent(board.level)} over the table"
    name = rows_text([reference])
    sentences = [f"On test against row R, {name} ({why}; {level}): {text}{young}."]
    unpaired = [row for row in compared if row.difference_paired is False]
    if unpaired:
        sentences.append(
            "Compared without pairs of seeds (Welch, all seeds of both rows), which shows large "
            f"differences only, since too few seeds are shared with row R: "
            f"{rows_text(unpaired)}."
        )
    return sentences


def _questions(board: Leaderboard) -> list[str]:
    """Every question that the answer is made from, with its interval."""
    base = base_of(board)
    if base is None or not board.questions:
        return []
    rows = {row.keys: row for row in board.rows}
    base_questions = [q for q in board.questions if q.against == base.keys]
    controls = [q for q in board.questions if q.against != base.keys]
    text = ", ".join(_question_text(q, f"#{rows[q.row].rank}", board) for q in base_questions)
    sentence = f"The answer's questions on test (Holm, {percent(board.level)} over all "
    sentence += f"{len(board.questions)}; intervals hold together): against {named(base)}, {text}"
    for q in controls:
        row, control = rows[q.row], rows[q.against]
        name = f"#{row.rank} against its control #{control.rank}"
        sentence += f"; {_question_text(q, name, board)}"
        sentence += f", which lacks its {q.cause}" if q.cause != SIZE else ", of its size"
    return [f"{sentence}."]


def _question_text(question: Question, name: str, board: Leaderboard) -> str:
    words = {"ahead": "shown ahead", "behind": "shown behind", "tie": "not shown different"}
    size = beyond_text(question, board.monitor)
    return f"{name} {size} ({words.get(question.verdict, 'not tested')})"


def _looks(board: Leaderboard) -> list[str]:
    """Planned looks, or seeds that were added after a look: said, and what it costs."""
    looked = [look.seeds for look in board.looks]
    return about_looks(board.planned_looks, looked, board.pending, "at this study")

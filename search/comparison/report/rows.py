"""The lines of a comparison's tables, as text: each arm, and below it its controls."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.statistics.formatting import (
    count_text,
    interval_text,
    is_share,
    p_text,
    points,
    range_text,
    score_text,
    shown_value,
    unit,
)

MARKS = {
    "+": "shown better",
    "-": "shown worse",
    "≈": "shown equal within the margin",
    "=": "not shown different",
    "^": "still improving when training ended: kept out of conclusions",
    "?": "too few epochs to tell whether training had ended: kept out of conclusions",
    "~": "not shown to be better than a guess",
    "v": "score of validation: test was not read",
    "!": "a seed is missing: kept out of conclusions",
    "|": "learning rate at the edge of those tried, in at least half of the seeds",
}
_KEPT_OUT = "^?!"  # marks of arms that no conclusion speaks of
_VERDICT_MARKS = {"better": "+", "worse": "-", "equal": "≈", "tie": "=", "unknown": ""}


@dataclass(frozen=True)
class Line:
    """One line of a table, as text; of a control, ``arm`` is what is taken away.

    Scores and differences have their interval behind them.
    """

    place: str
    arm: str
    cause: str = ""
    score: str = ""
    difference: str = ""
    p: str = ""
    better: str = ""
    parameters: str = ""
    macs: str = ""
    rate: str = ""
    milestone: str = ""
    marks: str = ""

    @property
    def control(self) -> bool:
        """Whether it is the difference to a control."""
        return bool(self.cause)

    @property
    def style(self) -> str:
        """Of the line in a terminal."""
        return "dim" if self.control or set(self.marks) & set(_KEPT_OUT) else ""


def lines_of(comparison: Comparison) -> list[Line]:
    """Each arm with its difference to its reference, and below it those to its controls."""
    lines = []
    many = len(comparison.matchings) > 1
    for result in comparison.results:
        place = ", ".join(filter(None, (result.cell, matched_by(result.matching) * many)))
        lines.append(_arm_line(result, comparison, place))
        for versus in result.controls:
            cells = _difference_cells(versus, comparison.monitor)
            marks = _VERDICT_MARKS[versus.verdict]
            lines.append(Line(place, versus.against, versus.cause, **cells, marks=marks))
    return lines


def heads_of(comparison: Comparison, lines: Sequence[Line]) -> dict[str, str]:
    """Columns of which there is anything to say, by the name of the line's field."""
    unit = " %" if is_share(comparison.monitor) else ""
    heads = {
        "place": "at",
        "arm": "arm",
        "score": ("test" if _any_tested(comparison) else "validation") + unit,
        "difference": f"difference ({percent(1 - comparison.level)} together)",
        "p": "p (Holm)",
        "better": "P(better)",
        "parameters": "params",
        "macs": "MACs",
        "rate": "lr",
        "milestone": _milestone_head(comparison),
        "marks": "",
    }
    empty = {name for name in ("place", "rate") if not any(getattr(x, name) for x in lines)}
    if comparison.milestone is None:
        empty.add("milestone")
    return {name: head for name, head in heads.items() if name not in empty}


def _arm_line(result: ArmResult, comparison: Comparison, place: str) -> Line:
    monitor = comparison.monitor
    mean, low, high = result.shown_score
    versus = result.versus
    marks = (
        (_VERDICT_MARKS[versus.verdict] if versus else "")
        + "^" * bool(result.undertrained)
        + "?" * (result.whole and result.undertrained is None)
        + "~" * bool(result.at_chance)
        + "v" * (mean != result.test_mean and _any_tested(comparison))
        + "!" * (result.seeds < result.seeds_asked)
        + "|" * result.rate_at_edge
    )
    return Line(
        place=place,
        arm=result.arm,
        score=f"{score_text(mean, monitor)} {range_text(low, high, monitor)}".strip(),
        **_difference_cells(versus, monitor),
        parameters=_cost(result.parameters, result.residuals.get("parameters")),
        macs=_cost(result.macs, result.residuals.get("macs")),
        rate=result.rates_text,
        milestone=_milestone(result, comparison),
        marks=marks,
    )


def _difference_cells(versus: Versus | None, monitor: str) -> dict[str, str]:
    if versus is None or versus.difference is None:
        return {}
    better = ""
    if versus.better is not None and versus.better_low is not None:
        better = f"{versus.better:.2f} [{versus.better_low:.2f}, {versus.better_high:.2f}]"
    size, span = points(versus.difference, monitor), interval_text(versus.low, versus.high, monitor)
    return {
        "difference": f"{size} {span}".strip(),
        "p": p_text(versus.holm_p),
        "better": better,
    }


def _cost(count: int | None, residual: float | None) -> str:
    return count_text(count) + ("" if residual is None else f" {residual:+.1%}")


def _milestone(result: ArmResult, comparison: Comparison) -> str:
    if comparison.milestone is None or result.unsolved is None:
        return ""
    duration = result.milestone_steps if _in_steps(comparison) else result.milestone_epochs
    solved = result.seeds - result.unsolved
    text = format(duration, "g") if duration is not None else "-" if solved else "never"
    return f"{text} ({solved}/{result.seeds})"


def _milestone_head(comparison: Comparison) -> str:
    what = "steps" if _in_steps(comparison) else "epochs"
    goal = score_text(comparison.milestone, comparison.monitor)
    return f"{what} to {goal}{'%' * is_share(comparison.monitor)}"


def _in_steps(comparison: Comparison) -> bool:
    """Whether steps are known wherever epochs are."""
    reached = [r for r in comparison.results if r.milestone_epochs is not None]
    return bool(reached) and all(r.milestone_steps is not None for r in reached)


def _any_tested(comparison: Comparison) -> bool:
    """Whether the column of scores is headed as test."""
    return any(result.test_mean is not None for result in comparison.results)


def percent(level: float) -> str:
    """A level in few digits: 5%, 1.77%."""
    return f"{100 * level:.3g}%"


def margin_text(comparison: Comparison) -> str:
    """The margin within which arms count as equal, in words; empty where that is not asked."""
    if comparison.equivalence is None:
        return ""
    margin = shown_value(comparison.equivalence, comparison.monitor)
    return f"{margin:g}{unit(comparison.monitor)}"


def primary_text(comparison: Comparison) -> str:
    """Which question is the primary one, and what it shares with the others."""
    families = {
        (r.arm, v.against): v.family
        for r in comparison.results
        for v in (r.versus, *r.controls)
        if v is not None and v.primary
    }
    if not families:
        return ""
    (arm, against), own = next(iter(families.items()))
    level = percent(comparison.level)
    return (
        f"the primary question, {arm} against {against}, has {level} of its own; the other "
        f"{comparison.family - own} differences share another {level}"
    )


def interval_note(comparison: Comparison, better: bool) -> str:
    """What the intervals of the table hold, each or together.

    Args:
        comparison: what the table shows.
        better: whether it has the column ``P(better)``.
    """
    together = simultaneous_text(comparison)
    equal = margin_text(comparison)
    parts = [
        f"Intervals of scores{' and of P(better)' * better} hold with 95% each, those of "
        "differences with "
        f"{together}; p is adjusted by Holm",
        f"equal means within {equal}, by two one-sided tests that are adjusted alike"
        if equal
        else "",
        primary_text(comparison),
        "all given these learning rates, one choice of which served all seeds"
        if comparison.given_rates
        else "",
    ]
    return "; ".join(filter(None, parts)) + "."


def simultaneous_text(comparison: Comparison) -> str:
    """How sure the intervals of all differences are together."""
    return f"{percent(1 - comparison.level)} together (Bonferroni)"

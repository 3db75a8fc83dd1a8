"""What a comparison says in plain words, and never more than its numbers say.

A difference counts where it is shown after Holm's adjustment over the whole comparison. A cause is
credited only where an arm beats the control that lacks nothing but it. Arms that were still
improving, or lost a seed, are named and kept out.
"""

from collections.abc import Sequence

from search.comparison.design.arms import SIZE
from search.comparison.report.claims import claim_sentences
from search.comparison.report.effects import effects_conclusions
from search.comparison.report.rows import margin_text, primary_text
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.cost_conclusions import cost_conclusions, survival_conclusions
from search.comparison.results.differences import Versus
from search.comparison.results.doubts import doubt, left_out, listed, waiting
from search.comparison.results.fresh_starts import fresh_starts
from search.comparison.results.mixing import not_about_mixing
from search.comparison.results.places import arms_at
from search.leaderboard.end.shared_cautions import incomplete
from search.leaderboard.end.wording import capital, tells_nothing
from search.statistics.formatting import (
    bound_text,
    difference_phrase,
    unit,
)
from search.study.looks import about_looks

GIVEN_RATES = "Given these learning rates"  # conclusions, where one choice served all seeds
_UNEQUAL = 0.03  # share of MACs


def conclusions(comparison: Comparison) -> list[str]:
    """Plain sentences: what is better, why, at what cost, how sure, and what to be careful of."""
    pending = incomplete((), comparison.pending, "training", brief=False)
    if max((result.seeds for result in comparison.results), default=0) < 2:
        return [
            *pending,
            *left_out(comparison),
            "No arm has two completed trainings over seeds: a single one gives no interval, so "
            "nothing is concluded.",
        ]
    concluded = [
        *_differences(comparison),
        *_causes(comparison),
        *survival_conclusions(comparison),
        *effects_conclusions(comparison),
    ]
    if comparison.given_rates:
        concluded = [f"{GIVEN_RATES}: {sentence}" for sentence in concluded]
    return [
        *pending,
        *about_looks(comparison.planned, comparison.looked, comparison.pending),
        *waiting(comparison),
        *not_about_mixing(comparison),
        *left_out(comparison),
        *claim_sentences(comparison),
        *_primary(comparison),
        *concluded,
        *cost_conclusions(comparison),
        *fresh_starts(comparison),
        *doubt(comparison),
    ]


def _primary(comparison: Comparison) -> list[str]:
    """What the primary question costs the others."""
    text = primary_text(comparison)
    return [f"{capital(text)}."] if text else []


def _differences(comparison: Comparison) -> list[str]:
    """To each arm's reference, by cell and matching."""
    sentences = []
    places = list(dict.fromkeys((r.cell, r.matching) for r in comparison.results))
    for cell, matching in places:
        here = {r.arm: r for r in comparison.results if (r.cell, r.matching) == (cell, matching)}
        judged: dict[tuple[str, str], list[str]] = {}
        for result in here.values():
            versus = result.versus
            if versus is None or not comparison.speaks_of(result, versus):
                continue
            kind = (versus.against, versus.verdict)
            judged.setdefault(kind, []).append(f"{result.arm} ({_size(versus, comparison)})")
        parts = [
            f"{_VERDICTS[verdict].format(against, margin_text(comparison))}: {listed(arms)}"
            for verdict in _VERDICTS
            for (against, outcome), arms in judged.items()
            if outcome == verdict
        ]
        if parts:
            where, text = _where(comparison, cell, matching), "; ".join(parts)
            sentences.append(f"{where}{text if where else capital(text)}.")
        elif any(r.versus for r in here.values()):
            where = _where(comparison, cell, matching) or "So "
            sentences.append(f"{where}nothing can be concluded.")
    return sentences


_VERDICTS = {
    "better": "shown better than {}",
    "worse": "shown worse than {}",
    "equal": "shown equal to {} within {}",
    "tie": "not shown different from {}",
    "unknown": "no verdict against {}, for lack of seeds or of spread between them",
}


_STANDS = {
    "better": "is shown better than",
    "worse": "is shown worse than",
    "equal": "is shown equal to",
    "tie": "is not shown different from",
    "wide": "is not shown different from",
    "unknown": "could not be compared with",
}
_EARNS = {
    "better": "helps",
    "worse": "hurts",
    "equal": "does not matter",
    "tie": "gets no credit",
}


def _causes(comparison: Comparison) -> list[str]:
    """What an arm's controls say, one sentence per cause."""
    questions: dict[tuple[str, str, str, str], list[tuple[ArmResult, Versus]]] = {}
    uncontrolled: list[ArmResult] = []
    open_causes: dict[tuple[str, str], list[ArmResult]] = {}
    for result in comparison.results:
        if not result.usable:
            continue
        for versus in result.controls:
            if comparison.speaks_of(result, versus):
                key = (result.arm, versus.cause, versus.against, result.matching)
                questions.setdefault(key, []).append((result, versus))
            else:
                open_causes.setdefault((versus.cause, versus.against), []).append(result)
        better = result.versus is not None and result.versus.verdict == "better"
        if better and not result.controls:
            uncontrolled.append(result)
    sentences = [_cause(comparison, *key, answers) for key, answers in questions.items()]
    if open_causes:
        causes = (
            f"{cause} in {name} (control: {control})"
            for (cause, control), results in open_causes.items()
            for name in arms_at(results, comparison)
        )
        sentences.append(
            f"Not known, since a control is kept out, or guesses as the arm does: {listed(causes)}."
        )
    if uncontrolled:
        sentences.append(
            f"What the gain of {listed(arms_at(uncontrolled, comparison))} is due to was not "
            "tested: there is no control for it."
        )
    return sentences


def _cause(
    comparison: Comparison,
    arm: str,
    cause: str,
    control: str,
    matching: str,
    answers: Sequence[tuple[ArmResult, Versus]],
) -> str:
    parts = []
    for verdict in _STANDS:
        cells = [(r, v) for r, v in answers if _kind(v, comparison) == verdict]
        if cells:
            sizes = [
                (f"{r.cell}: " if r.cell else "") + _size(v, comparison) + _dearer(r, v, comparison)
                for r, v in cells
            ]
            gained = all(r.versus is not None and r.versus.verdict == "better" for r, _ in cells)
            credit = _credit(verdict, arm, cause, control, gained, margin_text(comparison))
            parts.append(f"{credit} ({'; '.join(sizes)})")
    where, text = _where(comparison, "", matching), "; ".join(parts)
    return f"{where}{text if where or text.startswith(arm) else capital(text)}."


def _kind(versus: Versus, comparison: Comparison) -> str:
    """Its verdict; of a tie that tells nothing ``wide``."""
    wide = tells_nothing(versus.low, versus.high, comparison.monitor)
    return "wide" if versus.verdict == "tie" and wide else versus.verdict


def _dearer(result: ArmResult, versus: Versus, comparison: Comparison) -> str:
    """What the arm costs more than its control, where their costs were not made equal."""
    if result.matching not in ("control", "none"):
        return ""
    control = next(
        r
        for r in comparison.results
        if (r.cell, r.matching, r.arm) == (result.cell, result.matching, versus.against)
    )
    if not result.macs or not control.macs or abs(result.macs / control.macs - 1) < _UNEQUAL:
        return ""
    return f"; at {result.macs / control.macs - 1:+.0%} MACs"


def _credit(verdict: str, arm: str, cause: str, control: str, gained: bool, margin: str) -> str:
    """A cause and its control, in words that hold for this verdict and no further.

    Size is asked to explain a gain only where one is shown.
    """
    standing = f"{arm} {_STANDS[verdict]} {control}"
    within = f", within {margin}" * (verdict == "equal")
    if cause == SIZE:
        if gained and verdict == "better":
            return f"{standing}, so size alone does not explain its gain"
        if gained and verdict in ("tie", "wide"):
            return f"size alone may explain the gain of {arm}: it {_STANDS['tie']} {control}"
        return f"{standing}, its control for size{within}"
    if verdict == "unknown":
        return f"what {cause} adds in {arm} is not known"
    if verdict == "wide":
        return f"what {cause} adds in {arm} is not known: it {_STANDS[verdict]} {control}"
    return f"{cause} {_EARNS[verdict]}: {standing}, which has all but that{within}"


def _size(versus: Versus, comparison: Comparison) -> str:
    """The difference with its interval; of a tie, what cannot be excluded."""
    if versus.difference is None:
        return "no shared seed"
    monitor = comparison.monitor
    if versus.verdict != "tie" or versus.low is None or versus.high is None:
        text = difference_phrase(versus.difference, versus.low, versus.high, monitor)
        if versus.verdict in ("better", "worse") and versus.within_margin:
            text += f", less than {margin_text(comparison)}"
        return text
    bound = bound_text(versus.cannot_exclude or 0.0, monitor)
    text = difference_phrase(versus.difference, None, None, monitor)
    text += f"; a difference of {bound}{unit(monitor)} cannot be excluded"
    if versus.p_value is not None and versus.p_value < versus.level:
        text += f"; alone it would count, among {versus.family} differences it does not"
    return text


def _where(comparison: Comparison, cell: str, matching: str) -> str:
    """Words before a colon; nothing where there is one place only."""
    parts = [f"at {cell}"] if cell else []
    if len(comparison.matchings) > 1:
        parts.append(matched_by(matching))
    text = ", ".join(parts)
    return f"{capital(text)}: " if text else ""

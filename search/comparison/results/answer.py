"""The answer of a comparison in one sentence, with its doubt.

What became of published differences, if there are any, is a sentence before it. Then the primary
question, if there is one; then what is ahead of its reference or behind it; what the controls
credit the gain to; and what all of it is conditional on. Arms that were still improving, lost a
seed or guess are left out, as in the conclusions.
"""

from collections.abc import Iterator, Sequence

from search.comparison.design.arms import SIZE
from search.comparison.report.claims import summary
from search.comparison.report.effects import effects_answer
from search.comparison.report.rows import margin_text
from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import LEVEL, Verdict, Versus
from search.comparison.results.places import places_of
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
from search.statistics.formatting import images_text

Question = tuple[ArmResult, Versus]


def answer(comparison: Comparison) -> str:
    """What the comparison found, in one sentence; another one before it on what was published."""
    if max((result.seeds for result in comparison.results), default=0) < 2:
        return (
            "Nothing is concluded: no arm has two completed trainings over seeds, and a single one "
            "gives no interval."
        )
    clauses = [*_primary(comparison), *_differences(comparison), *effects_answer(comparison)]
    sentence = f"{capital('; '.join(clauses))} ({_given(comparison)})."
    return f"{summary(comparison)} {sentence}".lstrip()


def _primary(comparison: Comparison) -> list[str]:
    questions = [
        (result, versus)
        for result in comparison.results
        for versus in (result.versus, *result.controls)
        if versus is not None and versus.primary
    ]
    if not questions:
        return []
    clauses = []
    for result, versus in questions[:NAMED]:
        name = f"{result.arm}{_at(comparison, result)}"
        if not comparison.speaks_of(result, versus):
            clauses.append(f"{name} against {versus.against} has no answer, since one is left out")
            continue
        size = _size(versus, comparison)
        clauses.append(
            {
                "better": f"{name} is {size} ahead of {versus.against}",
                "worse": f"{name} is {size} behind {versus.against}",
                "equal": f"{name} is shown equal to {versus.against} within "
                f"{margin_text(comparison)}",
                "tie": f"{name} is not shown to differ from {versus.against} ({size})",
                "unknown": f"{name} could not be compared with {versus.against}",
            }[versus.verdict]
        )
    return [f"the primary question: {listed(clauses)}"]


def _differences(comparison: Comparison) -> list[str]:
    """All that is not the primary question."""
    questions = [(r, v) for r, v in comparison.spoken_of if not v.primary]
    if not questions:
        if any(v.primary for _, v in comparison.spoken_of):
            return _causes(comparison)
        return [
            "nothing can be concluded: every arm, or what it is compared with, was still improving "
            "when training ended, lost a seed or guesses"
        ]
    clauses = []
    words: dict[Verdict, str] = {"better": "ahead of", "worse": "behind"}
    for verdict, word in words.items():
        for against in dict.fromkeys(v.against for _, v in questions if v.verdict == verdict):
            clauses += _standing(comparison, questions, against, verdict, word)
    for against in dict.fromkeys(v.against for _, v in questions if v.verdict == "equal"):
        equal = [(r, v) for r, v in questions if v.against == against and v.verdict == "equal"]
        names = list(dict.fromkeys(r.arm for r, _ in equal))
        are = "is" if len(names) == 1 else "are"
        clauses.append(
            f"{listed(names[:NAMED])}{more(names)} {are} shown equal to {against} within "
            f"{margin_text(comparison)}{_where(comparison, equal)}"
        )
    if not clauses:
        against = listed(list(dict.fromkeys(v.against for _, v in questions))[:NAMED])
        return [
            f"nothing is shown to differ from {against} on {_split(questions)}: "
            f"{_could(comparison)}"
        ]
    clauses[0] = f"on {_split(questions)}, {clauses[0]}"
    return [*clauses, *_causes(comparison)]


def _standing(
    comparison: Comparison, questions: Sequence[Question], against: str, verdict: Verdict, word: str
) -> list[str]:
    """Which arms are ahead of a reference (or behind it), by how much, and where."""
    by_arm: dict[str, list[Question]] = {}
    for result, versus in questions:
        if versus.against == against and versus.verdict == verdict:
            by_arm.setdefault(result.arm, []).append((result, versus))
    places = len({(r.cell, r.matching) for r, _ in questions})
    if places == 1:
        sizes = {arm: _size(some[0][1], comparison) for arm, some in by_arm.items()}
        if len(by_arm) == 1:
            ((arm, size),) = sizes.items()
            return [f"{arm} is {size} {word} {against}"]
        names = listed(f"{arm} ({size})" for arm, size in list(sizes.items())[:NAMED])
        return [f"{names}{more(list(by_arm))} are {word} {against}"]
    parts = {
        arm: f"in {len(some)} of "
        f"{sum(r.arm == arm and v.against == against for r, v in questions)} "
        f"{places_of(comparison)} ({_sizes(some, comparison)})"
        for arm, some in list(by_arm.items())[:NAMED]
    }
    if len(by_arm) == 1:
        ((arm, where),) = parts.items()
        return [f"{arm} is {word} {against} {where}"]
    names = listed(f"{arm} {where}" for arm, where in parts.items())
    return [f"{names}{more(list(by_arm))} are {word} {against}"]


def _causes(comparison: Comparison) -> list[str]:
    """What the controls say of arms that are ahead somewhere."""
    clauses, untested = [], []
    ahead = dict.fromkeys(r.arm for r, v in comparison.spoken_of if v.verdict == "better")
    for arm in ahead:
        answers = list(_control_answers(comparison, arm))
        text = _credit(comparison, answers).text(arm)
        if text:
            clauses.append(text)
        elif not _is_control(comparison, arm):
            untested.append(arm)
    if clauses:
        return clauses[:2]
    if untested:
        names = f"{listed(untested[:NAMED])}{more(untested)}"
        return [f"what the gain of {names} is due to was not tested by a control"]
    return []


def _control_answers(comparison: Comparison, arm: str) -> Iterator[Question]:
    """Controls of an arm, where the arm is ahead and all may be spoken of."""
    for result in comparison.results:
        if result.arm != arm or result.versus is None or result.versus.verdict != "better":
            continue
        for versus in result.controls:
            if comparison.speaks_of(result, versus):
                yield result, versus


def _credit(comparison: Comparison, answers: Sequence[Question]) -> Credit:
    """A part is credited where it is shown in every place; in some places is said to be so."""
    by: dict[str, list[Verdict]] = {}
    wide = set()
    for _, versus in answers:
        by.setdefault(versus.cause, []).append(versus.verdict)
        if versus.verdict == "tie" and tells_nothing(versus.low, versus.high, comparison.monitor):
            wide.add(versus.cause)
    helps, idle, equal, hurts, unknown = [], [], [], [], []
    for cause, verdicts in by.items():
        if cause == SIZE:
            continue
        better, worse = verdicts.count("better"), verdicts.count("worse")
        if better == len(verdicts):
            helps.append(cause)
        elif better:
            helps.append(f"{cause} (in {better} of {len(verdicts)})")
        elif worse:
            share = f" (in {worse} of {len(verdicts)})" * (worse < len(verdicts))
            hurts.append(f"{cause}{share}")
        elif set(verdicts) == {"equal"}:
            equal.append(cause)
        elif cause in wide or "unknown" in verdicts:
            unknown.append(cause)
        else:
            idle.append(cause)
    size = by.get(SIZE, [])
    control = next((v.against for _, v in answers if v.cause == SIZE), "")
    explains = any(verdict != "better" for verdict in size)
    return Credit(helps, idle, equal, hurts, "explains" if explains else "refuted" if size else "",
                  control, unknown)  # fmt: skip


def _is_control(comparison: Comparison, arm: str) -> bool:
    return any(v.against == arm for r in comparison.results for v in r.controls)


def _could(comparison: Comparison) -> str:
    images = _images(comparison)
    many = f"{comparison.seeds} seeds{f' and {images}' * bool(images)}"
    return could_text(comparison.detectable, many, comparison.monitor)


def _given(comparison: Comparison) -> str:
    """What the answer is conditional on."""
    given = [f"{comparison.seeds} seeds", _images(comparison), comparison.training]
    given = [*filter(None, given)]
    given.append(listed(matched_by(matching) for matching in comparison.matchings))
    if comparison.given_rates:
        given.append("given these learning rates")
    if comparison.level < LEVEL:
        given.append(f"tests at {100 * comparison.level:.3g}%")
    return ", ".join(given)


def _images(comparison: Comparison) -> str:
    """The fewest test images of an arm, with their groups; empty if unknown."""
    known = [r for r in comparison.results if r.test_images]
    fewest = min(known, key=lambda r: r.test_items, default=None)
    return images_text(fewest.test_images, fewest.test_groups) if fewest else ""


def _split(questions: Sequence[Question]) -> str:
    return listed(dict.fromkeys(v.measured_on for _, v in questions))


def _size(versus: Versus, comparison: Comparison) -> str:
    sign, ends = versus.sign, (versus.low, versus.high)
    low, high = (None if end is None else sign * end for end in ends)
    behind = versus.verdict == "worse"
    return size_text(sign * (versus.difference or 0.0), low, high, comparison.monitor, behind)


def _sizes(questions: Sequence[Question], comparison: Comparison) -> str:
    """Where and by how much; of several places from the least to the largest."""
    places = [", ".join(filter(None, (r.cell, _way(comparison, r)))) for r, _ in questions]
    sizes = sorted(abs(v.difference or 0.0) for _, v in questions)
    ends = (sizes[0], sizes[-1])
    least, most = (size_text(size, None, None, comparison.monitor) for size in ends)
    span = least if least == most else f"{least.split()[0]} to {most}"
    return f"{listed(places)}: {span}" if len(places) < NAMED else span


def _way(comparison: Comparison, result: ArmResult) -> str:
    """How its cost was matched, where there are several ways."""
    return matched_by(result.matching) if len(comparison.matchings) > 1 else ""


def _where(comparison: Comparison, questions: Sequence[Question]) -> str:
    if len({(r.cell, r.matching) for r in comparison.results}) == 1:
        return ""
    return f" in {len(questions)} {places_of(comparison)}"


def _at(comparison: Comparison, result: ArmResult) -> str:
    at = f"at {result.cell}" if result.cell else ""
    return "".join(f" {part}" for part in (at, _way(comparison, result)) if part)

"""Whether what should mix places is shown ahead of arms whose blocks mix none.

An arm of `pointwise` or `identity` blocks treats each token alone. A baseline that is not shown
ahead of it need not use its mixers, and then differences between mixers may be about anything else.
What an arm mixes is told by its block words, not by its label.
"""

from collections.abc import Iterator

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import parse
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.comparison.results.places import arms_at
from search.leaderboard.end.wording import NAMED, listed, more


def not_about_mixing(comparison: Comparison) -> Iterator[str]:
    """A sentence for each arm that mixes no places and has others not shown ahead of it."""
    behind: dict[str, list[ArmResult]] = {}
    for ahead, still, is_shown in _questions(comparison):
        mine = behind.setdefault(still, [])
        if not is_shown and ahead not in mine:
            mine.append(ahead)
    for still, results in behind.items():
        names = arms_at([r for r in comparison.results if r in results], comparison)
        if names:
            are = "is" if len(results) == 1 else "are"
            yield (
                f"{listed(names[:NAMED])}{more(names)} {are} not shown ahead of {still}, whose "
                "blocks mix no places: differences between arms may not be about mixing."
            )


def _questions(comparison: Comparison) -> Iterator[tuple[ArmResult, str, bool]]:
    """What should be ahead, of which arm that mixes no places, and whether that is shown.

    Asked of what others stand against, usually the baseline, and of arms of published differences.
    """
    places = {(r.cell, r.matching, r.arm): r for r in comparison.results}
    published = {judged.claim.arm for judged in comparison.published}
    for result in comparison.results:
        versus = result.versus
        base = places.get((result.cell, result.matching, result.against))
        if base and versus and _mixes(base) and not _mixes(result):
            yield from _answered(comparison, base, result, versus, result.arm, "worse")
        if result.arm not in published or not _mixes(result):
            continue
        for control in result.controls:
            other = places.get((result.cell, result.matching, control.against))
            if other and not _mixes(other):
                yield from _answered(comparison, result, result, control, other.arm, "better")


def _answered(
    comparison: Comparison,
    ahead: ArmResult,
    of: ArmResult,
    versus: Versus,
    still: str,
    verdict: str,
) -> Iterator[tuple[ArmResult, str, bool]]:
    """The question, once both have results; a difference that is kept out shows nothing."""
    if versus.difference is not None:
        yield ahead, still, versus.verdict == verdict and comparison.speaks_of(of, versus)


def _mixes(result: ArmResult) -> bool:
    """Whether any of its blocks mixes places; those of a plug-in that is gone are taken to."""
    try:
        return any(parse(word).mixes_places for words in result.words for word in words.split())
    except InputError:
        return True

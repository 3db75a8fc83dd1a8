"""The cautions that matter most for a comparison, in a fixed order; the end page shows three.

As for a study, a caution's place is what it can do to the answer:

1. figures are incomplete: files cannot be read, or trainings have not ended;
2. arms are not alike: other images, splits or code;
3. arms may not be judged: still improving, too few epochs to tell, lost seeds, guesses;
4. size may explain a difference: costs were not matched;
5. the doubt is wide or understated: few seeds, skewed luck near the ceiling, unplanned looks;
6. the learning rates may decide: chosen at the edge of those tried, or one choice for all seeds;
7. what the intervals cover: seeds without images, validation in place of test;
8. only one way of matching costs was tried.

All cautions, and these in more words, are sentences of the full page.
"""

from collections.abc import Iterator
from itertools import islice

from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import LEVEL
from search.comparison.results.doubts import FEW_SEEDS, luck_of
from search.leaderboard.end.cautions import SHOWN
from search.leaderboard.end.wording import NAMED, listed
from search.statistics.undertraining import FEWEST_EPOCHS


def top_cautions(comparison: Comparison) -> list[str]:
    """The first three that hold."""
    return list(islice(_in_order(comparison), SHOWN))


def _in_order(comparison: Comparison) -> Iterator[str]:
    yield from _incomplete(comparison)
    if comparison.mixed:
        yield f"Arms differ in their {listed(comparison.mixed)}, not in their blocks alone."
    yield from _not_to_be_judged(comparison)
    if "none" in comparison.matchings:
        yield "Costs were not matched, so size may explain any difference."
    yield from _doubt(comparison)
    edge = [r for r in comparison.results if r.rate_at_edge]
    if edge:
        yield f"The chosen learning rate is at the edge of those tried: {_some(edge)}."
    if comparison.given_rates:
        yield "One choice of learning rates served all seeds: another may change the result."
    yield from _coverage(comparison)
    if comparison.matchings in (("macs",), ("parameters",)):
        (only,) = comparison.matchings
        other = "parameters" if only == "macs" else "MACs"
        yield f"Costs were matched in one way: by {other} the answer may be another."


def _incomplete(comparison: Comparison) -> Iterator[str]:
    if comparison.damaged:
        count = len(comparison.damaged)
        yield f"{count} file{'s' * (count > 1)} could not be read: --all says which."
    if comparison.pending:
        trainings = "training has" if comparison.pending == 1 else "trainings have"
        yield f"{comparison.pending} {trainings} not ended: this is not a final result."


def _not_to_be_judged(comparison: Comparison) -> Iterator[str]:
    young = [r for r in comparison.results if r.undertrained]
    if young:
        some = _some(young)
        yield f"Still improving at the end, so left out: {some}. Train longer (recipe.epochs)."
    if any(r.whole and r.undertrained is None for r in comparison.results):
        yield (
            f"Below {FEWEST_EPOCHS} epochs nobody can tell whether training had ended: such arms "
            "are left out."
        )
    lost = [r for r in comparison.results if r.seeds < r.seeds_asked == r.ended]
    if lost:
        yield f"Seeds were lost, so left out: {_some(lost)}."
    guessing = [r for r in comparison.results if r.at_chance]
    if guessing:
        yield f"Not shown to be better than a guess: {_some(guessing)}."


def _doubt(comparison: Comparison) -> Iterator[str]:
    counted = (r.versus for r in comparison.results if r.versus is not None)
    seeds = min((v.seeds for v in counted if v.low is not None), default=0)
    if 2 <= seeds < FEW_SEEDS:
        yield f"{seeds} seeds give wide intervals; {FEW_SEEDS} are the least for a claim."
    lucky = luck_of(comparison)
    if lucky:
        yield (
            "Near the ceiling the luck of seeds is skewed, so that 95% may cover 80 to 92%: "
            f"{_some(lucky)}."
        )
    if comparison.level < LEVEL:
        yield f"Several looks were taken: tests are held to {100 * comparison.level:.3g}%."


def _coverage(comparison: Comparison) -> Iterator[str]:
    found = [v for r in comparison.results for v in (r.versus, *r.controls) if v is not None]
    if any(v.covers == "seeds" for v in found):
        yield "Intervals speak of new seeds on these images, not of new images."
    if any(v.measured_on == "validation" and v.seeds for v in found):
        yield "Test was not read: differences are on validation images."


def _some(found: list[ArmResult]) -> str:
    names = list(dict.fromkeys(result.arm for result in found))
    more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
    return ", ".join(names[:NAMED]) + more

"""What share of each arm's parameters started fresh beside first weights from a file."""

from collections.abc import Iterator

from search.comparison.results.comparison import Comparison
from search.statistics.formatting import share_text

_ALIKE = 0.02  # shares that differ by less say nothing of a difference between arms
_FEW = 6  # arms that are named with their share


def fresh_starts(comparison: Comparison, brief: bool = False) -> Iterator[str]:
    """What arms had to learn from nothing, and what that means for their differences.

    A trained part and a fresh one do not learn alike in a short training, so an arm is fairly
    compared with a control that has as much fresh. With ``brief`` it is said only where arms
    differ.
    """
    shares = {result.arm: result.fresh for result in comparison.results if result.fresh is not None}
    if not shares:
        return
    spread = max(shares.values()) - min(shares.values())
    if brief and spread < _ALIKE:
        return
    named = [f"{arm} {share_text(share)}" for arm, share in shares.items()]
    if len(named) > _FEW:
        named = [f"from {share_text(min(shares.values()))} to {share_text(max(shares.values()))}"]
    text = f"Of the parameters, so much started fresh, the rest from the file: {', '.join(named)}."
    if spread >= _ALIKE:
        text += (
            " Fresh parts learn otherwise than trained ones, so only a difference to an arm with "
            "about as much fresh, such as the control of equal cost, is one between mixers."
        )
    yield text

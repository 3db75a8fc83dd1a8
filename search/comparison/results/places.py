"""How sentences name arms: with the cell and the way of matching that are meant."""

from collections.abc import Sequence

from search.comparison.results.arm_result import ArmResult, matched_by
from search.comparison.results.comparison import Comparison


def arms_at(results: Sequence[ArmResult], comparison: Comparison) -> list[str]:
    """Arms with the places that are meant: ``+conv at stem=conv``, ``+conv in all 4 cells``."""
    names = []
    for arm in dict.fromkeys(result.arm for result in results):
        mine = [result for result in results if result.arm == arm]
        count = sum(result.arm == arm for result in comparison.results)
        if len(mine) < count:
            names += [place(result, comparison) for result in mine]
        else:
            every = "both" if count == 2 else f"all {count}"
            names.append(f"{arm} in {every} {places_of(comparison)}" if count > 1 else arm)
    return list(dict.fromkeys(names))


def places_of(comparison: Comparison) -> str:
    """What the lines of a table are beside their arms."""
    cells = len({result.cell for result in comparison.results}) > 1
    ways = len(comparison.matchings) > 1
    return (
        "cells" if not ways else "ways of matching" if not cells else "cells and ways of matching"
    )


def place(result: ArmResult, comparison: Comparison) -> str:
    """An arm with its cell, and its matching where there are several."""
    text = f"{result.arm} at {result.cell}" if result.cell else result.arm
    if len(comparison.matchings) > 1 and result.against:
        text += f" {matched_by(result.matching)}"
    return text

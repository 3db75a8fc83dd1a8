"""Whether all combinations of what was varied were tried equally often: a whole factorial.

Only then is an additive effect the mean over what stood beside it. Where some are missing, two
blocks that do more together than apart move the effects of each, however many seeds there are.
"""

from collections import Counter
from math import prod

import numpy as np

from search.comparison.attribution.design import Design


def leak(design: Design) -> str:
    """What a reader must know of a factorial that is not whole; empty where it is.

    Whole: as many combinations as the product of the numbers of levels, each equally often. How
    often does not matter where the model has a coefficient for each of them.
    """
    levels = [_levels(design, name) for name in design.crossed]
    counts = Counter(zip(*levels, strict=True))
    whole = prod(len(set(level)) for level in levels)
    names = " x ".join(design.crossed)
    together = "what these do only together leaks into the effects, and intervals do not cover it."
    if len(counts) < whole:
        return f"Only {len(counts)} of {whole} combinations of {names} were tried: {together}"
    columns = 1 + sum(design.terms[name].stop - design.terms[name].start for name in design.fitted)
    if len(set(counts.values())) > 1 and columns < whole:
        often = f"{min(counts.values())} to {max(counts.values())} times"
        return f"The combinations of {names} were tried unequally often ({often}): {together}"
    return ""


def _levels(design: Design, name: str) -> list[int]:
    """Which level each trial has, as a number: equal rows of a term's columns are one level."""
    _, codes = np.unique(design.matrix[:, design.terms[name]], axis=0, return_inverse=True)
    return [int(code) for code in codes.ravel()]

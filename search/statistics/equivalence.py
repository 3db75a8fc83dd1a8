"""Is a difference small? Not being shown different is not an answer; this is."""

from search.statistics.intervals import Difference


def equivalence_p(difference: Difference, margin: float) -> float | None:
    """P-value of "the arms differ by ``margin`` or more", by two one-sided tests.

    The larger of the two p-values of "it is at most -margin" and "it is at least margin"; below .05
    where the 90% interval lies within +-margin. It uses the standard errors that the difference's
    own test uses, of seeds and images where it covers both. None where there is no test.

    Raises:
        ValueError: a margin that is not above 0.

    Source: Schuirmann, A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
    Assessing the Equivalence of Average Bioavailability, 1987, https://doi.org/10.1007/BF01068419
    """
    if not margin > 0:
        raise ValueError(f"an equivalence margin must be above 0, got {margin}")
    above, below = difference.one_sided_p(-margin), difference.one_sided_p(margin)
    return None if above is None or below is None else max(above, 1 - below)

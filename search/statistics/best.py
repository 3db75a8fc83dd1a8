"""Which rows may be the best, and how sure we are of the one that was chosen."""

from collections.abc import Mapping

from search.statistics.intervals import Difference


def set_of_the_best(
    differences: Mapping[tuple[int, int], Difference | None],
    count: int,
    sign: int = 1,
    level: float = 0.05,
) -> tuple[bool, ...]:
    """Which of ``count`` rows may be the best: a set that contains the best with 1 - level.

    Row i leaves the set where some row j is shown better than it at the one-sided level
    level / (count - 1). The truly best row is as good as each of the others or better, so the
    chance that one of ``count - 1`` tests throws it out is at most ``level``, whatever the others
    are: no row has to be named beforehand, and the one that looks best is not a reference. Where
    two rows are equally best, each of them is in the set with that chance.

    Args:
        differences: first row minus second for pairs (i, j), in either order; what is missing, or
            None, shows nothing.
        count: how many rows.
        sign: 1 where more is better, -1 where less is.
        level: chance that the best is not in the set.

    Source: Hsu, Simultaneous Confidence Intervals for all Distances from the "Best", 1981,
    https://doi.org/10.1214/aos/1176345582 (the question); here by Bonferroni's inequality, which
    needs no equal variances.
    """
    inside = [True] * count
    for (i, j), difference in differences.items():
        better = None if difference is None else difference.one_sided_p(0.0)
        if better is None:
            continue
        winner_first = better if sign > 0 else 1 - better
        bar = level / (count - 1)
        inside[j] &= winner_first >= bar
        inside[i] &= 1 - winner_first >= bar
    return tuple(inside)


def selected_confidence(count: int, level: float = 0.05) -> float:
    """Confidence of the interval of one row that was selected among ``count``: 1 - level / count.

    The score of the one that looks best is a maximum, and misses the truth more often than a score
    that was named beforehand. At this confidence the selected interval misses it in at most
    ``level`` of selections, however the selection was made.

    Source: Benjamini and Yekutieli, False Discovery Rate-Adjusted Multiple Confidence Intervals for
    Selected Parameters, 2005, https://doi.org/10.1198/016214504000001907 (one selected of m)
    """
    return 1 - level / max(1, count)

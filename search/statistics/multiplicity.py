"""Many questions at once: Holm's adjustment, simultaneous intervals, one question before others."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: p_(k) becomes max over j <= k of (m - j) p_(j).

    Places j and k are counted from 0; no value is above 1.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    m = len(p_values)
    adjusted = [0.0] * m
    largest = 0.0
    for j, index in enumerate(sorted(range(m), key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, (m - j) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def holm_with_missing(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjusted p-values; one that is missing counts as 1, and stays missing.

    So the family is all that was asked: it does not shrink with what is pending or broke.
    """
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return tuple(None if p is None else a for p, a in zip(p_values, adjusted, strict=True))


def simultaneous_confidence(family: int, level: float = 0.05) -> float:
    """Confidence of each of ``family`` intervals that hold together with 1 - level: Bonferroni's.

    An interval of this confidence leaves out 0 only where Holm's test rejects, so that interval
    and verdict do not contradict each other; Holm may reject a little more.
    """
    return 1 - level / max(1, family)

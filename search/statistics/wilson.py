"""Wilson's interval of a share, for counts that are not whole numbers. Imports no scipy: quick."""

import math


def wilson(p: float, k: float) -> tuple[float, float]:
    """All shares p' with |p - p'| <= sqrt(k p' (1 - p')), k = t*^2 / n: within [0, 1] by itself.

    For an effective count n that is not a whole number; scipy's takes counts only.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927,
    https://doi.org/10.2307/2276774
    """
    centre = (p + k / 2) / (1 + k)
    half = math.sqrt(max(0.0, p * (1 - p)) * k + k * k / 4) / (1 + k)
    return (0.0 if p <= 0 else centre - half), (1.0 if p >= 1 else centre + half)

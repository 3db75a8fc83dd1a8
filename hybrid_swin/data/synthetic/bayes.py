"""The best accuracy that anything can have on the reach task, whose truth is known."""

import numpy as np

from hybrid_swin.errors import InputError


def constellation_accuracy(bits: int, flip: float) -> float:
    """Best possible accuracy on the reach task, without pixel noise.

    A bit's four cells fit, up to the sign of the bit, one class, the other, or neither:

        p+ = (1 - ε)⁴ + ε⁴    p- = 2 ε² (1 - ε)²    p0 = 1 - p+ - p-

    With S the sum of so many independent steps of +1, -1 or 0, the best guess is the sign of S, and

        accuracy = P(S > 0) + P(S = 0) / 2

    Args:
        bits: evidence in an image, s² M.
        flip: probability ε with which a cell shows the other bit.

    Raises:
        InputError: fewer than one bit, or a flip outside 0 to 1.
    """
    if bits < 1:
        raise InputError(f"bits must be at least 1; got {bits}")
    if not 0 <= flip <= 1:
        raise InputError(f"flip must be a probability from 0 to 1; got {flip}")
    fits = (1 - flip) ** 4 + flip**4
    misleads = 2 * flip**2 * (1 - flip) ** 2
    step = np.array([misleads, 1 - fits - misleads, fits])
    law = np.ones(1)
    for _ in range(bits):
        law = np.convolve(law, step)
    return float(law[bits + 1 :].sum() + law[bits] / 2)

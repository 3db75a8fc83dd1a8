"""The best accuracy that anything can have on the tasks whose truth is known."""

from math import comb, prod

import numpy as np
from numpy.typing import NDArray

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
    _check_probability("flip", flip)
    fits = (1 - flip) ** 4 + flip**4
    misleads = 2 * flip**2 * (1 - flip) ** 2
    step = np.array([misleads, 1 - fits - misleads, fits])
    law = np.ones(1)
    for _ in range(bits):
        law = np.convolve(law, step)
    return float(law[bits + 1 :].sum() + law[bits] / 2)


def context_xor_accuracy(context: int, content: int, agreement: float) -> float:
    """Best possible accuracy on context XOR, without pixel noise.

    Of n cells that each show the hidden sign with probability p, let

        e(n) = P(most show it) - P(most show the other)

    by enumeration of how many show it. The best guess is the product of the two majorities, a coin
    where one of them is a tie, and

        accuracy = 1/2 + e(context) e(content) / 2

    Args:
        context: context cells.
        content: content cells.
        agreement: probability p.

    Raises:
        InputError: a number of cells under 1, or an agreement outside 0 to 1.
    """
    for name, cells in (("context", context), ("content", content)):
        if cells < 1:
            raise InputError(f"{name} must be at least 1 cell; got {cells}")
    _check_probability("agreement", agreement)
    return 0.5 + prod(_lead(cells, agreement) for cells in (context, content)) / 2


def _lead(cells: int, p: float) -> float:
    shown = np.arange(cells + 1)
    ways = np.array([comb(cells, int(k)) for k in shown], np.float64)
    law: NDArray[np.float64] = ways * p**shown * (1 - p) ** (cells - shown)
    return float(np.sum(law * np.sign(2 * shown - cells)))


def _check_probability(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name} must be a probability from 0 to 1; got {value}")

"""Images that are the same, pixel by pixel."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def find_copies(images: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """Indices of equal images, two or more together, ordered by their first one.

    Each image is read once and known by its hash.

    Args:
        images: (N, ...).
    """
    by_hash: dict[bytes, list[int]] = {}
    for index in range(len(images)):
        data = np.ascontiguousarray(images[index]).data
        key = hashlib.blake2b(data, digest_size=16).digest()
        by_hash.setdefault(key, []).append(index)
    return tuple(np.array(group) for group in by_hash.values() if len(group) > 1)

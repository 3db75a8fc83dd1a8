"""What the tasks of known truth share: numbers by index, textures, and their three splits.

Legend of shapes: N images, n cells per side, c pixels per side of a cell, H = W = n c pixels.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages, SplitName
from hybrid_swin.errors import InputError, unknown

SPLITS: dict[SplitName, int] = {"train": 0, "validation": 1, "test": 2}

Images = tuple[NDArray[np.float32], NDArray[np.int64]]

_MOST_PIXELS = 2**32  # of all images: 16 GiB


def random_numbers(
    seed: int, split: SplitName, indices: NDArray[np.int64], uniform: int, side: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """What ``Generator(Philox(key=[(seed << 8) | split, index]))`` gives for each index.

    Neither the order of the indices nor their company matters. One generator is set anew for each
    image: making one costs several times the numbers.

    Args:
        seed: of the set, below 2**32.
        split: counted from 0 in the order train, validation, test.
        indices: (N,) images.
        uniform: numbers from 0 to 1 that come first.
        side: of a square of standard normal numbers that come next.

    Returns:
        (N, uniform) and (N, side, side).
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    bits = np.random.Philox(key=np.array([seed << 8 | SPLITS[split], 0], np.uint64))
    state, random = bits.state, np.random.Generator(bits)
    flat = np.empty((len(indices), uniform))
    noise = np.empty((len(indices), side, side), np.float32)
    key = state["state"]["key"]
    for row, index in enumerate(indices):
        key[1] = index
        bits.state = state
        random.random(out=flat[row])
        random.standard_normal(dtype=np.float32, out=noise[row])
    return flat, noise


def stripes(cell: int) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """Textures of c x c pixels of 1 and -1 that sum to 0: vertical, horizontal, checkerboard."""
    turns = np.resize(np.array([1, -1], np.int8), cell)
    vertical = np.tile(turns, (cell, 1))
    return vertical, vertical.T, vertical * vertical.T


def paint(cells: NDArray[np.int8], texture: NDArray[np.int8]) -> NDArray[np.float32]:
    """Each cell's number times the texture. (N, n, n), (c, c) -> (N, n c, n c)."""
    count, n, _ = cells.shape
    c = len(texture)
    pixels = cells[:, :, None, :, None].astype(np.float32) * texture[:, None, :]
    return pixels.reshape(count, n * c, n * c)


def gather(
    images: Callable[[SplitName, NDArray[np.int64]], Images],
    counts: Mapping[SplitName, int],
    class_names: tuple[str, ...],
) -> LabelledImages:
    """The three splits, one behind the other, with one channel."""
    parts = [images(split, np.arange(count)) for split, count in counts.items()]
    return LabelledImages(
        images=np.concatenate([part for part, _ in parts])[..., None],
        labels=np.concatenate([labels for _, labels in parts]),
        class_names=class_names,
        ids=tuple(f"{split}/{index}" for split, count in counts.items() for index in range(count)),
        splits=tuple(split for split, count in counts.items() for _ in range(count)),
    )


def split_counts(source: str, train: int, validation: int, test: int) -> dict[SplitName, int]:
    """Images of each split; raises InputError for a number that cannot be balanced."""
    counts: dict[SplitName, int] = {"train": train, "validation": validation, "test": test}
    for name, count in counts.items():
        if count < 2 or count % 2:
            raise InputError(
                f"{source}: {name} must be an even number of images of at least 2, so that the "
                f"classes are balanced; got {count}"
            )
    return counts


def check_size(source: str, side: int, counts: Mapping[SplitName, int]) -> None:
    """Raise InputError for more pixels than a machine holds."""
    images = sum(counts.values())
    if side > _MOST_PIXELS or images * side * side > _MOST_PIXELS:
        raise InputError(
            f"{source}: {images:,} images of {side:,} x {side:,} pixels are more than "
            f"{_MOST_PIXELS:,} pixels; give fewer of them, a smaller grid or smaller cells"
        )


def check_drawing(source: str, cell: int, noise: float, amplitude: float, seed: int) -> None:
    """Raise InputError for a cell, a noise, an amplitude or a seed that cannot be."""
    if cell < 2 or cell % 2:
        raise InputError(
            f"{source}: cell must be an even number of pixels of at least 2, since stripes are a "
            f"pixel wide and must sum to zero; got {cell}"
        )
    for name, value in (("noise", noise), ("amplitude", amplitude)):
        if not value >= 0:
            raise InputError(f"{source}: {name} must be a number of at least 0; got {value}")
    if not 0 <= seed < 2**32:
        raise InputError(
            f"{source}: seed must be a whole number of at least 0 and below 2**32; got {seed}"
        )

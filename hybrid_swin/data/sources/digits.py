"""Handwritten digits that come with scikit-learn: a study with nothing to download."""

from pathlib import Path
from typing import final

import numpy as np
from sklearn.datasets import load_digits

from hybrid_swin.data.sources import LabelledImages, Source, check_shape


@final
class DigitsSource(Source):
    """1,797 handwritten digits, 8 x 8 grey pixels, bundled with scikit-learn.

    Source: Optical Recognition of Handwritten Digits (test part), 1998,
    https://archive.ics.uci.edu/dataset/80. The writers are not told apart, so there are no groups.
    """

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All digits, grey values from 0 to 1."""
        bunch = load_digits()
        images = (bunch.images[..., None] / 16).astype(np.float32)  # 16 grey levels: exact
        check_shape("data source digits", images.shape[1:], image_size, in_channels)
        return LabelledImages(
            images=images,
            labels=bunch.target.astype(np.int64),
            class_names=tuple(str(name) for name in bunch.target_names),
            ids=tuple(f"digit-{index:04d}" for index in range(len(images))),
        )

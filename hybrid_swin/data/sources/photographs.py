"""Patches of photographs that come with scikit-image and scikit-learn: nothing to download."""

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hybrid_swin.data.sources import LabelledImages, Source
from hybrid_swin.data.sources._packages import file_of_package
from hybrid_swin.errors import InputError

_FILES = {  # by class, which is the photograph
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "palace": ("sklearn", "datasets/images/china.jpg"),
}
_SMALLEST, _BLOCK = 8, 2


@final
class PhotographsSource(Source):
    """Grey patches of ten photographs: from which one is a patch?

    Each photograph is cut into patches of the network's image size that do not overlap. Patches of
    2 x 2 are a group, which no split tears apart, so that a test patch has few neighbours in train.
    Each patch is scaled to its own mean and spread (three standard deviations to either side), so
    that brightness and contrast do not give the photograph away. Flat patches, such as sky, cannot
    be told apart: no network reaches 100%.

    scikit-image is in the extra ``[images]``; it is not imported, only its files are read.

    Source: https://scikit-image.org/docs/stable/api/skimage.data.html;
    https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_sample_images.html
    """

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All patches. Raises InputError without scikit-image, or for sizes with no patches."""
        if in_channels != 1:
            raise InputError(
                f"data source photographs: the patches are grey, but the variant takes "
                f"{in_channels} channels; set in_channels: 1"
            )
        if min(image_size) < _SMALLEST or max(image_size) > 100:
            raise InputError(
                f"data source photographs: patches of {image_size[0]} x {image_size[1]} pixels are "
                f"too small or too few; choose image_size from {_SMALLEST} to 100"
            )
        patches, labels, ids, groups = [], [], [], []
        for label, (name, (package, file)) in enumerate(_FILES.items()):
            path = file_of_package(package, file, "data source photographs")
            with Image.open(path) as image:
                grey = np.asarray(image.convert("L"), dtype=np.float32)
            height, width = image_size
            rows, columns = grey.shape[0] // height, grey.shape[1] // width
            for row in range(rows):
                for column in range(columns):
                    top, left = row * height, column * width
                    patches.append(_scaled(grey[top : top + height, left : left + width]))
                    labels.append(label)
                    ids.append(f"{name}-{row:02d}-{column:02d}")
                    groups.append(f"{name}-{row // _BLOCK:02d}-{column // _BLOCK:02d}")
        return LabelledImages(
            images=np.stack(patches)[..., None],
            labels=np.array(labels, dtype=np.int64),
            class_names=tuple(_FILES),
            ids=tuple(ids),
            groups=tuple(groups),
            stored="grey, 8 bits",
        )


def _scaled(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """A patch with mean 0.5 and a standard deviation of 1/6, clipped to [0, 1]; a flat one 0.5.

    The spread is taken for at least one grey level, so that noise of flat patches stays small.
    """
    spread = max(float(patch.std()), 1.0)
    scaled: NDArray[np.float32] = 0.5 + (patch - patch.mean()) / np.float32(6 * spread)
    return scaled.clip(0, 1)

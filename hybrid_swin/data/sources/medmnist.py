"""The sets of MedMNIST by their names, with the names of their classes."""

from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np

from hybrid_swin.data.sources import LabelledImages, Source, user_path
from hybrid_swin.data.sources.npz import NpzSource
from hybrid_swin.errors import InputError, here, quote, unknown

_WORDS = "data source medmnist"
_URL = "https://zenodo.org/records/10519652"
_ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right"),
    *("liver", "lung-left", "lung-right", "pancreas", "spleen"),
)
# Classes by label, as https://github.com/MedMNIST/MedMNIST/blob/main/medmnist/info.py has them.
_CLASSES = {
    "bloodmnist": (
        *("basophil", "eosinophil", "erythroblast"),
        "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
        *("lymphocyte", "monocyte", "neutrophil", "platelet"),
    ),
    "breastmnist": ("malignant", "normal, benign"),
    "dermamnist": (
        *("actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma"),
        *("benign keratosis-like lesions", "dermatofibroma", "melanoma", "melanocytic nevi"),
        "vascular lesions",
    ),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
    "pathmnist": (
        *("adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle"),
        *("normal colon mucosa", "cancer-associated stroma"),
        "colorectal adenocarcinoma epithelium",
    ),
    "pneumoniamnist": ("normal", "pneumonia"),
    "retinamnist": ("0", "1", "2", "3", "4"),
    "tissuemnist": (
        *("Collecting Duct, Connecting Tubule", "Distal Convoluted Tubule"),
        *("Glomerular endothelial cells", "Interstitial endothelial cells", "Leukocytes"),
        *("Podocytes", "Proximal Tubule Segments", "Thick Ascending Limb"),
    ),
}
_OTHERS = {
    "chestmnist": "its images have several labels each, which is not supported",
    **dict.fromkeys(
        (
            *("organmnist3d", "nodulemnist3d", "adrenalmnist3d", "fracturemnist3d"),
            *("vesselmnist3d", "synapsemnist3d"),
        ),
        "its images have three dimensions, which is not supported",
    ),
}
_SIZES = 28, 64, 128, 224


@final
class MedmnistSource(Source):
    """A set of MedMNIST: small medical images with splits for train, validation and test.

    The file is as MedMNIST's package downloads it, such as ~/.medmnist/pathmnist.npz, or
    pathmnist_64.npz for another size; nothing is downloaded here. The variant's image size says
    which file. The grades of retinamnist are learned as five classes without an order.

    Source: MedMNIST v2: A large-scale lightweight benchmark, 2021, https://arxiv.org/abs/2110.14795

    Args:
        name: of the set, such as pathmnist.
        path: the folder of the files.
    """

    def __init__(self, name: str, path: str = "~/.medmnist") -> None:
        self.name = name.lower()
        self.path = path

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images in the file's order: train, validation, test."""
        if self.name in _OTHERS:
            raise InputError(
                f"{_WORDS}: {self.name} cannot be used: {_OTHERS[self.name]}; choose among "
                f"{', '.join(_CLASSES)}"
            )
        if self.name not in _CLASSES:
            raise unknown("set of MedMNIST", self.name, _CLASSES)
        side = image_size[0]
        if image_size[1] != side or side not in _SIZES:
            raise InputError(
                f"{_WORDS}: the images have {', '.join(map(str, _SIZES[:-1]))} or {_SIZES[-1]} "
                f"pixels per side, but the variant takes {side} x {image_size[1]}; set image_size "
                "to one of them in the variant"
            )
        file = f"{self.name}.npz" if side == _SIZES[0] else f"{self.name}_{side}.npz"
        path = user_path(self.path, "path") / file
        if not path.is_file():
            raise InputError(
                f"{_WORDS}: {quote(str(path), 120)} is not there{here(self.path)}; put it there, "
                f"from {_URL}, or correct option 'path'"
            )
        images = NpzSource(str(path)).load(image_size, in_channels, cache)
        names = _CLASSES[self.name]
        strange = set(images.class_names) - {str(label) for label in range(len(names))}
        if strange:
            raise InputError(
                f"{_WORDS}: {file} holds label {min(strange)}, but {self.name} has the labels 0 to "
                f"{len(names) - 1}; get it again from {_URL}"
            )
        codes = np.array([int(name) for name in images.class_names], np.int64)
        return replace(images, class_names=names, labels=codes[images.labels])

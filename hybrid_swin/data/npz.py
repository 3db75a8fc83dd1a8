"""Arrays in one NumPy file, as MedMNIST gives them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data import (
    SPLIT_SPELLINGS,
    LabelledImages,
    Source,
    SplitName,
    check_shape,
    class_order,
)
from hybrid_swin.errors import InputError, unknown


class _Part(NamedTuple):
    """The arrays of one split."""

    split: SplitName
    images: NDArray[Any]  # (N, H, W, C)
    labels: list[str]
    groups: list[str]


@final
class NpzSource(Source):
    """Arrays train_images and train_labels in one .npz file; the same for val and test, or groups.

    Images are (N, H, W) or (N, H, W, C), uint8 or float; labels are whole numbers or text, (N,) or
    (N, 1); ``*_groups``, like labels, where images belong together; ``class_names`` names the whole
    numbers 0, 1, ... Pickled objects are refused. Other arrays are ignored.

    Source: MedMNIST v2: A large-scale lightweight benchmark, 2021, https://arxiv.org/abs/2110.14795

    Args:
        path: the .npz file.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images in the file's order: train, validation, test."""
        name = Path(self.path).name
        arrays = _read(Path(self.path).expanduser())
        parts = _parts(arrays, name)
        for part in parts:
            height, width, channels = part.images.shape[1:]
            if channels != in_channels and height == in_channels:
                raise InputError(
                    f"{name}: {part.split} images are (N, C, H, W) {part.images.shape}, "
                    "but (N, H, W, C) is needed; save images.transpose(0, 2, 3, 1)"
                )
            check_shape(f"{name}, {part.split}", (height, width, channels), image_size, in_channels)
        if len({part.images.dtype for part in parts}) > 1:
            raise InputError(f"{name}: some images are uint8 and some are float; save one type")
        labels = [label for part in parts for label in part.labels]
        groups = tuple(group for part in parts for group in part.groups)
        class_names, codes = _encode(labels, arrays.get("class_names"), name)
        return LabelledImages(
            images=np.concatenate([part.images for part in parts]),
            labels=codes,
            class_names=class_names,
            ids=tuple(f"{p.split}/{index}" for p in parts for index in range(len(p.labels))),
            groups=groups if any(groups) else None,
            splits=tuple(part.split for part in parts for _ in part.labels),
        )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise InputError(f"data source npz: {str(path)!r} is not a file; correct option 'path'")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if _is_ours(name, file.files)}
    except InputError:
        raise
    except Exception as error:  # a damaged file can break any step of reading it
        raise InputError(
            f"{path.name} cannot be read as .npz: {type(error).__name__}: {error}; write it with "
            "numpy.savez, text as text (dtype str) and not as objects"
        ) from error


def _is_ours(name: str, names: list[str]) -> bool:
    """Whether an array is one that we read; a misspelt one is told rather than ignored."""
    match = re.fullmatch(r"(.*)_(images|labels|groups)", name)
    if not match:
        return name == "class_names"
    prefix, kind = match.groups()
    if prefix not in SPLIT_SPELLINGS:
        raise unknown("array", name, [f"{split}_{kind}" for split in SPLIT_SPELLINGS])
    if kind != "images" and f"{prefix}_images" not in names:
        raise InputError(f"array {name!r} stands without {prefix}_images; add it, or take it out")
    return True


def _parts(arrays: Mapping[str, NDArray[Any]], name: str) -> list[_Part]:
    parts: dict[SplitName, _Part] = {}
    for spelling, split in SPLIT_SPELLINGS.items():
        images = arrays.get(f"{spelling}_images")
        if images is None:
            continue
        if split in parts:
            raise InputError(f"{name} gives the {split} images twice; take one array out")
        labels = arrays.get(f"{spelling}_labels")
        if labels is None:
            raise InputError(f"{name}: array {spelling}_labels is missing; add it")
        groups = arrays.get(f"{spelling}_groups", np.full(len(images), ""))
        parts[split] = _Part(
            split,
            _images(images, f"{name}, {spelling}_images"),
            _column(labels, len(images), f"{name}, {spelling}_labels"),
            _column(groups, len(images), f"{name}, {spelling}_groups"),
        )
    if "train" not in parts:
        raise InputError(f"{name} holds no train_images; found {sorted(arrays) or 'nothing'}")
    return list(parts.values())


def _images(images: NDArray[Any], where: str) -> NDArray[Any]:
    if images.ndim not in (3, 4) or not images.size:
        raise InputError(f"{where}: shape {images.shape}; (N, H, W) or (N, H, W, C) is needed")
    if images.dtype != np.uint8:
        if images.dtype.kind != "f":
            raise InputError(
                f"{where}: type {images.dtype}; save uint8 (0 to 255) or floating point numbers"
            )
        images = images.astype(np.float32)
    return images if images.ndim == 4 else images[..., None]


def _column(values: NDArray[Any], count: int, where: str) -> list[str]:
    """Labels or groups as text, one an image."""
    if values.shape not in ((count,), (count, 1)):
        raise InputError(
            f"{where}: shape {values.shape}; one value an image is needed, ({count},) or "
            f"({count}, 1); several labels an image are not supported"
        )
    kind = values.dtype.kind
    if kind not in "iubUS":
        raise InputError(f"{where}: type {values.dtype}; whole numbers or text are needed")
    flat = np.char.decode(values.ravel(), "utf-8") if kind == "S" else values.ravel()
    return [str(value) for value in flat.tolist()]


def _encode(
    labels: list[str], class_names: NDArray[Any] | None, name: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names, and each label as an index into them."""
    found = class_order(labels)
    names = found
    if class_names is not None:
        names = tuple(_column(class_names, class_names.size, f"{name}, class_names"))
        found = tuple(str(index) for index in range(len(names)))
        strange = sorted(set(labels) - set(found))
        if strange:
            raise InputError(
                f"{name}: label {strange[0]!r}, but with class_names the labels are the whole "
                f"numbers from 0 to {len(names) - 1}"
            )
    index_of = {label: index for index, label in enumerate(found)}
    return names, np.array([index_of[label] for label in labels], np.int64)

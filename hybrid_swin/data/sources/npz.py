"""Arrays in one NumPy file, as MedMNIST gives them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.pixels import as_floats, in_range
from hybrid_swin.data.sources import (
    LabelledImages,
    Source,
    SplitName,
    check_range,
    check_shape,
    class_order,
    user_path,
)
from hybrid_swin.data.sources._npz_names import CLASS_NAMES, arrays_wanted
from hybrid_swin.data.spellings import is_no_group, is_no_label
from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.errors.plain_text import described

_T = TypeVar("_T")


class _Part(NamedTuple):
    """The arrays of one split."""

    split: SplitName
    images: NDArray[Any]  # (N, H, W, C)
    labels: list[str]
    groups: list[str]


@final
class NpzSource(Source):
    """Arrays train_images and train_labels in one .npz file; the same for val and test, or groups.

    Usual spellings such as x_train, y_train or images_test do as well, and slips are refused.
    Images are (N, H, W) or (N, H, W, C), of whole or floating point numbers; labels are whole
    numbers or text, (N,) or (N, 1); ``*_groups``, like labels, where images belong together;
    ``class_names`` names the whole numbers 0, 1, ... Pickled objects are refused. Other arrays are
    named and not used.

    Source: MedMNIST v2: A large-scale lightweight benchmark, 2021, https://arxiv.org/abs/2110.14795

    Args:
        path: the .npz file.
        value_range: [low, high], the pixel values that become 0 and 1; values outside are clipped.
            Without it values are kept as they are (8 and 16 bits as shares of their full scale).
    """

    def __init__(self, path: str, value_range: tuple[float, float] | None = None) -> None:
        self.path = path
        self.value_range = check_range("data source npz", value_range)

    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images. Raises InputError as `load` does."""
        path = user_path(self.path, "path")
        parts = _parts(_read(path), path.name)
        height, width, channels = parts[0].images.shape[1:]
        return height, width, channels

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images in the file's order: train, validation, test."""
        path = user_path(self.path, "path")
        name = path.name
        content = _read(path)
        parts = _parts(content, name)
        notes = list(content.notes)
        for part in parts:
            height, width, channels = part.images.shape[1:]
            if channels != in_channels and height == in_channels:
                raise InputError(
                    f"{name}: {part.split} images are (N, C, H, W) {part.images.shape}, "
                    "but (N, H, W, C) is needed; save images.transpose(0, 2, 3, 1)"
                )
            check_shape(f"{name}, {part.split}", (height, width, channels), image_size, in_channels)
        if len({part.images.dtype for part in parts}) > 1:
            types = ", ".join(f"{part.split}: {part.images.dtype}" for part in parts)
            raise InputError(f"{name}: the splits' images differ in type ({types}); save one type")
        images = np.concatenate([part.images for part in parts])
        stored = f"arrays of {images.dtype}"
        if self.value_range is None:
            images = _held(images)
        else:
            images, clipped = in_range(images, self.value_range)
            notes += ["values outside value_range clipped"] * clipped
        labels = [label for part in parts for label in part.labels]
        groups = tuple(group for part in parts for group in part.groups)
        class_names, codes = _encode(labels, content.arrays.get(CLASS_NAMES), name)
        return LabelledImages(
            images=images,
            labels=codes,
            class_names=class_names,
            ids=tuple(f"{p.split}/{index}" for p in parts for index in range(len(p.labels))),
            groups=groups if any(groups) else None,
            splits=tuple(part.split for part in parts for _ in part.labels),
            notes=tuple(notes),
            stored=stored,
            value_range=self.value_range,
        )


def read_images(path: Path) -> list[tuple[str, NDArray[Any]]]:
    """The arrays of images in a file, by name, each (N, H, W, C); labels are not needed.

    All arrays of three or four axes count. Raises InputError for a file that cannot be read or
    holds none.
    """
    arrays = _opened(path, lambda file: {name: _array(file, name) for name in file.files})
    images = [
        (name, _held(_images(array, f"{path.name}, {name}")))
        for name, array in arrays.items()
        if array.ndim in (3, 4)
    ]
    if not images:
        raise InputError(
            f"{path.name} holds no images, (N, H, W) or (N, H, W, C); found "
            f"{quote(', '.join(arrays), 90)}"
        )
    return images


class _Content(NamedTuple):
    """What a file holds of ours: arrays by split and kind, and what is to be said."""

    members: list[str]
    arrays: dict[tuple[str, str], NDArray[Any]]
    notes: list[str]


def _read(path: Path) -> _Content:
    def content(file: Any) -> _Content:
        wanted, notes = arrays_wanted(file.files, path.name)
        arrays = {key: _array(file, name) for key, name in wanted.items()}
        return _Content(list(file.files), arrays, notes)

    return _opened(path, content)


def _opened(path: Path, read: Callable[[Any], _T]) -> _T:
    """What is read of an archive. Raises InputError for one that cannot be read."""
    if not path.is_file():
        raise InputError(
            f"data source npz: {quote(str(path), 120)} is not a file{here(path)}; correct option "
            "'path'"
        )
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("one array alone, as numpy.save writes it")
            return read(file)
    except InputError:
        raise
    except Exception as error:  # a damaged file can break any step of reading it
        raise InputError(
            f"{path.name} cannot be read as .npz: {quote(described(error), 140)[1:-1]}; "
            "write it with numpy.savez, text as text (dtype str) and not as objects"
        ) from error


def _array(file: Any, name: str) -> NDArray[Any]:
    array = file[name]
    if not isinstance(array, np.ndarray):  # NumPy gives the bytes of what is not an array
        raise ValueError(f"member {name!r} is not a NumPy array")
    return array


def _parts(file: _Content, name: str) -> list[_Part]:
    parts, arrays = [], file.arrays
    splits: tuple[SplitName, ...] = ("train", "validation", "test")
    for split in splits:
        images = arrays.get((split, "images"))
        if images is None:
            continue
        labels = arrays.get((split, "labels"))
        if labels is None:
            raise InputError(f"{name}: array {split}_labels is missing; add it")
        held = _images(images, f"{name}, {split}_images")
        groups = arrays.get((split, "groups"), np.full(len(held), ""))
        parts.append(
            _Part(
                split,
                held,
                _labels(labels, len(held), f"{name}, {split}_labels"),
                _groups(groups, len(held), f"{name}, {split}_groups"),
            )
        )
    if not parts or parts[0].split != "train":
        have = quote(", ".join(file.members), 120) if file.members else "nothing"
        raise InputError(f"{name} holds no train_images; found {have}")
    return parts


def _held(images: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the smallest type that keeps what tells them apart."""
    if images.dtype in (np.uint8, np.uint16):
        return images
    return images.astype(np.uint8) if images.dtype == bool else as_floats(images)


def _images(images: NDArray[Any], where: str) -> NDArray[Any]:
    if not images.size:
        raise InputError(f"{where}: no image, shape {images.shape}; fill it, or take it out")
    if images.ndim not in (3, 4):
        raise InputError(f"{where}: shape {images.shape}; (N, H, W) or (N, H, W, C) is needed")
    if images.dtype.kind not in "buif":
        raise InputError(
            f"{where}: type {images.dtype}; save whole or floating point numbers, such as uint8"
        )
    if images.dtype == np.float16:
        images = images.astype(np.float32)
    images = images.astype(images.dtype.newbyteorder("="), copy=False)
    return images if images.ndim == 4 else images[..., None]


def _column(values: NDArray[Any], count: int, where: str) -> list[str]:
    """Labels, groups or names as text, one per image."""
    if values.shape not in ((count,), (count, 1)):
        raise InputError(
            f"{where}: shape {values.shape}; one value per image is needed, ({count},) or "
            f"({count}, 1); several labels an image are not supported"
        )
    kind = values.dtype.kind
    if kind not in "iubUS":
        raise InputError(f"{where}: type {values.dtype}; whole numbers or text are needed")
    try:
        flat = np.char.decode(values.ravel(), "utf-8") if kind == "S" else values.ravel()
    except UnicodeError as error:
        raise InputError(f"{where}: text that is not UTF-8; save it as dtype str") from error
    return [str(value) for value in flat.tolist()]


def _labels(values: NDArray[Any], count: int, where: str) -> list[str]:
    """Labels as text, one per image; InputError for what marks that there is none."""
    texts = _column(values, count, where)
    negative = next((text for text in texts if re.fullmatch(r"-\d+", text)), None)
    if negative:
        raise InputError(
            f"{where}: label {negative} is negative, as many sets mark what has no label; take "
            "these images out, or count classes from 0"
        )
    strange = next((text for text in texts if is_no_label(text)), None)
    if strange is not None:
        raise InputError(
            f"{where}: value {quote(strange)} stands for no label; give every image one, or take "
            "it out; if it is a class, save whole numbers and its name in class_names"
        )
    if values.dtype.kind == "u":
        _check_wrapped(values, where)
    return texts


def _check_wrapped(values: NDArray[Any], where: str) -> None:
    """Raise InputError for the largest number of the type, alone far above the others: once -1."""
    top, different = np.iinfo(values.dtype).max, np.unique(values)
    if different[-1] == top and len(different) > 1 and different[-2] < top - 1:
        raise InputError(
            f"{where}: label {top} is -1 as {values.dtype}, as many sets mark what has no label; "
            "take these images out, or save labels as int64 if it is a class"
        )


def _groups(values: NDArray[Any], count: int, where: str) -> list[str]:
    """Groups as text, one per image; '' is none."""
    texts = _column(values, count, where)
    strange = next((text for text in texts if text and is_no_group(text)), None)
    if strange is not None:
        raise InputError(
            f"{where}: group {quote(strange)} stands for no group, and these images would become "
            "one; save groups as text, empty where there is none"
        )
    return texts


def _encode(
    labels: list[str], class_names: NDArray[Any] | None, name: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names, and each label as an index into them."""
    label_order = class_order(labels)
    names = label_order
    if class_names is not None:
        if not class_names.size:
            raise InputError(f"{name}: class_names is empty; name every class, or take it out")
        names = tuple(_column(class_names, class_names.size, f"{name}, class_names"))
        if not all(text.strip() for text in names):
            raise InputError(f"{name}: class_names holds an empty name; name every class")
        label_order = tuple(str(index) for index in range(len(names)))
        strange = sorted(set(labels) - set(label_order))
        if strange:
            raise InputError(
                f"{name}: label {strange[0]!r}, but with class_names the labels are the whole "
                f"numbers from 0 to {len(names) - 1}"
            )
    index_of = {label: index for index, label in enumerate(label_order)}
    return names, np.array([index_of[label] for label in labels], np.int64)

"""Arrays in idx files, as MNIST and the sets that take its place come."""

import gzip
import math
import re
import struct
from pathlib import Path
from typing import IO, Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.pixels import as_floats
from hybrid_swin.data.sources import (
    LabelledImages,
    Source,
    SplitName,
    check_shape,
    class_order,
    user_path,
)
from hybrid_swin.errors import InputError, few, here, quote
from hybrid_swin.errors.plain_text import described

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-balanced-test-images-idx3-ubyte.gz
_NAME = re.compile(
    r"(?P<prefix>(.*[-_.])?)(?P<split>train|t10k|test|val|valid|validation)"
    r"[-_.](?P<what>images|labels)[-_.]idx\d-\w+(\.gz)?",
    re.IGNORECASE,
)
_SPLITS: dict[str, SplitName] = {"train": "train", "t10k": "test", "test": "test"}
_QMNIST = 8  # columns of its labels
_MOST_AXES = 4
_CHUNK = 1024**2  # bytes
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class _Part(NamedTuple):
    """One split."""

    split: SplitName
    images: NDArray[Any]  # (N, H, W, C)
    labels: list[int]
    notes: tuple[str, ...]


@final
class IdxSource(Source):
    """Files of MNIST and of sets in its place, such as Fashion-MNIST, KMNIST, QMNIST and EMNIST.

    A folder holds train-images-idx3-ubyte and train-labels-idx1-ubyte, and for test the same with
    t10k or test in place of train; a dot before idx, and files with .gz at their end, do as well.
    Images are (N, H, W) or (N, H, W, C); labels whole numbers, (N,) or (N, 1). Of QMNIST's eight
    columns of labels the first is read, and said. Where a file is there packed and unpacked, the
    unpacked one is read; otherwise each may be there once. Nothing is unpickled.

    Source: http://yann.lecun.com/exdb/mnist, "FILE FORMATS FOR THE MNIST DATABASE"

    Args:
        path: the folder.
        prefix: what stands before ``train-images``, such as emnist-balanced, where the folder holds
            several sets.
        class_names: names of the classes 0, 1, ... (or 1, 2, ... where there is no 0), with commas
            between them.
        transposed: whether rows and columns of the images are interchanged, as EMNIST's are.
    """

    def __init__(
        self, path: str, prefix: str = "", class_names: str = "", transposed: bool = False
    ) -> None:
        self.path = path
        self.prefix = prefix.rstrip("-_.")
        self.class_names = tuple(filter(None, map(str.strip, class_names.split(","))))
        self.transposed = transposed
        if len(set(self.class_names)) < len(self.class_names):
            raise InputError(
                f"data source idx: class_names {quote(class_names, 90)} holds a name twice"
            )

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images: train, validation, test."""
        parts = [self._part(split, *files) for split, files in self._files().items()]
        for part in parts:
            shape = part.images.shape[1:]
            check_shape(f"data source idx, {part.split}", shape, image_size, in_channels)
        types = {str(part.images.dtype.newbyteorder("=")) for part in parts}
        if len(types) > 1:
            raise InputError(
                f"data source idx: the splits' images differ in type ({', '.join(sorted(types))}); "
                "take files of one set"
            )
        images = np.concatenate([part.images for part in parts])
        names, labels = self._classes([label for part in parts for label in part.labels])
        return LabelledImages(
            images=images if images.dtype == np.uint8 else as_floats(images),
            labels=labels,
            class_names=names,
            ids=tuple(f"{p.split}/{index}" for p in parts for index in range(len(p.labels))),
            splits=tuple(part.split for part in parts for _ in part.labels),
            stored=f"arrays of {types.pop()}",
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )

    def _files(self) -> dict[SplitName, tuple[Path, Path]]:
        """The files of images and of labels of each split."""
        folder = user_path(self.path, "path")
        if not folder.is_dir():
            raise InputError(
                f"data source idx: {quote(str(folder), 120)} is not a folder{here(folder)}; give "
                "the folder that holds the files as option 'path'"
            )
        named: dict[tuple[str, SplitName], dict[str, Path]] = {}
        for file in sorted(folder.iterdir()):  # a packed file comes last, and does not count
            name = _NAME.fullmatch(file.name)
            if name and file.is_file():
                split = _SPLITS.get(name["split"].lower(), "validation")
                kinds = named.setdefault((name["prefix"].rstrip("-_."), split), {})
                first = kinds.setdefault(name["what"].lower(), file)
                if file.name not in (first.name, f"{first.name}.gz"):
                    raise InputError(
                        f"data source idx: {first.name} and {file.name} are {split} "
                        f"{name['what'].lower()} both; leave one in {quote(str(folder), 90)}"
                    )
        sets = sorted({prefix for prefix, _ in named})
        if not sets:
            raise InputError(
                f"data source idx: {quote(str(folder), 120)} holds no file named as "
                "train-images-idx3-ubyte or train-images-idx3-ubyte.gz"
            )
        if self.prefix not in sets and (self.prefix or len(sets) > 1):
            others = few((quote(one) for one in sets if one), 9)
            advice = f"give one as option 'prefix' ({others})" if others else "leave it out"
            raise InputError(
                f"data source idx: {quote(str(folder), 90)} holds "
                + (f"no files with prefix {quote(self.prefix)}" if self.prefix else "several sets")
                + f"; {advice}"
            )
        chosen = self.prefix if self.prefix in sets else sets[0]
        order: tuple[SplitName, ...] = ("train", "validation", "test")
        files = {split: named[chosen, split] for split in order if (chosen, split) in named}
        for split, kinds in {"train": {}, **files}.items():
            missing = [kind for kind in ("images", "labels") if kind not in kinds]
            if missing:
                raise InputError(
                    f"data source idx: {quote(str(folder), 120)} holds no file of {split} "
                    f"{missing[0]}; add it"
                )
        return {split: (kinds["images"], kinds["labels"]) for split, kinds in files.items()}

    def _part(self, split: SplitName, of_images: Path, of_labels: Path) -> _Part:
        images, labels = read_idx(of_images), read_idx(of_labels)
        if images.ndim not in (3, 4) or not images.size:
            raise InputError(
                f"{of_images.name}: shape {images.shape}; (N, H, W) or (N, H, W, C) is needed, of "
                "at least one image"
            )
        labels, notes = _column(labels, of_labels.name)
        if len(labels) != len(images):
            raise InputError(
                f"{of_labels.name} holds {len(labels):,} labels, but {of_images.name} "
                f"{len(images):,} images; take both from one set"
            )
        if labels.min() < 0:
            raise InputError(
                f"{of_labels.name}: label {labels.min()} is negative, as many sets mark what has "
                "no label; take these images out"
            )
        images = images if images.ndim == 4 else images[..., None]
        images = images.swapaxes(1, 2) if self.transposed else images
        return _Part(split, images, labels.tolist(), notes)

    def _classes(self, labels: list[int]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Class names, and each label as an index into them."""
        if not self.class_names:
            names = class_order(map(str, labels))
            return names, np.searchsorted(np.array([*map(int, names)]), labels).astype(np.int64)
        count = len(self.class_names)
        first = int(min(labels) > 0 and max(labels) == count)
        if max(labels) - first >= count:
            raise InputError(
                f"data source idx: labels from {min(labels)} to {max(labels)}, but {count} "
                "class_names; name each of the classes"
            )
        return self.class_names, np.array(labels, np.int64) - first


def _column(labels: NDArray[Any], name: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """One label for each image, and what is to be said of others."""
    if labels.dtype.kind == "f":
        raise InputError(f"{name}: type {labels.dtype}; whole numbers are needed")
    if labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
        return labels.reshape(-1), ()
    is_qmnist = labels.ndim == 2 and labels.shape[1] == _QMNIST and labels.dtype == np.int32
    if not is_qmnist or (labels.sum(axis=1) == 1).all():  # the last are marks in one of columns
        raise InputError(
            f"{name}: labels of shape {labels.shape}; one whole number for each image is needed, "
            "(N,) or (N, 1): of marks in one of several columns save their argmax"
        )
    return labels[:, 0], (f"of {_QMNIST} columns of labels the first is the class, as in QMNIST",)


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an idx file, packed by gzip or not; native byte order.

    Two zero bytes, the type, the number of axes, the length of each as int32, then the values, all
    big-endian.

    Raises:
        InputError: the file is anything else, or longer or shorter than it says.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as opened:
            head = opened.read(4)
            kind, axes = (head[2], head[3]) if len(head) == 4 else (0, 0)
            is_idx = head[:2] == b"\0\0" and kind in _TYPES and 1 <= axes <= _MOST_AXES
            sizes = opened.read(4 * axes) if is_idx else b""
            if not is_idx or len(sizes) < 4 * axes:
                raise InputError(
                    f"{path.name} is not an idx file: it begins with {head.hex(' ') or 'nothing'}; "
                    f"two zero bytes, a type and a number of axes up to {_MOST_AXES} are needed, "
                    "and the length of each axis"
                )
            dtype, shape = np.dtype(_TYPES[kind]), struct.unpack(f">{axes}i", sizes)
            wanted = math.prod(shape) * dtype.itemsize
            content = _read(opened, wanted + 1)  # what is packed may be of any length
    except InputError:
        raise
    except Exception as error:  # packed bytes that are damaged raise several kinds
        reason = quote(described(error), 140)[1:-1]
        raise InputError(f"{path.name} cannot be read: {reason}; get it again") from error
    if min(shape) < 0:
        raise InputError(f"{path.name} says that it has the shape {shape}; get it again")
    if len(content) != wanted:
        have = f"{len(content):,}: it was cut off" if len(content) < wanted else "more"
        raise InputError(
            f"{path.name} says that it holds {shape} values, {wanted:,} bytes, but it holds "
            f"{have}; get it again"
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read(opened: IO[bytes] | gzip.GzipFile, most: int) -> bytearray:
    """At most so many bytes, without room for more than there are."""
    content = bytearray()
    while len(content) < most and (chunk := opened.read(min(_CHUNK, most - len(content)))):
        content += chunk
    return content

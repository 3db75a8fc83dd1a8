"""Arrays in idx files, as MNIST and the sets that take its place come."""

import gzip
import re
from pathlib import Path
from typing import Any, NamedTuple, final

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
from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.errors.plain_text import described

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-balanced-test-images-idx3-ubyte.gz
_NAME = re.compile(
    r"(?P<prefix>(.*[-_.])?)(?P<split>train|t10k|test|val|valid|validation)"
    r"[-_.](?P<what>images|labels)[-_.]idx\d-\w+(\.gz)?",
    re.IGNORECASE,
)
_SPLITS: dict[str, SplitName] = {"train": "train", "t10k": "test", "test": "test"}
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class _Part(NamedTuple):
    """One split."""

    split: SplitName
    images: NDArray[Any]  # (N, H, W, C)
    labels: list[int]


@final
class IdxSource(Source):
    """Files of MNIST and of sets in its place, such as Fashion-MNIST, KMNIST, QMNIST and EMNIST.

    A folder holds train-images-idx3-ubyte and train-labels-idx1-ubyte, and for test the same with
    t10k or test in place of train; a dot before idx, and files with .gz at their end, do as well.
    Images are (N, H, W) or (N, H, W, C); labels (N,) of whole numbers, of which the first column is
    read where there are several (QMNIST). The files are read as they are, never unpickled.

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
                kinds.setdefault(name["what"].lower(), file)
        sets = sorted({prefix for prefix, _ in named})
        if not sets:
            raise InputError(
                f"data source idx: {quote(str(folder), 120)} holds no file named as "
                "train-images-idx3-ubyte or train-images-idx3-ubyte.gz"
            )
        if self.prefix not in sets and (self.prefix or len(sets) > 1):
            raise InputError(
                f"data source idx: {quote(str(folder), 90)} holds files with the prefix(es) "
                f"{', '.join(map(quote, sets[:9]))}; give one as option 'prefix'"
                + (f", not {quote(self.prefix)}" if self.prefix else "")
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
        labels = labels if labels.ndim == 1 else labels.reshape(len(labels), -1)[:, 0]
        if labels.dtype.kind == "f":
            raise InputError(f"{of_labels.name}: type {labels.dtype}; whole numbers are needed")
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
        return _Part(split, images, labels.tolist())

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


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an idx file, packed by gzip or not; native byte order.

    Two zero bytes, the type, the number of axes, the length of each as int32, then the values, all
    big-endian.

    Raises:
        InputError: the file is anything else, or longer or shorter than it says.
    """
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except Exception as error:  # packed bytes that are damaged raise several kinds
        reason = quote(described(error), 140)[1:-1]
        raise InputError(f"{path.name} cannot be read: {reason}; get it again") from error
    kind, axes = (content[2], content[3]) if len(content) >= 4 else (0, 0)
    start = 4 + 4 * axes
    if content[:2] != b"\0\0" or kind not in _TYPES or not axes or len(content) < start:
        raise InputError(
            f"{path.name} is not an idx file: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}, and two zero bytes, a type and a number of axes "
            "are needed"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">i4", axes, 4))
    dtype = np.dtype(_TYPES[kind])
    wanted, have = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, len(content) - start
    if min(shape) < 0 or wanted != have:
        raise InputError(
            f"{path.name} says that it holds {shape} values, {wanted:,} bytes, but it holds "
            f"{have:,}; it may have been cut off: get it again"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))

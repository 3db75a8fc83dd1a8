"""CIFAR-10 and CIFAR-100, from the archive that is published or the folder that it holds."""

import hashlib
import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import (
    LabelledImages,
    Source,
    SplitName,
    check_shape,
    user_path,
)
from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.errors.plain_text import described

_SIDE = 32
_WORDS = "data source cifar"
_URL = "https://www.cs.toronto.edu/~kriz/cifar.html"


class _Layout(NamedTuple):
    """The files of a set and their MD5, as they are published."""

    train: Mapping[str, str]
    test: Mapping[str, str]
    names: Mapping[str, str]


_LAYOUTS = {
    "CIFAR-10": _Layout(
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        {"test_batch": "40351d587109b95175f43aff81a1287e"},
        {"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
    ),
    "CIFAR-100": _Layout(
        {"train": "16019d7e3df5f24257cddd939b257f8d"},
        {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        {"meta": "7973b15100ade9c7d40fb424638fde48"},
    ),
}
_FILES = {name for layout in _LAYOUTS.values() for files in layout for name in files}
_NAMES = {name for layout in _LAYOUTS.values() for name in layout.names}
_LARGEST = 512 * 1024**2  # bytes of one file; the largest published one has 148 MiB


@final
class CifarSource(Source):
    """CIFAR-10 or CIFAR-100, their version for Python: 32 x 32 pixels, RGB, with a test split.

    Read from the archive without unpacking it, or from the unpacked folder. The files are pickles,
    which may run code; here only what makes NumPy arrays of numbers is allowed, and each file must
    have the MD5 that it was published with.

    Source: Learning multiple layers of features from tiny images, 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html

    Args:
        path: cifar-10-python.tar.gz, cifar-100-python.tar.gz, or the folder in one of them.
        labels: of CIFAR-100: its 100 classes (fine) or its 20 superclasses (coarse).
        checksum: any reads files that are not the published ones, such as a part of them.
    """

    def __init__(
        self,
        path: str,
        labels: Literal["fine", "coarse"] = "fine",
        checksum: Literal["published", "any"] = "published",
    ) -> None:
        self.path = path
        self.labels = labels
        self.checksum = checksum

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images in the order of the files: train, test."""
        check_shape(_WORDS, (_SIDE, _SIDE, 3), image_size, in_channels)
        files = _files(user_path(self.path, "path"))
        name = "CIFAR-10" if "batches.meta" in files else "CIFAR-100"
        layout = _LAYOUTS[name]
        if name == "CIFAR-10" and self.labels == "coarse":
            raise InputError(f"{_WORDS}: CIFAR-10 has no superclasses; leave out labels: coarse")
        label = "label" if name == "CIFAR-10" else f"{self.labels}_label"
        images: list[NDArray[Any]] = []
        labels: list[int] = []
        splits: list[SplitName] = []
        parts: tuple[tuple[SplitName, Mapping[str, str]], ...] = (
            ("train", layout.train),
            ("test", layout.test),
        )
        for split, published in parts:
            for file, md5 in published.items():
                pixels, codes = _batch(file, self._content(files, file, md5), f"{label}s")
                images.append(pixels)
                labels += codes
                splits += [split] * len(codes)
        ((file, md5),) = layout.names.items()
        held = self._content(files, file, md5)
        class_names = _class_names(file, held, f"{label}_names")
        if max(labels) >= len(class_names) or min(labels) < 0:
            raise InputError(
                f"{_WORDS}: labels from {min(labels)} to {max(labels)}, but {file} names "
                f"{len(class_names)} classes; take all files from one archive"
            )
        of_train = splits.count("train")
        return LabelledImages(
            images=np.concatenate(images),
            labels=np.array(labels, np.int64),
            class_names=class_names,
            ids=tuple(
                f"{split}/{index - of_train * (split == 'test')}"
                for index, split in enumerate(splits)
            ),
            splits=tuple(splits),
            stored=f"{name}, RGB, 8 bits",
        )

    def _content(self, files: Mapping[str, bytes], name: str, md5: str) -> dict[str, Any]:
        """What a file holds, by name."""
        if name not in files:
            raise InputError(
                f"{_WORDS}: {quote(self.path, 120)} holds no {name}; get the archive again from "
                f"{_URL}"
            )
        actual = hashlib.md5(files[name], usedforsecurity=False).hexdigest()
        if actual != md5 and self.checksum == "published":
            raise InputError(
                f"{_WORDS}: {name} is not the published file (MD5 {actual}, published {md5}); get "
                f"the archive again from {_URL}, or give checksum: any if it is meant"
            )
        try:
            held = _PlainUnpickler(io.BytesIO(files[name]), encoding="latin1").load()
            if not isinstance(held, dict):
                raise ValueError(f"a {type(held).__name__}, not a dict")
            # Written by another Python, names may be bytes.
            return {k.decode() if isinstance(k, bytes) else str(k): v for k, v in held.items()}
        except Exception as error:  # a damaged pickle can break any step of reading it
            raise InputError(
                f"{_WORDS}: {name} cannot be read: {quote(described(error), 140)[1:-1]}; get the "
                f"archive again from {_URL}"
            ) from error


def _batch(file: str, held: Mapping[str, Any], key: str) -> tuple[NDArray[np.uint8], list[int]]:
    """Images (N, H, W, C) and labels of a file."""
    data: Any = held.get("data")
    codes: Any = held.get(key)
    is_uint8 = isinstance(data, np.ndarray) and data.dtype == np.uint8
    if not is_uint8 or data.shape[1:] != (3 * _SIDE * _SIDE,) or not len(data):
        raise InputError(f"{_WORDS}: {file} holds no images: 'data' must be (N, 3072) of uint8")
    are_whole = isinstance(codes, list) and all(type(code) is int for code in codes)
    if not are_whole or len(codes) != len(data):
        raise InputError(
            f"{_WORDS}: {file} holds {len(data):,} images, but not as many whole numbers in {key!r}"
        )
    return np.ascontiguousarray(data.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)), codes


def _class_names(file: str, held: Mapping[str, Any], key: str) -> tuple[str, ...]:
    given = held.get(key)
    names = given if isinstance(given, list) else []
    names = [name.decode("latin1") if isinstance(name, bytes) else name for name in names]
    are_texts = all(isinstance(name, str) and name.strip() for name in names)
    if not names or not are_texts or len(set(names)) < len(names):
        raise InputError(
            f"{_WORDS}: {file}: {key!r} must be a list with another name for each class; got "
            f"{quote(given)}"
        )
    return tuple(names)


def _files(path: Path) -> dict[str, bytes]:
    """The files of a set, by name, from a folder or an archive."""
    if path.is_dir():
        inside = [path, *(path / name for name in ("cifar-10-batches-py", "cifar-100-python"))]
        folders = [f for f in inside if any((f / name).is_file() for name in _NAMES)]
        if len(folders) > 1:
            raise _two_sets(path)
        folder = folders[0] if folders else path
        files = {n: (folder / n).read_bytes() for n in _FILES if (folder / n).is_file()}
    elif path.is_file():
        files = _in_archive(path)
    else:
        raise InputError(
            f"{_WORDS}: {quote(str(path), 120)} is not there{here(path)}; get "
            f"cifar-10-python.tar.gz or cifar-100-python.tar.gz from {_URL} and correct 'path'"
        )
    if files.keys() >= _NAMES:
        raise _two_sets(path)
    if not files.keys() & _NAMES:
        raise InputError(
            f"{_WORDS}: {quote(str(path), 120)} holds no batches.meta and no meta; the version for "
            f"Python is needed, from {_URL}"
        )
    return files


def _two_sets(path: Path) -> InputError:
    return InputError(
        f"{_WORDS}: {quote(str(path), 120)} holds CIFAR-10 and CIFAR-100; give the folder or the "
        "archive of one of them"
    )


def _in_archive(path: Path) -> dict[str, bytes]:
    files = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if member.isfile() and name in _FILES and member.size <= _LARGEST:
                    if name in files:
                        raise ValueError(f"{name} is there more than once")
                    opened = archive.extractfile(member)
                    files[name] = b"" if opened is None else opened.read()
    except Exception as error:  # an archive that is cut off, or none, raises several kinds
        raise InputError(
            f"{_WORDS}: {path.name} cannot be read as a tar archive: "
            f"{quote(described(error), 140)[1:-1]}; get it again from {_URL}"
        ) from error
    return files


_ARRAY = object()  # what a pickle calls NumPy's class, which it cannot call


def _empty_array(kind: object, shape: object, typecode: object) -> NDArray[Any]:
    """What NumPy begins an array of a pickle with, to be filled by what follows in it."""
    if kind is not _ARRAY or shape != (0,):
        raise pickle.UnpicklingError("an array that does not begin empty")
    return np.empty(0, np.int8)


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into pickles that Python 2 shall read."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding!r}")
    return text.encode("latin1")


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles dicts, lists, numbers, text and NumPy arrays of numbers, and calls nothing else.

    Source: https://docs.python.org/3/library/pickle.html#restricting-globals
    """

    def find_class(self, module: str, name: str) -> Any:
        """One of the few names that NumPy arrays need; raises UnpicklingError for others."""
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy._core.multiarray", "_reconstruct"): _empty_array,
            ("numpy", "ndarray"): _ARRAY,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return allowed[module, name]

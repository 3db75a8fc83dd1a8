"""Images decoded once, into a file that all processes map: they share the memory of its pages.

Two files a key: ``<key>.npy`` (N, H, W, C) and ``<key>.json``, which names what is not in it, says
what the files were like, and seals the pixels with their digest. Both are written under a temporary
name and then renamed, the seal last. Decoding is deterministic, so processes that build the same
key at once replace bytes by equal bytes. Whatever does not match its seal is built again. The files
may be deleted at any time.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.files.facts import FileFacts
from hybrid_swin.data.pixels import digest
from hybrid_swin.errors import InputError
from hybrid_swin.system.files import replacing

Row = NDArray[Any] | str  # one image (H, W, C), or the reason why there is none
_SPARE_BYTES = 64 * 1024**2
_ABANDONED_SECONDS = 3600


class StoredPixels(NamedTuple):
    """The images that could be decoded, in order, and why the others could not."""

    images: NDArray[Any]  # (N, H, W, C)
    reasons: dict[int, str]  # position in the list of files -> reason


class _Deeper(Exception):
    """An image of 16 bits after images of 8 bits."""


def load_pixels(
    decode: Callable[[], Iterable[Row]],
    count: int,
    shape: tuple[int, int, int],
    folder: Path | None,
    key: str,
    facts: FileFacts | None = None,
) -> StoredPixels:
    """The pixels stored under a key, decoded now unless they are there.

    Images of 8 and of 16 bits together become 16 bits, 255 as 65535.

    Args:
        decode: gives one row for each of the ``count`` files, all of one type or of 8 and 16 bits.
        count: number of files.
        shape: (H, W, C) of a row.
        folder: where the files of all keys lie; None to decode into memory.
        key: name for these files, decoded in this way.
        facts: what ``decode`` counts; stored beside the pixels and read with them.

    Raises:
        InputError: the folder cannot be written, or has not the room (told before decoding).
    """
    facts = FileFacts() if facts is None else facts
    if folder is None:
        return _decode_into_memory(decode(), count, shape)
    stored = _open(folder, key, count, shape, facts)
    if stored is None:
        _prepare(folder, key, count * int(np.prod(shape)))
        try:
            _write(folder, key, decode(), count, shape, facts)
        except _Deeper:
            facts.become({})
            _write(folder, key, map(_as_16_bits, decode()), count, shape, facts)
        stored = _open(folder, key, count, shape, facts)
    if stored is None:
        raise OSError(f"{folder / key}.npy was written but does not read back; is the disk sound?")
    return stored


def _decode_into_memory(
    rows: Iterable[Row], count: int, shape: tuple[int, int, int]
) -> StoredPixels:
    images = np.empty((0, *shape), np.uint8)
    reasons: dict[int, str] = {}
    for index, row in enumerate(rows):
        if isinstance(row, str):
            reasons[index] = row
            continue
        if not len(images):
            images = np.empty((count, *shape), row.dtype)
        elif row.dtype == np.uint16 and images.dtype == np.uint8:
            images = _as_16_bits(images)
        images[index - len(reasons)] = _as_16_bits(row) if images.dtype == np.uint16 else row
    return StoredPixels(images[: count - len(reasons)], reasons)


def _as_16_bits(row: Any) -> Any:
    """The same share of the full scale: 255 becomes 65535. Other types are left alone."""
    return row.astype(np.uint16) * 257 if getattr(row, "dtype", None) == np.uint8 else row


def _open(
    folder: Path, key: str, count: int, shape: tuple[int, int, int], facts: FileFacts
) -> StoredPixels | None:
    """What is stored, or None if it is absent or is not what was written."""
    try:
        seal = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        reasons = {int(index): str(reason) for index, reason in seal["reasons"].items()}
        facts.become(seal["facts"])
        if len(reasons) == count:  # an empty file cannot be mapped
            return StoredPixels(np.empty((0, *shape), np.uint8), reasons)
        images = np.lib.format.open_memmap(folder / f"{key}.npy", mode="r")
        whole = images.shape == (count - len(reasons), *shape) and digest(images) == seal["sha256"]
        return StoredPixels(images, reasons) if whole else None
    except Exception:  # damaged bytes can break any step of reading them
        facts.become({})
        return None


def _prepare(folder: Path, key: str, size: int) -> None:
    """Make the folder, clear what killed builders of this key left there, and check the room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".{key}.*.tmp"):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cache folder {str(folder)!r} cannot be used: {error}") from error
    _check_room(folder, size)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise InputError(
            f"cache folder {str(folder)!r} has {free / 1e9:.2f} GB free, the decoded images need "
            f"{(size + _SPARE_BYTES) / 1e9:.2f} GB; free some space, choose another cache folder "
            "or a smaller image_size"
        )


def _write(
    folder: Path,
    key: str,
    rows: Iterable[Row],
    count: int,
    shape: tuple[int, int, int],
    facts: FileFacts,
) -> None:
    reasons: dict[int, str] = {}
    dtype: np.dtype[Any] | None = None
    with replacing(folder / f"{key}.npy") as file:
        for index, row in enumerate(rows):
            if isinstance(row, str):
                reasons[index] = row
                continue
            if dtype is None:
                dtype = row.dtype
                _check_room(folder, count * row.nbytes)
                start = _write_header(file, dtype, (count, *shape))
            elif row.dtype != dtype:
                raise _Deeper
            file.write(row.tobytes())
        # Only now is it known how many there are. NumPy pads headers so that the first axis may
        # grow or shrink without moving the data.
        if dtype is not None:
            file.seek(0)
            if _write_header(file, dtype, (count - len(reasons), *shape)) != start:
                raise RuntimeError("this version of NumPy writes headers of varying length")
        file.flush()
        sha256 = "" if dtype is None else digest(np.load(file.name, mmap_mode="r"))
    with replacing(folder / f"{key}.json") as file:
        seal = {"sha256": sha256, "reasons": reasons, "facts": asdict(facts)}
        file.write(json.dumps(seal).encode())


def _write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Returns where the data begin."""
    descr = np.lib.format.dtype_to_descr(dtype)
    header: dict[str, Any] = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()

"""Where labelled images come from: one file a source, one contract for all of them.

A new source is a new file with one class that derives from ``Source``; its name is the file's stem.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.pixels import find_copies
from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.options import RANGE_WORDS, as_range

SplitName = Literal["train", "validation", "test"]

#: Pixels are held in the smallest of these that keeps what the source has.
PIXEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images, and what is known of each of them.

    Args:
        images: (N, H, W, C), uint8 or uint16 up to their largest number, or float32 or float64 of
            any range (may be a memory map).
        labels: (N,) int64, indices into ``class_names``.
        class_names: one name a class.
        ids: one unique name an image, the same in every run.
        groups: what must not be torn apart by a split, such as a patient; '' stands alone.
        splits: 'train', 'validation' or 'test' where it is given, '' where it is free.
        left_out: (id, reason) of each image that could not be used.
        ignored: (name, reason) of each file beside them that is not an image.
        notes: what was taken in a sense that its user should know, one sentence each.
        stored: how the images are stored where they come from, such as 'RGB, 8 bits'.
        value_range: (low, high), the pixel values that became 0 and 1; None if all were kept.
        resize: how images of another size became these, such as 'crop'; '' where none can be.

    Raises:
        InputError: the arrays do not belong together.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    splits: tuple[SplitName | Literal[""], ...] | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    stored: str = ""
    value_range: tuple[float, float] | None = None
    resize: str = ""

    def __post_init__(self) -> None:
        count = len(self.ids)
        _require(count > 0, "no image")
        _require(
            self.images.ndim == 4 and self.images.dtype in PIXEL_TYPES,
            f"images of shape {self.images.shape} and type {self.images.dtype}; "
            "(N, H, W, C) of uint8, uint16, float32 or float64 is needed",
        )
        _require(
            self.labels.shape == (count,) and self.labels.dtype == np.int64,
            f"labels of shape {self.labels.shape} and type {self.labels.dtype}; "
            f"({count},) of int64 is needed",
        )
        for name in ("images", "groups", "splits"):
            column = getattr(self, name)
            _require(column is None or len(column) == count, f"{count} ids, but not as many {name}")
        _require(len(set(self.ids)) == count, "ids that are not unique")
        _require(len(set(self.class_names)) == len(self.class_names), "a class name twice")
        _require(
            0 <= self.labels.min() and self.labels.max() < len(self.class_names),
            f"labels from {self.labels.min()} to {self.labels.max()}, "
            f"but {len(self.class_names)} class names",
        )
        strange = set(self.splits or ()) - {*get_args(SplitName), ""}
        _require(not strange, f"splits named {sorted(strange)}")

    @cached_property
    def copies(self) -> tuple[NDArray[np.int64], ...]:
        """Indices of images with the same pixels, two or more together, by their first one."""
        return find_copies(self.images)


class Source(ABC):
    """Labelled images from one kind of place.

    ``__init__`` takes the source's options: each with a type, and a literal as its default.
    """

    @abstractmethod
    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images of the source in one size, in the same order in every run.

        Args:
            image_size: (height, width) that the network takes.
            in_channels: channels that the network takes.
            cache: folder for what is costly to make again; None to keep it in memory.

        Raises:
            InputError: there is no such data, or it cannot be given in this size.
        """


def check_shape(
    source: str, shape: tuple[int, int, int], image_size: tuple[int, int], in_channels: int
) -> None:
    """Raise InputError unless images of a fixed (H, W, C) are what the network takes."""
    if shape == (*image_size, in_channels):
        return
    height, width, channels = shape
    size = str(height) if height == width else f"[{height}, {width}]"
    raise InputError(
        f"{source}: the images are {height} x {width} with {channels} channel(s), but the variant "
        f"takes {image_size[0]} x {image_size[1]} with {in_channels}; "
        f"set image_size: {size} and in_channels: {channels} in the variant"
    )


def check_range(source: str, value_range: object) -> tuple[float, float] | None:
    """The range of values as two numbers. Raises InputError where it is none."""
    limits = None if value_range is None else as_range(value_range)
    if value_range is not None and (limits is None or limits[0] == limits[1]):
        raise InputError(
            f"{source}: value_range {quote(value_range)} is not possible; give {RANGE_WORDS}"
        )
    return limits


def user_path(path: str, option: str) -> Path:
    """A path as its user wrote it, ~ expanded. Raises InputError for one that no system takes."""
    try:
        full_path = Path(path).expanduser()
        full_path.stat()
    except FileNotFoundError:
        pass
    except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a null byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"option {option!r}: {quote(path, 120)} cannot be used: {reason}; correct it"
        ) from None
    return full_path


def class_order(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels, sorted; by value where all of them are whole numbers."""
    distinct = set(labels)
    numbers = all(label.isdecimal() for label in distinct)
    return tuple(sorted(distinct, key=lambda label: (int(label) if numbers else 0, label)))


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise InputError(f"the data source gave {fault}; see LabelledImages for what it must give")

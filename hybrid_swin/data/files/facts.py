"""What image files were like: counted as they are decoded, kept beside their pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image


@dataclass
class FileFacts:
    """Counts over files.

    Args:
        kinds: such as 'RGB, 8 bits': how many files, and the position of the first one.
        notes: such as 'colour became grey', likewise.
        smallest: (height, width), each the smallest in any file.
        largest: likewise.
        proportions: the smallest and the largest width per height.
        tops: the largest value in files of each kind.
    """

    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: dict[str, tuple[int, int]] = field(default_factory=dict)
    smallest: tuple[int, int] | None = None
    largest: tuple[int, int] | None = None
    proportions: tuple[float, float] | None = None
    tops: dict[str, float] = field(default_factory=dict)

    def add(
        self, index: int, kind: str, size: tuple[int, int], notes: Sequence[str], top: float
    ) -> None:
        """Count one file, of (height, width) and with this largest value."""
        shape = size[1] / size[0]
        least, most = self.proportions or (shape, shape)
        self.proportions = min(least, shape), max(most, shape)
        self.tops[kind] = max(self.tops.get(kind, top), top)
        for name, counted in ((kind, self.kinds), *((note, self.notes) for note in notes)):
            count, first = counted.get(name, (0, index))
            counted[name] = count + 1, first
        low, high = self.smallest or size, self.largest or size
        self.smallest = min(low[0], size[0]), min(low[1], size[1])
        self.largest = max(high[0], size[0]), max(high[1], size[1])

    def become(self, data: Mapping[str, Any]) -> None:
        """Take over what ``asdict`` and JSON gave; of an empty mapping, begin anew."""
        pairs = ("smallest", "largest", "proportions")
        given = {name: tuple(data[name]) for name in pairs if data.get(name)}
        self.__init__(**{**data, **given})  # type: ignore[misc]


_ORIENTATION = 0x0112  # of EXIF


def seen(image: Image.Image) -> tuple[tuple[int, int], list[str]]:
    """Height and width of an upright image, and what the rules leave out of its file or change."""
    orientation, notes = image.getexif().get(_ORIENTATION, 1), []
    if orientation not in (0, 1):
        notes.append("turned upright by EXIF orientation")
    if image.format != "MPO" and _is_several(image):  # MPO: a photograph and its previews
        notes.append("first of several frames read")
    turned = orientation in (5, 6, 7, 8) and image.format != "TIFF"  # whose size is the upright one
    return (image.size if turned else (image.height, image.width)), notes


def has_other_profile(image: Image.Image) -> bool:
    """Whether it has a colour profile of another space than sRGB, which screens assume."""
    profile = image.info.get("icc_profile") or b""
    names = (b"sRGB", "sRGB".encode("utf-16-be"))
    return bool(profile) and image.mode != "CMYK" and not any(name in profile for name in names)


def _is_several(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a second frame that cannot be read: the first one may be
        return False

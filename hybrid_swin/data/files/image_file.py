"""A file that should hold an image: one of the file system, or one that lies in another."""

import io
import stat
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image


class Held(Protocol):
    """A file that lies in another, such as an archive or a table."""

    @property
    def name(self) -> str:
        """For messages."""

    def read(self) -> bytes:
        """Its content."""


class Member(NamedTuple):
    """A file that lies in an archive as it is, so that nothing need be unpacked."""

    name: str
    archive: Path
    offset: int  # of its first byte in the archive
    size: int  # bytes

    def read(self) -> bytes:
        """Its content. Raises OSError where the archive ends before."""
        with self.archive.open("rb") as opened:
            opened.seek(self.offset)
            content = opened.read(self.size)
        if len(content) < self.size:
            raise OSError(f"{self.archive.name} ends within {self.name}")
        return content


ImageFile = Path | Held


def open_image(file: ImageFile, formats: list[str]) -> Image.Image:
    """The file as Pillow opens it, not yet decoded.

    Raises:
        Exception: whatever Pillow raises on a broken file.
    """
    if not isinstance(file, Path):
        return Image.open(io.BytesIO(file.read()), formats=formats)
    if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for ever
        raise ValueError("not a regular file")
    return Image.open(file, formats=formats)

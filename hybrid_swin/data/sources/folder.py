"""Image files: a folder per class, or a table of files."""

import hashlib
from pathlib import Path
from typing import Literal, final

from hybrid_swin.data.files.decoding import Decoder
from hybrid_swin.data.files.folders import FileListing, list_folders
from hybrid_swin.data.files.listed_images import decoded
from hybrid_swin.data.files.listing import ListedImage
from hybrid_swin.data.files.tables import read_table
from hybrid_swin.data.sources import LabelledImages, Source, check_range, user_path
from hybrid_swin.errors import InputError, here, quote


@final
class FolderSource(Source):
    """Image files by class folder, with or without train, validation and test, or by a CSV table.

    Without ``csv`` the layout is path/class/*, or path/{train,validation,test}/class/*; usual
    spellings of these, such as 'Training', 'val' or 'test_set', do as well, and slips are refused.
    Every file that is not hidden counts, at any depth, also through links. Files that are not
    readable images are left out by name. Formats: BMP, GIF, JPEG, PNG, PPM, TIFF, WebP, with the
    rules of ``decoding.Decoder``. Decoded pixels are kept in the cache under a key of the files'
    names, sizes and times.

    Args:
        path: folder of the class folders; with ``csv``, the folder that its paths start from.
        csv: table with the columns path, label and, where wanted, split and group; its paths start
            from its own folder where ``path`` is not given.
        resize: how another size becomes the variant's, see ``decoding.Decoder``.
        value_range: [low, high], the pixel values that become 0 and 1; values outside are clipped.
            Without it values are kept as they are (8 and 16 bits as shares of their full scale).
        layout: whether the first level of folders are classes or splits; auto: as they are named.
    """

    def __init__(
        self,
        path: str = "",
        csv: str = "",
        resize: Literal["crop", "squash", "pad", "none"] = "crop",
        value_range: tuple[float, float] | None = None,
        layout: Literal["auto", "classes", "splits"] = "auto",
    ) -> None:
        self.path = path
        self.csv = csv
        self.resize: Literal["crop", "squash", "pad", "none"] = resize
        self.value_range = check_range("data source folder", value_range)
        self.layout: Literal["auto", "classes", "splits"] = layout

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All readable images, sorted by folder or in the table's order."""
        decoder = Decoder(image_size, in_channels, self.resize, self.value_range)
        listing = self.listing()
        key = _key(listing.items, decoder.identity)
        return decoded("data source folder", listing, decoder, cache, key)

    def listing(self) -> FileListing:
        """The files in a fixed order, and what lies beside them; no image is read.

        Raises:
            InputError: there is no such place, it can be read in two ways, or holds one class.
        """
        try:
            listing = self._list()
        except OSError as error:
            raise InputError(f"data source folder: {quote(str(error), 160)}") from error
        listing.check_classes(f"data source folder: {quote(self.csv or self.path, 120)}")
        return listing

    def _list(self) -> FileListing:
        """The files in a fixed order, and what lies beside them."""
        if self.csv:
            table = user_path(self.csv, "csv")
            root = user_path(self.path, "path") if self.path else table.parent
            return read_table(table, root.absolute())
        if not self.path:
            raise InputError(
                "data source folder: option 'path' is missing; give the folder that holds one "
                "folder per class, or option 'csv'"
            )
        root = user_path(self.path, "path")
        if not root.is_dir():
            raise InputError(
                f"data source folder: {quote(self.path, 120)} is not a folder{here(self.path)}; "
                "correct 'path'"
            )
        return list_folders(root, self.layout)


def _key(items: list[ListedImage[Path]], decoding: str) -> str:
    """Changes whenever the pixels may have changed."""
    sha = hashlib.sha256(decoding.encode())
    for item in items:
        try:
            stat = item.file.stat()
            # The last cannot be set by tools that keep the second, and notices permissions, too.
            stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        except OSError:
            stamp = "unreadable"
        sha.update(f"\n{item.id} {stamp}".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:20]

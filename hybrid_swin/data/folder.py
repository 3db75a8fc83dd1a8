"""Image files: a folder a class, or a table of files."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from csv import DictReader
from pathlib import Path
from typing import Literal, NamedTuple, final

import numpy as np

from hybrid_swin.data import SPLIT_SPELLINGS, LabelledImages, Source, SplitName, class_order
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.image_files import Decoder
from hybrid_swin.pixel_cache import load_pixels


class _Item(NamedTuple):
    """One file that should hold an image."""

    id: str
    file: Path
    label: str
    split: SplitName | Literal[""] = ""
    group: str = ""


@final
class FolderSource(Source):
    """Image files by class folder, with or without train, validation and test, or by a CSV table.

    Without ``csv`` the layout is path/class/*, or path/{train,validation,test}/class/* ('val' and
    'valid' do as well). Every file that is not hidden counts, at any depth, also through links.
    Files that are no readable image are left out by name. Decoded pixels are kept in the cache
    under a key of the files' names, sizes and times.

    Args:
        path: folder of the class folders; with ``csv``, the folder that its paths start from.
        csv: table with the columns path, label and, where wanted, split and group; its paths start
            from its own folder where ``path`` is not given.
        resize: how another size becomes the variant's, see ``image_files.Decoder``.
    """

    def __init__(
        self,
        path: str = "",
        csv: str = "",
        resize: Literal["crop", "squash", "pad", "none"] = "crop",
    ) -> None:
        self.path = path
        self.csv = csv
        self.resize: Literal["crop", "squash", "pad", "none"] = resize

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All readable images, uint8, sorted by folder or in the table's order."""
        decoder = Decoder(image_size, in_channels, self.resize)
        try:
            items, stray = self._list()
        except OSError as error:
            raise InputError(f"data source folder: {error}") from error
        names = class_order(item.label for item in items)
        if len(names) < 2:
            raise InputError(
                f"data source folder: {self.csv or self.path} holds the class(es) {list(names)}; "
                "a classifier needs at least two"
            )
        files = [item.file for item in items]
        key = _key(items, decoder.identity)
        pixels = load_pixels(
            lambda: decoder.decode_all(files), len(items), decoder.shape, cache, key
        )
        kept = [item for index, item in enumerate(items) if index not in pixels.reasons]
        left_out = [(items[index].id, reason) for index, reason in pixels.reasons.items()]
        _check_readable(names, kept, left_out)
        index_of = {name: index for index, name in enumerate(names)}
        return LabelledImages(
            images=pixels.images,
            labels=np.array([index_of[item.label] for item in kept], np.int64),
            class_names=names,
            ids=tuple(item.id for item in kept),
            groups=tuple(item.group for item in kept) if any(i.group for i in kept) else None,
            splits=tuple(item.split for item in kept) if any(i.split for i in kept) else None,
            left_out=(*left_out, *((name, "lies in no class folder") for name in stray)),
        )

    def _list(self) -> tuple[list[_Item], list[str]]:
        """The files in a fixed order, and what lies beside them in no class folder."""
        if self.csv:
            table = Path(self.csv).expanduser()
            root = Path(self.path).expanduser() if self.path else table.parent
            return _read_table(table, root.absolute()), []
        if not self.path:
            raise InputError(
                "data source folder: option 'path' is missing; give the folder that holds one "
                "folder a class, or option 'csv'"
            )
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise InputError(f"data source folder: {self.path!r} is not a folder; correct 'path'")
        return _list_folders(root)


def _list_folders(root: Path) -> tuple[list[_Item], list[str]]:
    folders, stray = _inside(root)
    splits = [SPLIT_SPELLINGS.get(folder.name) for folder in folders]
    given = [split for split in splits if split]
    if not given or (len(given) == 1 and len(folders) > 1):  # a class may be called 'train'
        return _list_classes(root, root), stray
    if len(given) < len(folders) or len(set(given)) < len(given) or "train" not in given:
        raise InputError(
            f"data source folder: {str(root)!r} holds {', '.join(f.name for f in folders)}; give "
            "either one folder a class, or nothing but train and, where wanted, validation and test"
        )
    items = []
    for folder, split in zip(folders, given, strict=True):
        items += _list_classes(root, folder, split)
        stray += [f"{folder.name}/{name}" for name in _inside(folder)[1]]
    return items, stray


def _list_classes(root: Path, folder: Path, split: SplitName | Literal[""] = "") -> list[_Item]:
    """The files of a folder that holds one folder a class."""
    classes, _ = _inside(folder)
    if not classes:
        raise InputError(
            f"data source folder: {str(folder)!r} holds no class folder; "
            "sort the images into one folder a class, or give option 'csv'"
        )
    items = []
    for part in classes:
        files = list(_files(part))
        if not files:
            raise InputError(
                f"data source folder: class folder {str(part)!r} is empty; fill it or remove it"
            )
        items += [_Item(f.relative_to(root).as_posix(), f, part.name, split) for f in files]
    return items


def _inside(folder: Path) -> tuple[list[Path], list[str]]:
    """The folders, and the names of the files, in a folder; sorted, without the hidden ones."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    seen = [entry for entry in entries if not entry.name.startswith(".")]
    return (
        [folder / entry.name for entry in seen if entry.is_dir()],
        [entry.name for entry in seen if not entry.is_dir()],
    )


def _files(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The files at any depth. Links are followed, though never in a circle."""
    here = folder.resolve()
    if here in above:
        return
    folders, names = _inside(folder)
    yield from (folder / name for name in names)
    for part in folders:
        yield from _files(part, above | {here})


def _read_table(table: Path, root: Path) -> list[_Item]:
    if not table.is_file():
        raise InputError(f"data source folder: csv {str(table)!r} is not a file; correct 'csv'")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write the mark
            rows = DictReader(file)
            columns = rows.fieldnames or []
            for column in ("path", "label"):
                if column not in columns:
                    raise InputError(
                        f"{table.name}: column {column!r} is missing; found {list(columns)}; the "
                        "first line must name the columns path,label[,split][,group]"
                    )
            items = [_read_row(row, f"{table.name}, line {rows.line_num}", root) for row in rows]
    except UnicodeDecodeError as error:
        raise InputError(f"{table.name} is not UTF-8: {error}; save it as UTF-8") from error
    _check_table(table.name, root, items)
    return items


def _read_row(row: dict[str, str | None], where: str, root: Path) -> _Item:
    cells = {name: (row.get(name) or "").strip() for name in ("path", "label", "split", "group")}
    for name in ("path", "label"):
        if not cells[name]:
            raise InputError(f"{where}: {name} is empty")
    if cells["split"] and cells["split"] not in SPLIT_SPELLINGS:
        raise InputError(f"{where}: {unknown('split', cells['split'], SPLIT_SPELLINGS)}")
    file = Path(os.path.normpath(root / cells["path"]))
    if not file.is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"{where}: {cells['path']!r} lies outside {str(root)!r}; "
            "give the folder that holds all files as option 'path'"
        )
    split: SplitName | Literal[""] = SPLIT_SPELLINGS[cells["split"]] if cells["split"] else ""
    name = file.relative_to(os.path.normpath(root)).as_posix()
    return _Item(name, file, cells["label"], split, cells["group"])


def _check_table(table: str, root: Path, items: list[_Item]) -> None:
    if not items:
        raise InputError(f"{table} lists no image; give one line an image")
    missing = [item.id for item in items if not item.file.is_file()]
    if missing:
        raise InputError(
            f"{table}: {len(missing)} of {len(items)} files are not there, such as {missing[0]!r} "
            f"in {str(root)!r}; correct the table or option 'path'"
        )
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise InputError(f"{table}: {item.id!r} is listed twice; keep one line an image")
        seen.add(item.id)


def _check_readable(
    names: Iterable[str], kept: list[_Item], left_out: list[tuple[str, str]]
) -> None:
    empty = sorted(set(names) - {item.label for item in kept})
    if empty:
        what = "no file" if not kept else f"no file of class {empty[0]!r}"
        name, reason = left_out[0]
        raise InputError(
            f"data source folder: {what} could be read as an image; "
            f"of {len(left_out)} left out the first is {name!r} ({reason})"
        )


def _key(items: list[_Item], decoding: str) -> str:
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

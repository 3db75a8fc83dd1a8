"""A table of image files: path, label and, where wanted, split and group of each."""

import codecs
import csv
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from hybrid_swin.data.class_names import check_no_splits
from hybrid_swin.data.files.folders import FileListing
from hybrid_swin.data.files.listing import ListedImage
from hybrid_swin.data.sources import SplitName
from hybrid_swin.data.spellings import (
    COLUMNS,
    SPLITS,
    is_no_group,
    is_no_label,
    is_no_value,
    simplify,
)
from hybrid_swin.errors import InputError, few, quote

_REQUIRED, _OPTIONAL = ("path", "label"), ("split", "group")
_MARKS = (  # the longer ones first: UTF-32's begins as UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_LABELS = ("class", "classname", "category", "target", "diagnosis", "y")
_FOLDS = ("fold", "folds", "kfold", "foldid", "foldno", "cvfold", "foldnumber")
_YES_OR_NO = {"0", "1", "0.0", "1.0", "true", "false", "yes", "no", "t", "f", "y", "n", "x"}
_OTHER_PATHS = ("image", "imageid", "img", "name", "filenames", "fname")


def read_table(table: Path, root: Path) -> FileListing:
    """The files that a table lists, in its order.

    Args:
        table: UTF-8, or UTF-16 with its mark; comma-separated; the first line names the columns.
        root: where its paths start.

    Raises:
        InputError: a table that cannot be read or can be read in two ways.
    """
    if not os.path.isfile(table):
        raise InputError(
            f"data source folder: csv {quote(str(table), 120)} is not a file; correct 'csv'"
        )
    listing = FileListing()
    try:
        with table.open(encoding=_encoding(table), newline="") as file:
            rows = csv.reader(file, strict=True)  # else a lost quote takes the rest of the table
            header = next(rows, [])
            places, unused = _columns([name.strip() for name in header], table.name, listing)
            cells = [
                (rows.line_num, row) for row in rows if any(cell.strip() for cell in row)
            ]  # spreadsheets leave empty lines
    except UnicodeError as error:
        raise InputError(
            f"{table.name} is not UTF-8: {quote(str(error), 90)}; save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise InputError(
            f"{table.name} cannot be read as CSV: {error}; save it with commas, one line per "
            "image, quotes closed"
        ) from error
    for line, row in cells:
        if any("\0" in cell for cell in row):
            raise InputError(f"{table.name}, line {line} holds a null byte; save the table as text")
        if len(row) != len(header):
            raise InputError(
                f"{table.name}, line {line}: {len(row)} cells, but the first line names "
                f"{len(header)}; quote cells that hold a comma, and leave none out"
            )
    _check_unused(unused, cells, table.name, "split" in places)
    listing.items = [_read_row(row, places, f"{table.name}, line {n}", root) for n, row in cells]
    _note_split_words(cells, places, listing)
    _check_table(table.name, root, listing.items)
    labels = [*dict.fromkeys(item.label for item in listing.items)]
    check_no_splits(labels, f"{table.name}, labels", "write the split in a column 'split'")
    return listing


def paths_in(table: Path) -> list[tuple[str, Path]]:
    """The files that a table names in its column ``path``, as they are written and found.

    No other column is needed. Raises InputError for a table that cannot be read, or names none.
    """
    try:
        with table.open(encoding=_encoding(table), newline="") as file:
            header, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(
            f"{quote(str(table), 120)} cannot be read as CSV: {quote(str(error), 90)}; save it as "
            "UTF-8, with commas"
        ) from error
    meant = [i for i, name in enumerate(header) if COLUMNS.meaning(name.strip()) == "path"]
    if len(meant) != 1:
        raise InputError(
            f"{table.name}: {'two columns mean' if meant else 'no column is called'} 'path'; the "
            f"first line must name one; found {quote(header, 90)}"
        )
    place = meant[0]
    cells = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
    if not cells:
        raise InputError(f"{table.name} names no image in its column {header[place]!r}")
    return [(cell, table.parent / cell) for cell in cells]


def _encoding(table: Path) -> str:
    with table.open("rb") as file:
        head = file.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        raise InputError(
            f"{table.name} is not UTF-8, but as UTF-16 without a mark; save it as UTF-8"
        )
    return "utf-8-sig"  # spreadsheets write the mark


def _columns(
    header: list[str], table: str, listing: FileListing
) -> tuple[dict[str, int], dict[str, int]]:
    """Where each of our columns stands, and where the others do."""
    counts = Counter(simplify(name) or name for name in header if name)
    twice = [name for name in header if counts[simplify(name) or name] > 1]
    if twice:
        raise InputError(f"{table}: column {quote(twice[0])} is named twice; name each once")
    places: dict[str, int] = {}
    for column in (*_REQUIRED, *_OPTIONAL):
        meant = [index for index, name in enumerate(header) if COLUMNS.meaning(name) == column]
        exact = [index for index in meant if header[index] == column]
        if len(exact or meant) > 1:
            names = " and ".join(quote(header[index], 40) for index in meant[:2])
            raise InputError(
                f"{table}: {names} both mean the column {column!r}; rename one of them"
            )
        if meant:
            places[column] = (exact or meant)[0]
    _check_present(header, places, table)
    unused = {
        name: index for index, name in enumerate(header) if index not in places.values() and name
    }
    for name in unused:
        near = COLUMNS.nearest(name)
        if near is not None and near not in places:
            raise InputError(
                f"{table}: column {quote(name)} is not used; did you mean {near!r}? Rename it to "
                f"{near!r}, or to something else if it is none"
            )
    for column, index in places.items():
        if header[index] != column:
            listing.notes.append(f"column {quote(header[index])} read as {column}")
    if unused:
        names = few((quote(name, 30) for name in unused), 5)
        listing.notes.append(
            f"columns not used: {names} (a column 'group' keeps a patient's images together)"
        )
    return places, unused


def _check_present(header: list[str], places: Mapping[str, int], table: str) -> None:
    for column, others in zip(_REQUIRED, (_OTHER_PATHS, _OTHER_LABELS), strict=True):
        if column in places:
            continue
        near = [name for name in header if COLUMNS.nearest(name) == column]
        near += [name for name in header if simplify(name) in others]
        hint = f"; did you mean {quote(near[0])}? Rename it to {column!r}" if near else ""
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            mark = next(mark for mark in ";\t|" if mark in header[0])
            name = {";": "semicolons", "\t": "tabs", "|": "bars"}[mark]
            hint = f"; its cells are separated by {name}: separate them by commas"
        raise InputError(
            f"{table}: column {column!r} is missing; found {quote(header, 90)}{hint}; the first "
            "line must name the columns path,label[,split][,group]"
        )


def _check_unused(
    unused: Mapping[str, int], cells: list[tuple[int, list[str]]], table: str, has_splits: bool
) -> None:
    """Raise InputError for a column that is not used and holds splits, whatever its name."""
    for name, index in {} if has_splits else unused.items():
        cell_values = [row[index].strip() for _, row in cells]
        values = {value for value in cell_values if not is_no_value(value)}
        if _says_split(name, values) or _are_split_words(values, len(values) < len({*cell_values})):
            some = ", ".join(quote(value, 30) for value in sorted(values)[:3])
            raise InputError(
                f"{table}: column {quote(name, 40)} is not used, but holds {some}; rename it to "
                "'split', with train, validation or test in each line, to keep them, or take "
                "it out to have them drawn"
            )


def _says_split(name: str, values: set[str]) -> bool:
    """Whether a column such as 'is_test' or 'fold' tells splits by yes and no, or by number."""
    plain = simplify(name)
    is_flag = {value.casefold() for value in values} <= _YES_OR_NO
    named = SPLITS.meaning(re.sub("^(is|in|for)", "", plain)) is not None
    return bool(values) and (plain in _FOLDS or (named and is_flag))


def _are_split_words(values: set[str], has_empty: bool) -> bool:
    """Whether most values are splits; one alone is where the other cells are empty."""
    known = [value for value in values if SPLITS.meaning(value) or SPLITS.is_near(value)]
    sure = [value for value in known if SPLITS.meaning(value) or SPLITS.nearest(value) is None]
    if len(values) == 1:
        return has_empty and bool(sure)
    return bool(values) and (
        len(known) == len(values) or (bool(sure) and 2 * len(known) > len(values))
    )


def _read_row(
    row: list[str], places: Mapping[str, int], where: str, root: Path
) -> ListedImage[Path]:
    cells = {column: row[index].strip() for column, index in places.items()}
    for name in _REQUIRED:
        if not cells[name]:
            raise InputError(f"{where}: {name} is empty")
    if is_no_label(cells["label"]):
        raise InputError(
            f"{where}: label is {quote(cells['label'])}, as many tables mark an image without a "
            "label; give it or take the line out, or name the class otherwise if it is one"
        )
    if cells.get("group") and is_no_group(cells["group"]):
        raise InputError(
            f"{where}: group is {quote(cells['group'])}, as many tables mark that none is known; "
            "leave the cell empty, so that these images do not become one group"
        )
    file = Path(os.path.normpath(root / cells["path"]))
    if not file.is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"{where}: {quote(cells['path'])} lies outside {quote(str(root))}; "
            "give the folder that holds all files as option 'path'"
        )
    name = file.relative_to(os.path.normpath(root)).as_posix()
    split = SPLITS.read(cells["split"], where) if cells.get("split") else ""
    return ListedImage(name, file, cells["label"], cast(SplitName, split), cells.get("group", ""))


def _note_split_words(
    cells: list[tuple[int, list[str]]], places: Mapping[str, int], listing: FileListing
) -> None:
    words = {row[places["split"]].strip() for _, row in cells} if "split" in places else set()
    for word in sorted(words - {""}):
        if SPLITS.meaning(word) != word:
            listing.notes.append(f"split {quote(word)} read as {SPLITS.meaning(word)}")


def _check_table(table: str, root: Path, items: list[ListedImage[Path]]) -> None:
    if not items:
        raise InputError(f"{table} lists no image; give one line per image")
    missing = [item.id for item in items if not os.path.isfile(item.file)]
    if missing:
        what = "are not there"
        if any(os.path.exists(item.file) for item in items if not os.path.isfile(item.file)):
            what = "are not there or not files"
        turned = "write / for \\ in its paths, or " if "\\" in missing[0] else ""
        raise InputError(
            f"{table}: {len(missing)} of {len(items)} files {what}, such as {quote(missing[0])} "
            f"in {quote(str(root))}; {turned}correct the table or option 'path'"
        )
    for name, count in Counter(item.id for item in items).items():
        if count > 1:
            raise InputError(f"{table}: {quote(name)} is listed twice; keep one line per image")

"""Which image files a folder holds, of which class and split: its names and shape tell.

    path/class/*    or    path/{train,validation,test}/class/*

What looks like a split but is spelt otherwise, stands among classes or inside one, or holds the
same folders as all beside it, is refused: taken for a class, it would be ranked as one.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, cast

from hybrid_swin.data.class_names import check_no_splits
from hybrid_swin.data.files.decoding import FORMATS, SUFFIXES
from hybrid_swin.data.files.listing import ListedImage, Listing
from hybrid_swin.data.sources import SplitName
from hybrid_swin.data.spellings import IMAGE_FOLDERS, MASK_FOLDERS, SPLITS, is_no_label, simplify
from hybrid_swin.errors import InputError, quote

FolderLayout = Literal["auto", "classes", "splits"]

_SYSTEM = ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin")
_HEADS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")  # of files without a suffix
_SORT = (
    "lay them as train/cat and test/cat, or list the files in a csv with a column split, or give "
    "data.options.layout: classes if all are classes"
)
_HINT = "give data.options.layout: classes if these folders are classes, whatever their names"


FileListing = Listing[Path]


class _Inside(NamedTuple):
    """What a folder holds, sorted by name."""

    folders: list[Path]
    files: list[Path]  # of images, by their suffix or first bytes
    ignored: list[tuple[Path, str]]


def list_folders(root: Path, layout: FolderLayout) -> FileListing:
    """The image files below a folder.

    Raises:
        InputError: no class folders, or names that can be read in two ways.
        OSError: a folder that cannot be read.
    """
    inside, listing = _look_into(root), FileListing()
    if layout == "auto":
        _check_not_too_high(root, inside)
        _check_no_masks(root, inside.folders)
    _pass_over(root, inside, listing, "lies in no class folder")
    if not _are_splits(root, inside.folders, layout):
        if layout == "auto":
            names = [folder.name for folder in inside.folders]
            check_no_splits(names, _where(root), _SORT)
        _list_classes(root, root, inside.folders, "", listing, layout)
        return listing
    for folder in inside.folders:
        split = cast(SplitName, SPLITS.read(folder.name, _where(root)))
        if folder.name != split:
            listing.notes.append(f"folder {quote(folder.name)} read as {split}")
        within = _look_into(folder)
        _pass_over(root, within, listing, "lies in no class folder")
        _list_classes(root, folder, within.folders, split, listing, layout)
    return listing


def images_below(folder: Path) -> tuple[list[Path], int]:
    """Image files at any depth, by name, and how many files beside them are none.

    Raises:
        InputError: a folder that cannot be read.
    """
    try:
        parts = list(_walk(folder))
    except OSError as error:
        raise InputError(f"folder {quote(str(folder), 120)} cannot be read: {error}") from error
    files = [file for part in parts for file in part.files]
    return sorted(files), sum(len(part.ignored) for part in parts)


def _are_splits(root: Path, folders: list[Path], layout: FolderLayout) -> bool:
    """Whether the first level are splits, else classes; InputError where it could be both."""
    if layout == "classes":
        return False
    known = [SPLITS.meaning(folder.name) for folder in folders]
    odd = [folder for folder in folders if SPLITS.is_near(folder.name)]
    if layout == "auto" and len(known) > known.count(None):
        alone = len(known) - known.count(None) + sum(_is_ambiguous(folder) for folder in odd) == 1
        split = next(folder for folder, meaning in zip(folders, known, strict=True) if meaning)
        if alone and len(folders) > 1 and not _holds_classes(split):
            return False  # a class may be called 'train', or 'valid' beside 'invalid'
    elif layout == "auto" and not any(_is_alike(folder, folders) for folder in odd):
        return False
    for folder, meaning in zip(folders, known, strict=True):
        if meaning is None and (folder in odd or layout == "splits"):
            raise InputError(f"{SPLITS.refuse(folder.name, _where(root))}; {_HINT}")
    if None in known:
        raise InputError(
            f"{_where(root)} holds {_names(folders)}: splits and others at one level. Give either "
            "one folder per class, or nothing but train and, where wanted, validation and test; "
            + _HINT
        )
    if len(set(known)) < len(known) or "train" not in known:
        raise InputError(
            f"{_where(root)} holds {_names(folders)}; give each split once, nothing but train and, "
            f"where wanted, validation and test; {_HINT}"
        )
    return True


def _is_ambiguous(folder: Path) -> bool:
    return SPLITS.nearest(folder.name) is None


def _holds_classes(folder: Path) -> bool:
    """Whether folders lie in it and no image beside them, as in a split."""
    inside = _look_into(folder)
    return bool(inside.folders) and not inside.files


def _is_alike(folder: Path, folders: list[Path]) -> bool:
    """Whether a folder is built as a split would be: with the same classes as another one."""
    if not _holds_classes(folder):
        return False
    mine = {part.name for part in _look_into(folder).folders}
    others = [other for other in folders if other != folder]
    return not others or any(
        mine & {part.name for part in _look_into(other).folders} for other in others
    )


def _list_classes(
    root: Path,
    folder: Path,
    classes: list[Path],
    split: SplitName | Literal[""],
    listing: FileListing,
    layout: FolderLayout,
) -> None:
    """The files of a folder that holds one folder per class."""
    if not classes:
        above = "give the folder above if this is one class, else " * bool(_look_into(folder).files)
        raise InputError(
            f"{_where(folder)} holds no class folder; {above}sort the images into one folder per "
            "class, or give option 'csv'"
        )
    for part in classes:
        if layout != "classes" and is_no_label(part.name):
            layout_hint = "" if split else ", or give data.options.layout: classes"
            raise InputError(
                f"{_where(folder)}: class folder {quote(part.name)} is named as many sets mark "
                f"images without a label; move it away; if it is a class, rename it{layout_hint}"
            )
        before, others = len(listing.items), len(listing.ignored)
        for inside in _walk(part):
            if layout == "auto":
                _check_no_splits(root, inside.folders)
            _pass_over(root, inside, listing)
            listing.items += [
                ListedImage(file.relative_to(root).as_posix(), file, part.name, split)
                for file in inside.files
            ]
        if len(listing.items) == before:
            seen = (item for item in listing.ignored[others:] if item[1] != "hidden")
            what = next(
                (f"holds no image, only such as {quote(name)} ({why})" for name, why in seen),
                "is empty",
            )
            raise InputError(
                f"data source folder: class folder {quote(str(part), 120)} {what}; fill it or "
                "remove it"
            )
    if layout == "auto":
        _check_not_repeated(folder, classes, split)


def _check_not_too_high(root: Path, inside: _Inside) -> None:
    """Raise InputError for a folder whose only folder holds the classes or splits."""
    if len(inside.folders) != 1 or inside.files:
        return
    [only] = inside.folders
    if SPLITS.meaning(only.name) or SPLITS.is_near(only.name) or not _holds_classes(only):
        return
    classes = _look_into(only).folders
    if len(classes) > 1:
        raise InputError(
            f"{_where(root)} holds the folder {quote(only.name)} alone, and that holds "
            f"{_names(classes)}: give {quote(str(only), 120)} instead"
        )


def _check_no_masks(root: Path, folders: list[Path]) -> None:
    """Raise InputError for a folder of images beside one of their masks: no two classes."""
    simple = {simplify(folder.name) for folder in folders}
    if simple & IMAGE_FOLDERS and simple & MASK_FOLDERS:
        raise InputError(
            f"{_where(root)} holds {_names(folders)}: images beside masks or labels in files, not "
            f"one folder per class; give option 'csv' with the columns path and label, or {_HINT}"
        )


def _check_no_splits(root: Path, folders: list[Path]) -> None:
    """Raise InputError where splits lie inside a class: all files would count alike.

    A lone split does, and one beside another or beside a word that could be one; 'train' among
    other folders may be a kind of vehicle.
    """
    known = [folder for folder in folders if SPLITS.meaning(folder.name)]
    odd = [folder for folder in folders if SPLITS.is_near(folder.name)]
    sure = len(known) + sum(_is_ambiguous(folder) for folder in odd)
    if (known and len(known) + len(odd) > 1) or (folders and sure == len(folders)):
        where = folders[0].parent.relative_to(root).as_posix()
        raise InputError(
            f"data source folder: {quote(where, 60)} holds {_names(folders)}: splits inside a "
            "class are not kept apart. Lay them above the classes (train/class/...), or name each "
            "image's split in a csv; " + _HINT.replace("these folders", "the first folders")
        )


def _check_not_repeated(folder: Path, parts: list[Path], split: str) -> None:
    """Raise InputError where each class holds the same folders, as sites or splits would.

    Years and dates are not classes.
    """
    held = [_look_into(part) for part in parts]
    if len(parts) < 2 or any(inside.files for inside in held):
        return
    common = set.intersection(*({part.name for part in inside.folders} for inside in held))
    common = {name for name in common if not re.fullmatch(r"(19|20)\d\d([-_.]?\d\d){0,2}", name)}
    if len(common) > 1:
        hint = "splits" if split else "classes"
        raise InputError(
            f"{_where(folder)} holds {_names(parts)}, each with the same folders "
            f"{quote(', '.join(sorted(common)[:4]), 60)}. If these are the classes, leave out the "
            "level above, or list the files in a csv; if the level above is, give "
            f"data.options.layout: {hint}"
        )


def _walk(folder: Path) -> Iterator[_Inside]:
    """What lies at any depth. Links are followed, and each folder is visited once."""
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        inside = _look_into(here)
        yield inside
        waiting += reversed(inside.folders)


def _look_into(folder: Path) -> _Inside:
    inside = _Inside([], [], [])
    for path in sorted(folder.iterdir()):
        try:
            mode = os.stat(path).st_mode
        except OSError:  # a link to nothing, or in a circle: told where it should be an image
            mode = stat.S_IFREG
        if path.name.startswith("."):
            inside.ignored.append((path, "hidden"))
        elif path.name.casefold() in _SYSTEM:
            inside.ignored.append((path, "made by an operating system"))
        elif stat.S_ISDIR(mode):
            inside.folders.append(path)
        elif not stat.S_ISREG(mode):
            inside.ignored.append((path, "not a regular file"))
        elif path.suffix.lower() in SUFFIXES or _begins_as_image(path):
            inside.files.append(path)
        else:
            inside.ignored.append((path, f"no image ({', '.join(FORMATS)})"))
    return inside


def _begins_as_image(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            head = opened.read(12)
    except OSError:
        return False
    return head.startswith(_HEADS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _pass_over(root: Path, inside: _Inside, listing: FileListing, why: str = "") -> None:
    """Note what is not an image and, where images belong nowhere here, these."""
    listing.ignored += [
        (path.relative_to(root).as_posix(), reason) for path, reason in inside.ignored
    ]
    if why:
        listing.left_out += [(path.relative_to(root).as_posix(), why) for path in inside.files]


def _where(folder: Path) -> str:
    return f"data source folder: {quote(str(folder), 120)}"


def _names(folders: list[Path]) -> str:
    names = [folder.name for folder in folders[:6]]
    return quote(", ".join(names) + ", ..." * (len(folders) > len(names)), 90)

"""What lies in a folder, table or array file: how many images, of which sizes and colours."""

import hashlib
import math
import re
import statistics
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from hybrid_swin.data.files.decoding import FORMATS
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.sources import user_path
from hybrid_swin.data.sources.folder import FolderSource
from hybrid_swin.data.sources.npz import NpzSource
from hybrid_swin.data.summary import independent
from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.system.files import expanded
from search.settings.names import MOST_NAME, is_taken

_SAMPLE = 200  # files whose size and colours are read, evenly over all
_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
_ORIENTATION = 0x0112
_MOST_CHANGE = 1 / 0.9  # of proportions, to which images are cropped
_STRANGE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class ImageSizes:
    """What a look at the images' headers tells."""

    source: str  # name of the data source that reads them
    options: dict[str, Any]  # its options
    size: tuple[int, int]  # (height, width), the medians
    fixed: bool  # whether images have this size and cannot be resized
    channels: int  # 1 for grey, 3 for colour; of arrays as they are
    proportions: tuple[float, ...] = ()  # width through height of each; none for arrays

    @property
    def typical(self) -> float:
        """Width through height, so that an image and its quarter turn even out."""
        if not self.proportions:
            return self.size[1] / self.size[0]
        return math.exp(statistics.fmean(map(math.log, self.proportions)))

    def change(self, image_size: tuple[int, int]) -> float:
        """How many times the proportions of any of them differ from those of a network's images."""
        wanted = image_size[1] / image_size[0]
        return max((max(one / wanted, wanted / one) for one in self.proportions), default=1.0)

    def fitted(self, image_size: tuple[int, int]) -> "ImageSizes":
        """With the option for how they become a network's images.

        They are cropped to its proportions, as loaders do, but where that would cut more than a
        tenth off any of them, they are squeezed: what tells classes apart may lie at the ends.
        """
        if self.change(image_size) <= _MOST_CHANGE:
            return self
        return replace(self, options={**self.options, "resize": "squash"})


@dataclass(frozen=True)
class ImageCounts:
    """What the loaded images tell."""

    classes: int  # how many
    train: int  # images to learn from
    validation: int  # images to choose by
    test: int  # images to report
    tested: int  # independent ones among them: groups, if images have groups
    given: tuple[str, ...]  # splits that the source gives
    groups: int  # groups of images that belong together; 0 if there are none
    least: int  # images of the smallest class
    most: int  # images of the largest class
    left_out: int = 0  # files that cannot be used


def name_of(path: str, ending: str = "") -> str:
    """A study's name from the images' path; ``ending`` stands at its end.

    Names take ASCII only. A word without any, such as one in Chinese, becomes a short hash.
    """
    place = expanded(path).absolute()
    stem = unicodedata.normalize("NFC", place.stem if place.is_file() else place.name)
    word = _STRANGE.sub("-", stem).strip("-")[: MOST_NAME - len(ending)]
    if not word and stem:
        word = f"images-{hashlib.sha256(stem.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
    if not word or not is_taken(word + ending):  # such as aux, a device of Windows
        word = f"images-{word}".rstrip("-")
    return word + ending


def images_in(path: str) -> tuple[str, dict[str, Any]]:
    """The data source that reads what `--images` names, and its options.

    Raises:
        InputError: nothing is there, or something else.
    """
    place = user_path(path, "--images")
    if path and place.is_dir():
        return "folder", {"path": path}
    if place.is_file() and place.suffix.lower() == ".csv":
        return "folder", {"csv": path}
    if place.is_file() and place.suffix.lower() == ".npz":
        return "npz", {"path": path}
    if path and place.exists():
        raise InputError(
            f"--images {quote(path, 120)} is a file of another kind; give a folder with one folder "
            "per class, a folder with train, val and test, a .csv or an .npz"
        )
    raise InputError(f"--images {quote(path, 120)}: there is no such folder or file{here(path)}")


def check_no_others(given: Mapping[str, Any]) -> None:
    """Raise InputError for settings of the command line that name images beside `--images`."""
    data = given.get("data", {})
    named = [f"data.{key}" for key in ("source", "class_path") if data.get(key)]
    options = data.get("options") or {}
    named += [f"data.options.{key}" for key in ("path", "csv") if options.get(key)]
    if named:
        raise InputError(
            f"--images names the images, and --{named[0]} names others; leave one of the two out"
        )


def look_at(path: str) -> ImageSizes:
    """Read the headers of a sample of the images in a folder, a CSV or an .npz file.

    Raises InputError if nothing is there, or what is there cannot be used.
    """
    source, options = images_in(path)
    if source == "folder":
        return _of_files(source, options, FolderSource(**options))
    height, width, channels = NpzSource(path).shape()
    return ImageSizes(source, options, (height, width), True, channels)


def _of_files(source: str, options: dict[str, Any], files: FolderSource) -> ImageSizes:
    listing = files.listing()
    chosen = listing.items[:: -(-len(listing.items) // _SAMPLE) or 1]
    headers = [header for item in chosen if (header := _header(item.file))]
    sizes = [size for size, _ in headers] or [(64, 64)]  # loading them says what is wrong
    channels = 1 if headers and all(grey for _, grey in headers) else 3
    proportions = tuple(width / height for height, width in sizes)
    return ImageSizes(source, options, _medians(sizes), False, channels, proportions)


def _header(file: Path) -> tuple[tuple[int, int], bool] | None:
    """Size and whether it is grey; None for a file that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as opened:
                width, height = opened.size
                if opened.getexif().get(_ORIENTATION) in _TURNED:
                    width, height = height, width
                return (height, width), opened.mode in _GREY_MODES
    except Exception:  # a damaged file can break any step
        return None


def _medians(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The median height and width."""
    heights, widths = zip(*sizes, strict=True)
    return round(statistics.median(heights)), round(statistics.median(widths))


def load_counts(
    data: DataSettings, image_size: tuple[int, int], channels: int, cache: Path
) -> ImageCounts:
    """Load and split the images. Raises InputError if they cannot be used or split."""
    loaded = load_data(data, image_size, channels, cache)
    images, splits = loaded.images, loaded.splits
    labels = [int((images.labels == index).sum()) for index in range(len(images.class_names))]
    return ImageCounts(
        classes=len(images.class_names),
        train=len(splits.train),
        validation=len(splits.validation),
        test=len(splits.test),
        tested=independent(images, splits.test),
        given=tuple(sorted(set(images.splits or ()) - {""})),
        groups=len(set(images.groups or ()) - {""}),
        least=min(labels),
        most=max(labels),
        left_out=len(images.left_out),
    )

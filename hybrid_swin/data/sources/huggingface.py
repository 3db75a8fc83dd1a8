"""Images that Hugging Face's `datasets` opens: from a disk, from parquet files, from the hub."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from hybrid_swin.data.files.decoding import Decoder
from hybrid_swin.data.files.listed_images import decoded
from hybrid_swin.data.files.listing import ListedImage, Listing, check_told
from hybrid_swin.data.sources import (
    LabelledImages,
    Source,
    SplitName,
    check_range,
    user_path,
)
from hybrid_swin.data.spellings import SPLITS
from hybrid_swin.errors import InputError, few, quote, unknown
from hybrid_swin.errors.failed_imports import is_installed
from hybrid_swin.errors.plain_text import described

_WORDS = "data source huggingface"


@dataclass(frozen=True, eq=False)
class _Cell:
    """The image file in a row of a data set."""

    rows: Any  # a datasets.Dataset, whose images are not decoded
    column: str
    index: int

    @property
    def name(self) -> str:
        return f"row {self.index}"

    def read(self) -> bytes:
        """Its content. Raises ValueError if there is none, OSError if it cannot be read."""
        value = self.rows[self.index][self.column]
        content: bytes | None = value if isinstance(value, bytes) else None
        if isinstance(value, Mapping):
            content = value.get("bytes")
            if content is None and value.get("path") and Path(value["path"]).is_file():
                content = Path(value["path"]).read_bytes()
        if content is None:
            raise ValueError("no image in this row")
        return content


@final
class HuggingfaceSource(Source):
    """A data set that `datasets` of Hugging Face opens: of its disk format, of files, of the hub.

    Splits are those of the data set, in the spellings that folders may have; one split alone is
    free to be drawn from. The column of images holds image files (``Image``, or bytes), which are
    decoded with the rules of ``decoding.Decoder`` and kept in the cache under the data set's
    fingerprint. Labels are ``ClassLabel``, text or whole numbers. Code in a data set is never run
    (`datasets` 4 and later has no way to). It is in the extra ``[data]``.

    Source: https://huggingface.co/docs/datasets

    Args:
        path: a folder that ``save_to_disk`` wrote; a folder of parquet files, or one of them; or a
            name on the hub, such as ylecun/mnist, where there is a network or it was loaded before.
        image: the column of images.
        label: the column of classes.
        group: the column of what no split may tear apart, such as patient.
        config: which of a data set's configurations.
        revision: of a name on the hub, a branch or a commit; name a commit to get the same again.
        resize: how another size becomes the variant's, see ``decoding.Decoder``.
        value_range: [low, high], the pixel values that become 0 and 1; values outside are clipped.
            Without it values are kept as they are (8 and 16 bits as shares of their full scale).
    """

    def __init__(
        self,
        path: str,
        image: str = "image",
        label: str = "label",
        group: str = "",
        config: str = "",
        revision: str = "",
        resize: Literal["crop", "squash", "pad", "none"] = "crop",
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.path = path
        self.image, self.label, self.group = image, label, group
        self.config, self.revision = config, revision
        self.resize: Literal["crop", "squash", "pad", "none"] = resize
        self.value_range = check_range(_WORDS, value_range)

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All readable images: train, validation, test, each in the data set's order."""
        if not is_installed("datasets"):
            raise InputError(
                f"{_WORDS} needs the package datasets, which is not installed; "
                "pip install 'hybrid-swin[data]'"
            )
        decoder = Decoder(image_size, in_channels, self.resize, self.value_range)
        with _quiet():
            parts = self._parts(None if cache is None else cache / "huggingface")
        listing = Listing[_Cell]()
        for split, part in parts.items():
            listing.items += self._listed(split, part)
        listing.check_classes(f"{_WORDS}: column {self.label!r} of {quote(self.path, 90)}")
        prints = [f"{split} {part._fingerprint}" for split, part in parts.items()]
        key = _key([*prints, self.image, self.label, decoder.identity])
        return decoded(_WORDS, listing, decoder, cache, key)

    def _parts(self, cache: Path | None) -> dict[str, Any]:
        """The data set of each split, with images as files; '' for one that is free."""
        import datasets

        opened = self._opened(cache)
        parts = opened if isinstance(opened, Mapping) else {"train": opened}
        if not all(isinstance(part, datasets.Dataset) for part in parts.values()):
            raise InputError(f"{_WORDS}: {quote(self.path, 120)} holds no table of rows")
        meanings: dict[str, Any] = {}
        for name, part in parts.items():
            split = SPLITS.read(name, f"{_WORDS}: {quote(self.path, 90)}")
            if split in meanings:
                raise InputError(
                    f"{_WORDS}: {quote(self.path, 90)} holds the splits {few(map(quote, parts))}, "
                    f"of which two mean {split}; save it with one of each"
                )
            self._check_columns(part.features)
            as_files = part
            if isinstance(part.features[self.image], datasets.Image):
                as_files = part.cast_column(self.image, datasets.Image(decode=False))
            meanings[split] = as_files
        if len(meanings) == 1:
            return {"": next(iter(meanings.values()))}
        if "train" not in meanings:
            raise InputError(f"{_WORDS}: {quote(self.path, 90)} has no split train; add it")
        return {
            split: meanings[split] for split in ("train", "validation", "test") if split in meanings
        }

    def _opened(self, cache: Path | None) -> Any:
        import datasets

        place = user_path(self.path, "path")
        is_saved = place.is_dir() and any(
            (place / name).is_file() for name in ("dataset_dict.json", "state.json")
        )
        named = {"name": self.config or None, "cache_dir": None if cache is None else str(cache)}
        try:
            if is_saved:
                return datasets.load_from_disk(str(place))
            if place.is_file():
                return datasets.load_dataset("parquet", data_files=str(place), **named)
            if place.is_dir():
                return datasets.load_dataset(str(place.absolute()), **named)
            return datasets.load_dataset(self.path, revision=self.revision or None, **named)
        except Exception as error:  # files, network and the hub fail in many ways
            raise InputError(
                f"{_WORDS}: {quote(self.path, 120)} cannot be opened: "
                f"{quote(described(error), 200)[1:-1]}; it must be a folder of save_to_disk, a "
                "folder of parquet files or one of them, or a name on the hub"
            ) from error

    def _check_columns(self, features: Mapping[str, Any]) -> None:
        import datasets

        for option in ("image", "label", "group"):
            column = getattr(self, option)
            if column not in features and (column or option != "group"):
                raise unknown(f"column of option {option!r}", column, features)
        kind = features[self.image]
        if not isinstance(kind, datasets.Image) and getattr(kind, "dtype", "") != "binary":
            images = [name for name, known in features.items() if isinstance(known, datasets.Image)]
            raise InputError(
                f"{_WORDS}: column {self.image!r} holds {kind}, not images; give option 'image'"
                + (f": {few(images)}" if images else "")
            )
        for column in filter(None, (self.label, self.group)):
            dtype = getattr(features[column], "dtype", "")
            if not dtype.startswith(("int", "uint", "string", "large_string")):
                raise InputError(
                    f"{_WORDS}: column {column!r} holds {features[column]}; whole numbers, text or "
                    "ClassLabel are needed, one for each image"
                )

    def _listed(self, split: str, part: Any) -> Iterator[ListedImage[_Cell]]:
        names = getattr(part.features[self.label], "names", None)
        labels = list(part[self.label])
        groups = list(part[self.group]) if self.group else [None] * len(labels)
        for index, (label, group) in enumerate(zip(labels, groups, strict=True)):
            texts = ["" if value is None else str(value) for value in (label, group)]
            check_told(f"{_WORDS}: row {index} of {split or 'the data set'}", *texts)
            name, cell = texts[0] if names is None else names[label], _Cell(part, self.image, index)
            yield ListedImage(f"{split or 'row'}/{index}", cell, name, _split(split), texts[1])


def _split(name: str) -> SplitName | Literal[""]:
    splits: tuple[SplitName, ...] = ("train", "validation", "test")
    return next((split for split in splits if split == name), "")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and the warnings of `datasets`, which would lie across our own lines."""
    import datasets

    were_shown = not datasets.utils.are_progress_bars_disabled()
    verbosity = datasets.utils.logging.get_verbosity()
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.utils.logging.set_verbosity(verbosity)
        if were_shown:
            datasets.enable_progress_bars()


def _key(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:20]

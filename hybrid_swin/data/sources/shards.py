"""Images in tar files, as WebDataset writes them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, cast, final

from hybrid_swin.data.files.decoding import Decoder
from hybrid_swin.data.files.listed_images import decoded
from hybrid_swin.data.files.shards import Place, ShardListing, ShardReader
from hybrid_swin.data.sources import (
    LabelledImages,
    Source,
    SplitName,
    check_range,
    user_path,
)
from hybrid_swin.data.spellings import SPLITS, simplify
from hybrid_swin.errors import InputError, here, quote

_WORDS = "data source shards"
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_SORT = "name every shard after one, such as train-000.tar, or none"


@final
class ShardsSource(Source):
    """Tar files of samples as WebDataset writes them: cat-01.jpg, cat-01.cls, cat-02.jpg, ...

    Files of a sample have one name up to the first dot; one is an image, and one says its class. A
    shard whose name holds the name of a split, such as train-000.tar or imagenet-val-01.tar, or
    that lies in a folder of such a name, is of that split. Shards are read in the order of their
    names, and samples in that of the shard; nothing is unpacked. Samples without image or label are
    left out by name. Images are decoded with the rules of ``decoding.Decoder``, and kept in the
    cache under a key of the shards' names, sizes and times.

    Source: https://github.com/webdataset/webdataset, "The WebDataset Format"

    Args:
        path: folder of the shards, at any depth; or one of them.
        label: where a sample's class stands: the suffix of a file, or a name in its JSON, such as
            json.label.
        group: likewise, what no split may tear apart, such as json.patient.
        resize: how another size becomes the variant's, see ``decoding.Decoder``.
        value_range: [low, high], the pixel values that become 0 and 1; values outside are clipped.
            Without it values are kept as they are (8 and 16 bits as shares of their full scale).
    """

    def __init__(
        self,
        path: str,
        label: str = "cls",
        group: str = "",
        resize: Literal["crop", "squash", "pad", "none"] = "crop",
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.path = path
        of_group = Place.of("group", group) if group else None
        self._reader = ShardReader(Place.of("label", label), of_group)
        self.resize: Literal["crop", "squash", "pad", "none"] = resize
        self.value_range = check_range(_WORDS, value_range)

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All readable images in the order of the shards."""
        decoder = Decoder(image_size, in_channels, self.resize, self.value_range)
        shards = self._shards()
        listing = self._listing(shards)
        return decoded(_WORDS, listing, decoder, cache, _key(shards, listing, decoder.identity))

    def _shards(self) -> dict[Path, str]:
        """The tar files, by name, and what they are called."""
        place = user_path(self.path, "path")
        if place.is_file():
            return {place: place.name.removesuffix(".tar")}
        if not place.is_dir():
            raise InputError(
                f"{_WORDS}: {quote(str(place), 120)} is not there{here(self.path)}; correct 'path'"
            )
        files = sorted(file for file in place.rglob("*") if file.is_file())
        shards = [file for file in files if file.suffix.lower() == ".tar"]
        packed = [file for file in files if file.name.lower().endswith(_COMPRESSED)]
        if packed:
            raise InputError(
                f"{_WORDS}: {packed[0].name} is compressed, so that images cannot be read where "
                "they lie; write it as .tar (images are compressed already)"
            )
        if not shards:
            raise InputError(f"{_WORDS}: {quote(str(place), 120)} holds no file that ends in .tar")
        return {file: file.relative_to(place).as_posix().removesuffix(".tar") for file in shards}

    def _listing(self, shards: dict[Path, str]) -> ShardListing:
        """What all shards hold. Raises InputError for what no classifier can learn from."""
        splits = {name: _split_of(name) for name in shards.values()}
        if any(splits.values()) and not all(splits.values()):
            free = next(name for name, split in splits.items() if not split)
            raise InputError(
                f"{_WORDS}: {quote(f'{free}.tar')} is of no split, and others are; {_SORT}"
            )
        listing, reader = ShardListing(notes=_slips(shards.values())), self._reader
        for file, name in shards.items():
            reader.add(file, name, splits[name], listing)
        listing.check_classes(f"{_WORDS}: {quote(self.path, 120)}")
        counts = Counter(item.id for item in listing.items)
        twice = next((name for name, count in counts.items() if count > 1), None)
        if twice is not None:
            raise InputError(
                f"{_WORDS}: {quote(twice, 90)} is there more than once; the samples of a shard "
                "need names of their own: write it again"
            )
        return listing


def _split_of(name: str) -> SplitName | Literal[""]:
    """The split that a shard's name or folder tells; InputError where it tells two."""
    words = _words(name)
    for word in words:
        if simplify(word) in SPLITS.ambiguous:
            raise SPLITS.refuse(word, f"{_WORDS}: {quote(f'{name}.tar', 90)}")
    meanings = {meaning for word in words if (meaning := SPLITS.meaning(word))}
    if len(meanings) > 1:
        raise InputError(
            f"{_WORDS}: {quote(f'{name}.tar', 90)} names the splits {', '.join(sorted(meanings))}; "
            f"{_SORT}"
        )
    return cast("SplitName", meanings.pop()) if meanings else ""


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[/_.\-\s]+", name) if word]


def _slips(names: Iterable[str]) -> list[str]:
    """Words that look like those of a split and are not read so, with the first shard of each."""
    first: dict[str, str] = {}
    for name in names:
        for word in _words(name):
            if SPLITS.meaning(word) is None and SPLITS.is_near(word):
                first.setdefault(word, name)
    return [
        f"{quote(word)} of {quote(f'{name}.tar', 60)} is not read as a split"
        for word, name in first.items()
    ]


def _key(shards: Iterable[Path], listing: ShardListing, decoding: str) -> str:
    """Changes whenever the pixels may have changed."""
    sha = hashlib.sha256(decoding.encode())
    for file in shards:
        stat = file.stat()
        stamp = f"\n{file} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        sha.update(stamp.encode("utf-8", "surrogateescape"))
    for item in listing.items:
        sha.update(f"\n{item.id} {item.file.offset}".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:20]

"""Tar files of samples (WebDataset's layout): which images they hold, in order, not unpacked.

    cat-01.jpg  cat-01.cls  cat-01.json  cat-02.jpg  ...

Files whose names are equal up to the first dot are a sample, whose image, label and group they are.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from hybrid_swin.data.files.decoding import SUFFIXES
from hybrid_swin.data.files.image_file import Member
from hybrid_swin.data.files.listing import ListedImage, Listing, check_told
from hybrid_swin.data.sources import SplitName
from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import described

_MOST_TEXT = 1024**2  # bytes of a label, or of what is known of a sample
_LARGEST = 1024**3  # bytes of an image file

ShardListing = Listing[Member]


class Place(NamedTuple):
    """Where a text stands in a sample: a file's suffix, and a name in it if that is JSON."""

    suffix: str
    name: str = ""

    def __str__(self) -> str:
        return ".".join(filter(None, self))

    @classmethod
    def of(cls, option: str, text: str) -> "Place":
        """Read ``cls``, ``txt`` or ``json.label``. Raises InputError for anything else."""
        suffix, _, name = text.strip().lstrip(".").partition(".")
        if not suffix or (suffix.lower() == "json") != bool(name):
            raise InputError(
                f"data source shards: option {option!r}: {quote(text)} names no file of a sample; "
                "give its suffix, such as cls or txt, or a name in its JSON, such as json.label"
            )
        return cls(suffix.lower(), name)

    def find(self, texts: Mapping[str, bytes]) -> str:
        """The text in a sample's files, '' if there is none. Raises ValueError for another kind."""
        content = texts.get(self.suffix)
        if content is None:
            return ""
        if not self.name:
            return content.decode("utf-8").strip()
        value: Any = json.loads(content)
        for name in self.name.split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{self.name} is neither text nor a whole number")
        return str(value).strip()


@dataclass(frozen=True)
class ShardReader:
    """Lists the samples of tar files, which are not compressed: images are read where they lie.

    Args:
        label: where a sample's class stands.
        group: where its group stands; None for no groups.
    """

    label: Place
    group: Place | None

    def add(
        self, file: Path, name: str, split: SplitName | Literal[""], listing: ShardListing
    ) -> None:
        """Add the samples of a shard of this name, which ids begin with, in their order.

        Raises:
            InputError: it cannot be read, or a label or group is a mark for none.
        """
        try:
            with tarfile.open(file, "r:") as archive:
                for key, parts in _samples(archive, name, listing):
                    image = self._listed(archive, f"{name}/{key}", parts, split, file)
                    if isinstance(image, str):
                        listing.left_out.append((f"{name}/{key}", image))
                    else:
                        listing.items.append(image)
        except InputError:
            raise
        except Exception as error:  # damaged bytes can break any step of reading them
            raise InputError(
                f"data source shards: {file.name} cannot be read as a tar file without "
                f"compression: {quote(described(error), 120)[1:-1]}; write it again, as .tar"
            ) from error

    def _listed(
        self,
        archive: tarfile.TarFile,
        name: str,
        parts: Mapping[str, tarfile.TarInfo],
        split: SplitName | Literal[""],
        file: Path,
    ) -> ListedImage[Member] | str:
        """A sample's image, or the reason why it has none."""
        suffixes = [suffix for suffix in parts if f".{suffix.rpartition('.')[2]}" in SUFFIXES]
        if len(suffixes) != 1:
            few = f"{len(suffixes)} images" if suffixes else "no image"
            return f"the sample holds {few} ({', '.join(parts)})"
        image = parts[suffixes[0]]
        if image.size > _LARGEST:
            return "larger than 1 GiB; save it smaller"
        if image.issparse():
            return "stored with holes; write the shard again"
        try:
            places = [self.label] if self.group is None else [self.label, self.group]
            wanted = {place.suffix for place in places} & parts.keys()
            texts = {suffix: _text(archive, parts[suffix]) for suffix in wanted}
            label, group = self.label.find(texts), self.group.find(texts) if self.group else ""
        except (ValueError, RecursionError) as error:  # JSON, UTF-8, or nested without end
            return f"its label or group cannot be read: {described(error)}"
        if not label:
            return f"no label: nothing in .{self.label}"
        check_told(f"data source shards: {name}", label, group)
        member = Member(PurePosixPath(image.name).name, file, image.offset_data, image.size)
        return ListedImage(f"{name}.{suffixes[0]}", member, label, split, group)


def _samples(
    archive: tarfile.TarFile, shard: str, listing: ShardListing
) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Each sample's files by suffix; those of a sample follow each other."""
    key, parts = "", dict[str, tarfile.TarInfo]()
    for member in archive:
        path = PurePosixPath(member.name)
        stem, _, suffix = path.name.partition(".")
        if member.isdir():
            continue
        if not member.isfile() or not stem or not suffix:
            listing.ignored.append((f"{shard}/{member.name}", "belongs to no sample"))
            continue
        its_key, suffix = str(path.with_name(stem)), suffix.lower()
        if parts and (its_key != key or suffix in parts):  # a name again is another sample
            yield key, parts
            parts = {}
        key = its_key
        parts[suffix] = member
    if parts:
        yield key, parts


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _MOST_TEXT:
        raise ValueError(f"{member.name} has more than {_MOST_TEXT:,} bytes")
    opened = archive.extractfile(member)
    return b"" if opened is None else opened.read()

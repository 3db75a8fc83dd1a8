"""Tar files of samples (WebDataset's layout): which images they hold, in order, not unpacked.

    cat-01.jpg  cat-01.cls  cat-01.json  cat-02.jpg  ...

Files whose names are equal up to the first dot are a sample, whose image, label and group they are.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from hybrid_swin.data.files.decoding import SUFFIXES
from hybrid_swin.data.files.image_file import Member
from hybrid_swin.data.sources import SplitName
from hybrid_swin.data.spellings import is_no_group, is_no_label
from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import described

_MOST_TEXT = 1024**2  # bytes of a label, or of what is known of a sample
_LARGEST = 1024**3  # bytes of an image file


class Sample(NamedTuple):
    """An image of a shard, as `listed_images` takes it."""

    id: str
    file: Member
    label: str
    split: SplitName | Literal[""] = ""
    group: str = ""


@dataclass
class Samples:
    """The samples of some shards in their order, and what is to be said of the others.

    Args:
        items: with an image and a label.
        left_out: (name, reason) of those without one of the two.
        ignored: (name, reason) of what belongs to no sample.
    """

    items: list[Sample] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)


class Place(NamedTuple):
    """Where a text stands in a sample: a file's suffix, and a name in it if that is JSON."""

    suffix: str
    name: str = ""

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

    def find(self, parts: Mapping[str, bytes]) -> str:
        """The text in a sample, '' where there is none. Raises ValueError for what is not text."""
        content = parts.get(self.suffix)
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


def list_shard(
    file: Path, name: str, split: SplitName | Literal[""], label: Place, group: Place | None
) -> Samples:
    """The samples of a tar file in their order.

    Args:
        file: not compressed, so that images can be read where they lie.
        name: of the shard, with which ids begin.
        split: of all its samples.
        label: where a sample's class stands.
        group: where its group stands; None for no groups.

    Raises:
        InputError: it cannot be read, or a label or group is a mark for none.
    """
    samples = Samples()
    wanted = {place.suffix for place in (label, group) if place is not None}
    try:
        with tarfile.open(file, "r:") as archive:
            for key, parts in _grouped(archive, samples, name):
                _add(samples, file, f"{name}/{key}", parts, archive, split, label, group, wanted)
    except InputError:
        raise
    except Exception as error:  # damaged bytes can break any step of reading them
        raise InputError(
            f"data source shards: {file.name} cannot be read as a tar file without compression: "
            f"{quote(described(error), 120)[1:-1]}; write it again, as .tar"
        ) from error
    return samples


def _grouped(
    archive: tarfile.TarFile, samples: Samples, shard: str
) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Each sample's files by suffix; those of a sample follow each other."""
    key, parts = "", dict[str, tarfile.TarInfo]()
    for member in archive:
        path = PurePosixPath(member.name)
        stem, _, suffix = path.name.partition(".")
        if not member.isfile() or not stem or not suffix:
            if not member.isdir():
                samples.ignored.append((f"{shard}/{member.name}", "belongs to no sample"))
            continue
        its_key = str(path.with_name(stem))
        if its_key != key and parts:
            yield key, parts
            parts = {}
        key = its_key
        if suffix.lower() in parts:
            yield key, parts  # the same name again is another sample, and said as such
            parts = {}
        parts[suffix.lower()] = member
    if parts:
        yield key, parts


def _add(
    samples: Samples,
    file: Path,
    name: str,
    parts: Mapping[str, tarfile.TarInfo],
    archive: tarfile.TarFile,
    split: SplitName | Literal[""],
    label: Place,
    group: Place | None,
    wanted: set[str],
) -> None:
    images = [suffix for suffix in parts if f".{suffix.rpartition('.')[2]}" in SUFFIXES]
    if len(images) != 1:
        few = f"{len(images)} images" if images else "no image"
        samples.left_out.append((name, f"the sample holds {few} ({', '.join(parts)})"))
        return
    image = parts[images[0]]
    if image.size > _LARGEST:
        samples.left_out.append((name, "larger than 1 GiB; save it smaller"))
        return
    if image.issparse():
        samples.left_out.append((name, "stored with holes; write the shard again"))
        return
    try:
        texts = {suffix: _text(archive, parts[suffix]) for suffix in wanted if suffix in parts}
        its_label, its_group = label.find(texts), group.find(texts) if group else ""
    except (ValueError, UnicodeError) as error:
        samples.left_out.append((name, f"its label or group cannot be read: {error}"))
        return
    if not its_label:
        samples.left_out.append((name, f"no label: nothing in .{'.'.join(filter(None, label))}"))
        return
    if is_no_label(its_label) or its_label.startswith("-"):
        raise InputError(
            f"data source shards: {name}: label {quote(its_label)} stands for no label; give every "
            "image one, or take it out"
        )
    if its_group and is_no_group(its_group):
        raise InputError(
            f"data source shards: {name}: group {quote(its_group)} stands for no group, and such "
            "images would become one; leave it empty"
        )
    member = Member(PurePosixPath(image.name).name, file, image.offset_data, image.size)
    samples.items.append(Sample(f"{name}.{images[0]}", member, its_label, split, its_group))


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _MOST_TEXT:
        raise ValueError(f"{member.name} has more than {_MOST_TEXT:,} bytes")
    opened = archive.extractfile(member)
    return b"" if opened is None else opened.read()

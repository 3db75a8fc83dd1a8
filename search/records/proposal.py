"""``proposal.json``: which images and preset the ``begin.yaml`` beside it was proposed from."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import (
    DamagedFileError,
    MissingFileError,
    expanded,
    write_json_atomically,
)
from hybrid_swin.system.schema import build, check_version
from search.records.runs import read_record
from search.settings.experiment import SCHEMA_VERSION

PROPOSAL_FILE = "proposal.json"


@dataclass(frozen=True)
class Proposal:
    """What a proposal is of."""

    images: str  # their place, absolute and without links
    folder: str  # the study's or comparison's, likewise: it may have moved together with the images
    preset: str  # its name
    written: str = ""  # a hash of ``begin.yaml`` as the program wrote it
    replaced: str = ""  # one of the file before it, which was moved aside

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Proposal":
        """Read the file's content. Raises SchemaError for one that does not hold what it should."""
        check_version(data, SCHEMA_VERSION)
        return build(cls, data)

    def is_of(self, images: Path, folder: Path) -> bool:
        """Whether these are its images: at the same place, or as far from the folder as then."""
        place, home = images.expanduser().resolve(), folder.resolve()
        then = os.path.relpath(self.images, self.folder)
        return str(place) == self.images or os.path.relpath(place, home) == then


def proposal_of(images: str, folder: Path, preset: str) -> Proposal:
    """The proposal for images, of which no file is written yet."""
    place = expanded(images).resolve()
    return Proposal(str(place), str(folder.resolve()), preset)


def read_proposal(folder: Path) -> Proposal | None:
    """The record in a folder; None for none, or one that is damaged or of an earlier version.

    Raises InputError for one of a later program.
    """
    try:
        return read_record(folder / PROPOSAL_FILE, Proposal.from_dict)
    except (MissingFileError, DamagedFileError):
        return None


def write_proposal(folder: Path, proposal: Proposal) -> None:
    """Write the record. Raises FileError if the system refuses."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(proposal)}
    write_json_atomically(folder / PROPOSAL_FILE, content)


def text_hash(text: str) -> str:
    """Of a file's text, however lines end."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()[:20]

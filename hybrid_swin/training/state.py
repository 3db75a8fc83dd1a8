"""A training's state on disk: written whole or not at all, read without running code.

A file is a Lightning checkpoint (``Classifier.load_from_checkpoint`` reads it) with the history and
the identity of the training inside, so that one rename replaces them together.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hybrid_swin.system.files import SaveError, replacing

SCHEMA_VERSION = 1


class UnreadableStateError(Exception):
    """A file is there, but it is torn, altered or not ours."""


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write a state, whole or not at all.

    Raises:
        SaveError: the disk is full or the folder cannot be written, with ``errno`` kept.
    """
    # In memory first: torch reports a full disk as a RuntimeError about its own stream.
    buffer = io.BytesIO()
    torch.save({**state, "schema_version": SCHEMA_VERSION}, buffer)
    content = buffer.getbuffer()
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise SaveError(
            error.errno,
            f"the checkpoint ({len(content) / 1e6:.1f} MB) could not be written: {error.strerror}; "
            "the previous one is intact, so free space or mend the folder and run again to resume",
            str(path),
        ) from error


def load_state(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Read what ``save_state`` wrote, checked against its checksums.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableStateError: torn, altered, or no training's state.
    """
    content = path.read_bytes()
    try:
        # torch checks no checksum itself: one flipped bit would be a silently different network.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise UnreadableStateError(f"{path.name} is damaged at {broken!r}")
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except UnreadableStateError:
        raise
    except Exception as error:  # a torn file may fail anywhere in zipfile's or pickle's reading
        raise UnreadableStateError(
            f"{path.name} cannot be read ({type(error).__name__}: {str(error).splitlines()[0]})"
            if str(error)
            else f"{path.name} cannot be read ({type(error).__name__})"
        ) from error
    if not isinstance(state, dict) or state.get("schema_version") != SCHEMA_VERSION:
        raise UnreadableStateError(f"{path.name} is not a training state of this version")
    return state

"""Files that are whole or absent, JSON objects, and what a refusal of the system means.

A file is written under a temporary name, flushed to the disk and renamed, so that a kill or a power
cut leaves its old or its new content. Numbers that JSON cannot hold (NaN, infinities) are written
as null.
"""

import errno
import json
import math
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hybrid_swin.errors import InputError

_TEMPORARY = ".*.tmp"  # how `replacing` names what is not whole yet
_LONGEST = 200  # characters of a path or a reason in a message

# What to do about each refusal; the numbers are those of the C library.
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space of your quota",
    errno.EROFS: "make the file system writable again, or use another folder",
    errno.EACCES: "give yourself the rights to it, or use another folder",
    errno.EPERM: "give yourself the rights to it, or use another folder",
    errno.EIO: "check the disk or the network drive",
    errno.ESTALE: "mount the network drive again",
    errno.ENAMETOOLONG: "use a shorter name or another folder",
    errno.EMFILE: "allow more open files (`ulimit -n`)",
    errno.ENFILE: "close other programs: the machine has too many open files",
    errno.ENOMEM: "free some memory",
    errno.EISDIR: "a folder stands where a file belongs: move it away",
    errno.ENOTDIR: "a file stands where a folder belongs: move it away",
    errno.EEXIST: "a file stands where a folder belongs: move it away",
}
# Refusals that are of the disk or the folder, not of what was being trained.
OF_THE_DISK = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ESTALE,
        errno.ENAMETOOLONG,
    )
)


class FileError(InputError):
    """The system refused to read or write a file; what was there before is as it was."""


class SaveError(OSError):
    """A checkpoint could not be written; the previous one is as it was."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class MissingFileError(InputError):
    """There is no such file."""


class DamagedFileError(InputError):
    """A file does not hold what it should, for this reason."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, shortened(reason)
        super().__init__(f"{shortened(path)} is damaged: {self.reason}")


def explained(error: OSError, path: str | Path | None = None) -> str:
    """One sentence on a refusal of the system: the path, the reason, and what to do."""
    place = path or error.filename2 or error.filename
    where = f"{shortened(os.fsdecode(place))}: " if place else ""
    number = error.errno or 0
    known = number in errno.errorcode and os.strerror(number)
    reason = known or error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(number, "see to it")
    return (
        f"{where}{shortened(reason)}; {advice} and start the same command again: what is finished "
        "is kept"
    )


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path as its user wrote it, ~ expanded. Raises InputError for the ~ of an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{str(path)!r} begins with an unknown user; write the path out"
        ) from error


def given_path(path: str | Path) -> Path | None:
    """A path as its user wrote it, ~ expanded; None for one that no system takes."""
    try:
        location = Path(path).expanduser()
        location.exists()
    except (OSError, RuntimeError, TypeError, ValueError):  # too long, ~nobody, a null byte
        return None
    return location


def shortened(value: object) -> str:
    """A text on one line, cut in the middle where it is long."""
    text = " ".join(str(value).split())
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]}...{text[-half:]}"


def write_json_atomically(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object as `write_text_atomically` does; NaN and infinities become null."""
    write_text_atomically(path, json.dumps(json_ready(data), indent=1, allow_nan=False) + "\n")


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` as `write_bytes_atomically` does."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write so that ``path`` holds the old or the new content after any kill or power cut.

    Folders on the way are made. Raises FileError if the system refuses (a full disk, no rights,
    ...); the old file is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise FileError(explained(error, path)) from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file under a temporary name, which takes the place of ``path`` once it is on the disk.

    What ends the writing leaves the old file as it was.
    """
    # a name of our own, so that a late writer of the same file cannot tear it
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_half_written(folder: Path, everywhere: bool = False) -> None:
    """Remove the temporary files that killed writers left in a folder; also below, if so said.

    One that is still being written is its writer's loss, whose file then stays as it was.
    """
    for torn in folder.rglob(_TEMPORARY) if everywhere else folder.glob(_TEMPORARY):
        with suppress(OSError):
            torn.unlink()


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        MissingFileError: there is no such file.
        DamagedFileError: a folder stands in its place.
        FileError: the system refuses to read it.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(
            f"there is no {shortened(path)}; is this the folder of a study?"
        ) from error
    except IsADirectoryError as error:
        raise DamagedFileError(path, "a folder stands where a file belongs") from error
    except OSError as error:
        raise FileError(explained(error, path)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MissingFileError: there is no such file.
        DamagedFileError: it is not a file, not JSON, or not an object.
        FileError: the system refuses to read it.
    """
    return json_object(read_bytes(path), path)


def json_object(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object of a file's content. Raises DamagedFileError where it holds none."""
    if not content.strip(b" \t\r\n\0"):
        raise DamagedFileError(path, "it is empty")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise DamagedFileError(path, "it is nested too deeply") from error
    except ValueError as error:
        raise DamagedFileError(path, f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise DamagedFileError(path, f"it holds a {type(data).__name__}, not an object")
    return data


def json_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The JSON objects of a file with one on each line, and how many lines hold something else."""
    objects, others = [], 0
    for line in content.splitlines():
        try:
            data = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict):
            objects.append(data)
        elif line.strip():
            others += 1
    return objects, others


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def natural_order(text: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts ``trials/10000`` after ``trials/9999``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def json_ready(value: Any) -> Any:
    """Plain JSON values: numpy's and torch's numbers become Python's, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(name): json_ready(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if hasattr(value, "item"):  # a number of numpy or torch
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut; only POSIX can open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

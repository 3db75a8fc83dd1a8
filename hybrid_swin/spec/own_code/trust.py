"""Code that came with a folder or a receipt, and what a user must say before it runs.

The rule, for every command: plug-ins and data modules run if this command line names them, or a
config of the user's own that it names. What a receipt or a study's folder names may have come from
elsewhere, and runs only with ``--trust`` or by its name, after its hash was compared with the one
that was recorded. Else one message says which files these are, and what to type.
"""

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hybrid_swin.errors import InputError, few

_LISTED = 2  # so many files stand in a message
_LONGEST = 80  # characters of a path in a message


@dataclass(frozen=True, kw_only=True)
class CodeOptions:
    """Options that let code run.

    Args:
        plugin: a file with a part of your own, such as a branch, a data source or an optimizer; may
            be given again.
        trust: run the plug-ins and data modules that the folder or receipt names.
    """

    plugin: tuple[str, ...] = ()
    trust: bool = False


def unasked(plugins: Mapping[Path, str], source: str = "") -> InputError:
    """The refusal to run plug-ins that came from elsewhere."""
    files = {_short(file): digest for file, digest in plugins.items()}
    first = next(iter(files))
    listed = few((f"{name!r} (hash {digest})" for name, digest in files.items()), _LISTED)
    came = f"came with {source}" if source else "came with a study's folder"
    each = "it" if len(files) == 1 else "each"
    return InputError(
        f"code that {came} is not run unasked: {listed}; read it, then add --trust, or name "
        f"{each}: --plugin {shlex.quote(first)}"
    )


def unasked_data_module(
    class_path: str, source: str, origin: tuple[Path, str] | None = None, by_name: bool = True
) -> InputError:
    """The refusal to import a data module that came from elsewhere.

    ``by_name``: the command takes ``--data.class_path``.
    """
    name = class_path if len(class_path) <= _LONGEST else class_path[:_LONGEST] + "..."
    option = f", or name it: --data.class_path {shlex.quote(name)}" if by_name else ""
    here = f"{_short(origin[0])!r}, hash {origin[1]}" if origin else "no file of it is found here"
    return InputError(
        f"code that {source} names is not run unasked: data.class_path {name!r} ({here}); read it, "
        f"then add --trust{option}"
    )


def other_module(
    class_path: str, file: Path, digest: str, recorded: str, source: str
) -> InputError:
    """The refusal of a data module whose sources are not the recorded ones."""
    return InputError(
        f"data.class_path {class_path[:_LONGEST]!r} ({_short(file)!r} and what it imports beside "
        f"it) has the hash {digest}, but {source} recorded {recorded[:16]!r}: it is other code, "
        "and is not run; put the recorded files back, or start anew from a config of your own"
    )


def other_code(file: str | Path, digest: str, recorded: str, source: str) -> InputError:
    """The refusal of a plug-in that is not the recorded one."""
    return InputError(
        f"plug-in {_short(file)!r} has the hash {digest}, but {source} recorded {recorded[:16]!r}: "
        "it is other code, and is not run; give the recorded file as --plugin FILE, or start "
        "anew from a config of your own"
    )


def _short(file: str | Path) -> str:
    """A path from the working folder where that is shorter, cut where it is very long."""
    path = str(file)
    with suppress(OSError, ValueError):  # the working folder is removed, or on another drive
        path = min(path, os.path.relpath(path), key=len)
    return path if len(path) <= _LONGEST else "..." + path[-_LONGEST:]

"""An installed package that cannot be imported, such as a torchvision for another torch."""

import os
import sys
import traceback
from importlib.util import find_spec

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import described

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS = (_HERE + os.sep, os.path.join(os.path.dirname(_HERE), "search") + os.sep)
_FIRST = ("yaml", "rich")  # what every command imports
_LONGEST = 160  # characters of the package's own message


def is_installed(package: str) -> bool:
    """Whether it can be imported; a folder that is called so, and is not a package, does not count.

    Python takes such a folder in the working folder for a package without content.
    """
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def check_installed() -> None:
    """End with one message in a Python into which this program was not installed."""
    for package in _FIRST:
        if not is_installed(package):
            print(f"error: {_missing(package)}", file=sys.stderr)
            raise SystemExit(2)


def explained_import(error: Exception) -> InputError | None:
    """What the user can do about an error that an import of ours ended in; None for all others."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [i for i, frame in enumerate(frames) if frame.f_code.co_filename.startswith(_OURS)]
    behind = frames[ours[-1] + 1 :] if ours else []
    behind = [f for f in behind if "importlib" not in f.f_code.co_filename]
    if behind and behind[0].f_code.co_name == "<module>":  # the body of what we import
        body = [frame for frame in behind if frame.f_code.co_name == "<module>"][-1]
        package = str(body.f_globals.get("__name__", "")).partition(".")[0]
    elif not behind and isinstance(error, ImportError):
        package = ""
    else:
        return None
    if isinstance(error, ImportError) and error.name:
        package = error.name.partition(".")[0]
    if not behind and isinstance(error, ModuleNotFoundError):
        return InputError(_missing(package))
    message = " ".join(described(error).split())
    message = message if len(message) <= _LONGEST else message[:_LONGEST] + "..."
    return InputError(
        f"the package {package!r} cannot be imported here: {message}; install a version of it that "
        "fits the others, or remove it if nothing needs it"
    )


def _missing(package: str) -> str:
    return (
        f"the Python that runs this, {sys.executable}, does not have the package {package!r}; use "
        "the one in which hybrid-swin was installed, or install it into this one: "
        "pip install -c constraints.txt -e ."
    )

"""Config files: which file a name means, and the plain values in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hybrid_swin.errors import InputError, unknown

_FOLDERS = ("search", "compare", "variants", "")  # below configs/, where a bare name is looked for
_FLOAT, _TIMESTAMP = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, as in YAML 1.2, and 2024-05-01 is text: a folder's name."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the parent's declaration
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def read_config(name: str) -> dict[str, Any]:
    """The settings in a config, which may be a study's ``settings.yaml`` or ``receipt.json``.

    Raises:
        InputError: it cannot be read or holds no settings.
    """
    content = _read(name)
    settings: dict[str, Any] = content["settings"] if _is_receipt(content) else content
    settings.pop("schema_version", None)
    return settings


def read_receipt(name: str) -> dict[str, Any] | None:
    """The whole of a config that is a receipt, None for another; raises as `read_config`."""
    content = _read(name)
    return content if _is_receipt(content) else None


def _is_receipt(content: dict[str, Any]) -> bool:
    return isinstance(content.get("settings"), dict) and "code_hash" in content


def _read(name: str) -> dict[str, Any]:
    path = find_config(name)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a SafeLoader
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"config {name!r} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}, column {place.column + 1}" if place else ""
        raise InputError(
            f"config {name!r} is no YAML{where}: {getattr(error, 'problem', None) or error}"
        ) from error
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds {type(content).__name__}"
        raise InputError(f"config {name!r} must hold settings such as 'trials: 12'; it {found}")
    return content


def find_config(name: str) -> Path:
    """A config's file: as given, else among the bundled ones. Raises InputError if there is none.

    Bundled ones are found from any folder: `configs/search/digits.yaml`, `search/digits.yaml`,
    `digits.yaml` and `digits` are the same file.
    """
    try:
        given = Path(name).expanduser()
        if given.is_file():
            return given
        if given.is_dir():
            raise InputError(f"--config {name!r} is a folder; give a file in it")
    except (OSError, RuntimeError) as error:  # an unknown ~user, a name that no system takes
        raise InputError(f"--config {name!r} cannot be read: {error}") from error
    path = given if given.suffix else given.with_suffix(".yaml")
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    roots = [root for root in _bundled() if root.is_dir()]
    for root in roots:
        for folder in _FOLDERS:
            if (root / folder / relative).is_file():
                return root / folder / relative
    known = [p.relative_to(root).as_posix() for root in roots for p in root.rglob("*.yaml")]
    raise unknown("config", name, known)


def _bundled() -> Iterator[Path]:
    """The folder configs/ of a checkout, or its copy in an installed package."""
    here = Path(__file__).parent
    yield here.parent / "configs"
    yield here / "configs"

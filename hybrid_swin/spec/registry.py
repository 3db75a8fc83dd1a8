"""Names of parts, such as branches, fusions and augmentations: name -> file -> class.

A name is a file's stem, so adding a part is adding a file. What it says of itself is read from its
source; the class itself is imported on ``load``.
"""

import importlib
import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, unknown, with_article
from hybrid_swin.errors.plain_text import described
from hybrid_swin.spec.own_code.former_names import find_former_names
from hybrid_swin.spec.own_code.trust import unasked
from hybrid_swin.spec.own_code.working_folder import same_working_folder
from hybrid_swin.spec.part_info import PACKAGE, TABLES, classes_in, digest, read_part
from hybrid_swin.spec.part_info import PartInfo as PartInfo
from hybrid_swin.spec.part_info import PartKind as PartKind
from hybrid_swin.system.files import given_path

_NAME = re.compile(r"[a-z][a-z0-9_]*")  # what a block word can spell
_plugins: dict[tuple[str, str], Path] = {}
_unasked: dict[Path, str] = {}  # hashes of those that are described, but must not run


def names(kind: PartKind) -> list[str]:
    """All names of a kind, built in and plugged in, sorted."""
    return sorted(_built_in(kind) | {name for k, name in _plugins if k == kind})


@cache
def _built_in(kind: PartKind) -> frozenset[str]:
    files = (PACKAGE / TABLES[kind].folder).glob("*.py")
    return frozenset(f.stem for f in files if not f.stem.startswith("_"))


def describe(kind: PartKind, name: str) -> PartInfo:
    """What is known of a part without importing it. Raises InputError for an unknown name."""
    known = isinstance(name, str) and (name in _built_in(kind) or (kind, name) in _plugins)
    if not known:
        raise unknown(kind, name, names(kind), elsewhere(name))
    return _describe(kind, name)


def elsewhere(name: object) -> str:
    """The end of a message that says where a name belongs, if a part has it; empty if none has."""
    for kind, table in TABLES.items():
        if name in names(kind):
            return f": it is {with_article(kind)}, named in {table.place.format(name)}"
    return ""


@cache
def _describe(kind: PartKind, name: str) -> PartInfo:
    plugin = _plugins.get((kind, name))
    return read_part(plugin or PACKAGE / TABLES[kind].folder / f"{name}.py", kind, bool(plugin))


def load(kind: PartKind, name: str) -> Any:
    """The class of a part, imported now. Raises InputError for code that nobody asked to run."""
    entry = describe(kind, name)
    if entry.file in _unasked:
        raise unasked(_unasked)
    if entry.plugin_hash:
        module = _import_plugin(entry)
    else:
        module = importlib.import_module(module_name(kind, name))
    return getattr(module, entry.class_name)


def module_name(kind: PartKind, name: str) -> str:
    """The module of a built-in part, ``hybrid_swin.network.branches.conv``."""
    return ".".join(("hybrid_swin", *TABLES[kind].folder.split("/"), name))


def read_plugin(path: str | Path) -> PartInfo:
    """What a user's file with one part, such as a Branch or an Augmentation, says about it.

    The file is read, not run. Raises InputError where it cannot be used.
    """
    given = given_path(path)
    if given is None or not given.is_file() or given.suffix != ".py":
        raise InputError(f"plug-in {str(path)!r} is not a file; give the path of a .py file")
    file = given.resolve()
    if not _NAME.fullmatch(file.stem):
        raise InputError(
            f"plug-in {file.name!r}: the file's name becomes the part's name; use "
            "lower-case ASCII letters, digits and underscores, a letter first"
        )
    kinds = [kind for kind in TABLES if classes_in(file, kind)]
    if len(kinds) != 1:
        bases = [table.bases[0] for table in TABLES.values()]
        raise InputError(
            f"plug-in {file.name!r} must hold exactly one class that derives directly "
            f"from {', '.join(bases[:-1])} or {bases[-1]}; found {kinds or 'none'}"
        )
    kind: Any = kinds[0]
    if (PACKAGE / TABLES[kind].folder / f"{file.stem}.py").exists():
        raise InputError(
            f"plug-in {file.name!r}: {file.stem!r} is a built-in {kind}; rename the file"
        )
    return read_part(file, kind, True)


def add_plugin(path: str | Path, *, runs: bool = True) -> PartInfo:
    """Make the part in a user's file known under the file's stem.

    One that may not run is described by its source, and ``load`` refuses it. Raises InputError if
    it cannot be used, or another file has the name.
    """
    entry = read_plugin(path)
    key, file = (entry.kind, entry.name), entry.file
    known = _plugins.get(key, file)
    if known != file and known.is_file() and known.read_bytes() != file.read_bytes():
        raise InputError(
            f"plug-ins {str(known)!r} and {str(file)!r} have the same name; rename one of them"
        )
    if not runs and key in _plugins and known not in _unasked:
        return entry  # the same source may run already
    _unasked.pop(known, None)
    _unasked.pop(file, None)
    if not runs:
        _unasked[file] = entry.plugin_hash
    _plugins[key] = file
    _describe.cache_clear()
    return entry


def forget_plugin(path: str | Path) -> None:
    """Let another file take the name of this one, as in a session that runs several studies.

    Raises InputError if it is not a plug-in.
    """
    entry = read_plugin(path)
    known = _plugins.pop((entry.kind, entry.name), None)
    if known is not None:
        _unasked.pop(known, None)
    _describe.cache_clear()


def runnable_plugins() -> list[Path]:
    """Files of all plug-ins that are known and may run, as another process needs them."""
    return [file for file in _plugins.values() if file not in _unasked]


def source_hash(file: Path) -> str:
    """Ten hex digits over a plug-in's source. Raises InputError if it cannot be read."""
    try:
        return digest(file.read_bytes())
    except OSError as error:
        raise InputError(f"plug-in {str(file)!r} cannot be read: {error.strerror}") from error


def plugin_hash(kind: PartKind, name: str) -> str:
    """The source hash of a plug-in, empty for a built-in part: identities depend on it."""
    return describe(kind, name).plugin_hash


def _import_plugin(entry: PartInfo) -> Any:
    unique = f"hybrid_swin_plugins.{entry.name}_{entry.plugin_hash}"
    if unique not in sys.modules:
        find_former_names()
        spec = importlib.util.spec_from_file_location(unique, entry.file)
        if spec is None:
            raise InputError(f"plug-in {entry.file.name!r} cannot be imported")
        source = entry.file.read_bytes()
        if digest(source) != entry.plugin_hash:
            raise InputError(f"plug-in {entry.file.name!r} has changed since it was read")
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module
        try:
            # not by its loader, which would take compiled code that lies beside the source
            code = compile(source, entry.file, "exec", dont_inherit=True)
            with same_working_folder():
                exec(code, vars(module))  # noqa: S102  # what the user asked for
        except (Exception, SystemExit) as error:
            del sys.modules[unique]
            raise InputError(
                f"plug-in {entry.file.name!r} fails on import: {described(error)}"
            ) from error
    return sys.modules[unique]

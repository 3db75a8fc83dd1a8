"""The source files behind a module of the user's own: found and hashed without running them.

The hash is over the module, the packages around it, and whatever these import from the folder in
which the module was found. What is imported from elsewhere is installed, and not the user's; of a
module that is installed itself, the hash is over its own file and the packages around it.
"""

import ast
import hashlib
import os
import site
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import final

from hybrid_swin.spec.own_code.trust import other_module, unasked_data_module
from hybrid_swin.system.processes import finders_with_working_folder

_OURS = ("hybrid_swin", "search")  # of which receipts keep a hash of its own
_MOST_FILES = 2000


@dataclass(frozen=True)
class ModuleSources:
    """What runs where a module is imported."""

    file: Path  # the module's own
    hash: str  # ten hex digits over all files
    files: Mapping[str, Path]  # by module name, with the packages around it and what they import


def module_sources(class_path: str) -> ModuleSources | None:
    """The sources behind ``package.module.Class``; None if there is no such file to read."""
    module = class_path.rpartition(".")[0]
    if not module or module.partition(".")[0] in _OURS:
        return None
    files: dict[str, Path] = {}
    try:
        _collect(module, files)
        parts = {name: file.read_bytes() for name, file in sorted(files.items())}
    except (OSError, ValueError):
        return None
    if module not in files:
        return None
    digest = hashlib.sha256()
    for name, content in parts.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return ModuleSources(files[module], digest.hexdigest()[:10], files)


def module_hashes(class_paths: Iterable[str | None]) -> dict[str, str]:
    """The hashes of data modules by class path, as far as there are files to read."""
    by_path = {path: module_sources(path) for path in class_paths if path is not None}
    return {path: sources.hash for path, sources in by_path.items() if sources is not None}


def check_modules(
    class_paths: Iterable[str | None], recorded: Mapping[str, str], source: str
) -> None:
    """Raise InputError where a data module is not the recorded one of its name.

    Those without a recorded hash are passed over.
    """
    for path in class_paths:
        if path is None or path not in recorded:
            continue
        sources = module_sources(path)
        if sources is not None and sources.hash != recorded[path]:
            raise other_module(path, sources.file, sources.hash, recorded[path], source)


def check_data_code(
    class_path: str | None, recorded: Mapping[str, str], source: str, trust: bool, **how: bool
) -> None:
    """Raise InputError where a data module that a folder names must not be imported.

    ``how`` is as of `unasked_data_module`.
    """
    if class_path is None:
        return
    if not trust:
        sources = module_sources(class_path)
        origin = None if sources is None else (sources.file, sources.hash)
        raise unasked_data_module(class_path, source, origin, **how)
    check_modules([class_path], recorded, source)


def class_paths_in(settings: object) -> list[str]:
    """All ``class_path`` in plain settings, also among the levels of a comparison's factors."""
    paths: list[str] = []
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if str(key).rpartition(".")[2] == "class_path":
                values = value if isinstance(value, list | tuple) else [value]
                paths += [one for one in values if isinstance(one, str)]
            elif key != "init_args":
                paths += class_paths_in(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            paths += class_paths_in(value)
    return list(dict.fromkeys(paths))


def import_from_source(sources: ModuleSources) -> None:
    """From now on import these modules from their sources only.

    Compiled code that lies beside them may be of other sources, and its hash was not compared.
    """
    sys.meta_path.insert(0, _FromSource(sources.files))


@final
class _FromSource:
    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = {name: file for name, file in files.items() if file.suffix == ".py"}

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of the modules; None for every other."""
        file = self._files.get(name)
        if file is None:
            return None
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        loader = _Uncompiled(name, str(file))
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=inside)


class _Uncompiled(SourceFileLoader):
    """Reads no compiled code, and writes none."""

    def path_stats(self, path: str) -> Mapping[str, float]:
        """Refused: a loader that cannot know the source's age takes the source itself."""
        raise OSError(path)


def _collect(name: str, files: dict[str, Path]) -> None:
    """Add a module, the packages around it, and what they import from its folder."""
    top = _find_top(name.partition(".")[0])
    origin = _origin(top)
    if top is None or (origin is None and not top.submodule_search_locations):
        return
    first = (
        Path(origin).parent if origin else Path(next(iter(top.submodule_search_locations or ())))
    )
    root = first.parent if top.submodule_search_locations and origin else first
    installed = _is_installed(root)
    waiting = [name]
    while waiting and len(files) < _MOST_FILES:
        for module, spec in _specs(waiting.pop()):
            file = _origin(spec)
            if file is None or module in files:
                continue
            files[module] = Path(file)
            for inner in _imports(Path(file), module, bool(spec.submodule_search_locations)):
                head = inner.partition(".")[0]
                own = head == name.partition(".")[0] or _lies_in(head, root)
                if own and not installed:
                    waiting.append(inner)


def _specs(name: str) -> Iterator[tuple[str, ModuleSpec]]:
    """The specs of a module and of the packages around it, as far as they are modules."""
    head, *rest = name.split(".")
    spec = _find_top(head)
    if spec is None:
        return
    yield head, spec
    for part in rest:
        if not spec.submodule_search_locations:
            return
        head = f"{head}.{part}"
        inner = PathFinder.find_spec(head, list(spec.submodule_search_locations))
        if inner is None:
            return
        spec = inner
        yield head, spec


def _find_top(name: str) -> ModuleSpec | None:
    for finder in finders_with_working_folder():
        if isinstance(finder, _FromSource):
            continue
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, None) if find and name else None
        if spec is not None:
            return spec
    return None


def _origin(spec: ModuleSpec | None) -> str | None:
    origin = None if spec is None else spec.origin
    return origin if spec is not None and spec.has_location and origin else None


def _lies_in(name: str, root: Path) -> bool:
    if name in _OURS or name in sys.stdlib_module_names:
        return False
    spec = _find_top(name)
    places = [_origin(spec), *((spec and spec.submodule_search_locations) or ())]
    return any(place and root in Path(place).parents for place in places)


def _imports(file: Path, module: str, is_package: bool) -> Iterator[str]:
    """What a source imports, by absolute names; of ``from a import b`` both a and a.b."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # importing it says what is wrong
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _site_packages() -> tuple[str, ...]:
    places = [*site.getsitepackages(), site.getusersitepackages(), os.path.dirname(os.__file__)]
    return tuple(map(os.path.realpath, places))


def _is_installed(root: Path) -> bool:
    return root.name in ("site-packages", "dist-packages") or (
        os.path.realpath(root) in _site_packages()
    )

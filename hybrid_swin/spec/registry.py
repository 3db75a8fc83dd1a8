"""Names of branches, fusions, data sources and inspections: name -> file -> class.

A name is a file's stem, so adding a part is adding a file. What a part is called, which options it
takes and what their defaults are is read from the source by ``ast``: validation, identities and
``--help`` need neither torch nor the user's code to run. The class itself is imported on ``load``.
"""

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.options import Option
from hybrid_swin.spec.own_code.former_names import find_former_names
from hybrid_swin.spec.own_code.trust import unasked
from hybrid_swin.system.files import given_path

PartKind = Literal["branch", "fusion", "data source", "inspection"]

_HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class _Table:
    """Where a kind lives and what its classes look like."""

    folder: str
    bases: tuple[str, ...]
    contract: tuple[str, ...]  # arguments of __init__ that the builder gives; the rest are options
    constants: tuple[str, ...] = ()  # class attributes that validation reads
    shared: Mapping[str, str] = field(default_factory=dict)  # abstract classes and their files


_TABLES: dict[str, _Table] = {
    "branch": _Table(
        "network/branches",
        ("Branch", "WindowAttention"),
        ("dim", "num_heads", "window_size", "grid_size"),
        ("gates_values",),
        {"WindowAttention": "network/branches/_window_attention.py"},
    ),
    "fusion": _Table(
        "network/fusions",
        ("Fusion",),
        ("dim", "num_heads", "makers"),
        (
            "min_branches",
            "max_branches",
            "ordered",
            "symmetric",
            "per_branch",
            "heads_per_branch",
            "halves_heads",
            "needs_value_gate",
        ),
    ),
    "data source": _Table("data/sources", ("Source",), ()),
    "inspection": _Table("inspection/methods", ("Inspection",), (), ("needs_labels",)),
}
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_REQUIRED = object()
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # what a block word can spell


@dataclass(frozen=True)
class PartInfo:
    """What the source of a part says about it."""

    kind: PartKind
    name: str
    file: Path
    class_name: str
    summary: str
    options: Mapping[str, Option]
    constants: Mapping[str, Any] = field(default_factory=dict)
    plugin_hash: str = ""  # of the source, for plug-ins only

    def check_options(self, given: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
        """The given options, typed; raises InputError on an unknown, wrong or missing one."""
        where = where or self.name
        for key in given:
            if key not in self.options:
                raise unknown(f"option of {where}", key, self.options)
        for option in self.options.values():
            if option.required and option.name not in given:
                raise InputError(
                    f"{where}: option {option.name!r} is missing; give {option.allowed}"
                )
        return {key: self.options[key].check(value, where) for key, value in given.items()}


_plugins: dict[tuple[str, str], Path] = {}
_unasked: dict[Path, str] = {}  # hashes of those that are described, but must not run


def names(kind: PartKind) -> list[str]:
    """All names of a kind, built in and plugged in, sorted."""
    return sorted(_built_in(kind) | {name for k, name in _plugins if k == kind})


@cache
def _built_in(kind: PartKind) -> frozenset[str]:
    files = (_HERE / _TABLES[kind].folder).glob("*.py")
    return frozenset(f.stem for f in files if not f.stem.startswith("_"))


def describe(kind: PartKind, name: str) -> PartInfo:
    """What is known of a part without importing it. Raises InputError for an unknown name."""
    known = isinstance(name, str) and (name in _built_in(kind) or (kind, name) in _plugins)
    if not known:
        raise unknown(kind, name, names(kind))
    return _describe(kind, name)


@cache
def _describe(kind: PartKind, name: str) -> PartInfo:
    plugin = _plugins.get((kind, name))
    return _read(plugin or _HERE / _TABLES[kind].folder / f"{name}.py", kind, bool(plugin))


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
    return ".".join(("hybrid_swin", *_TABLES[kind].folder.split("/"), name))


def read_plugin(path: str | Path) -> PartInfo:
    """What a user's file with one Branch, Fusion, Source or Inspection says about it.

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
    found = [kind for kind in _TABLES if _classes(file, kind)]
    if len(found) != 1:
        raise InputError(
            f"plug-in {file.name!r} must hold exactly one class that derives directly "
            f"from Branch, Fusion, Source or Inspection; found {found or 'none'}"
        )
    kind: Any = found[0]
    if (_HERE / _TABLES[kind].folder / f"{file.stem}.py").exists():
        raise InputError(
            f"plug-in {file.name!r}: {file.stem!r} is a built-in {kind}; rename the file"
        )
    return _read(file, kind, True)


def add_plugin(path: str | Path, *, runs: bool = True) -> PartInfo:
    """Make the part in a user's file known under the file's stem.

    Args:
        path: the file.
        runs: whether it may run; else it is described by its source, and ``load`` refuses it.

    Raises:
        InputError: it cannot be used, or another file has the name.
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

    Raises:
        InputError: it is not a plug-in.
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
    """Ten hex digits over a plug-in's source.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return _digest(file.read_bytes())
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
        if _digest(source) != entry.plugin_hash:
            raise InputError(f"plug-in {entry.file.name!r} has changed since it was read")
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module
        try:
            # not by its loader, which would take compiled code that lies beside the source
            code = compile(source, entry.file, "exec", dont_inherit=True)
            exec(code, vars(module))  # noqa: S102  # what the user asked for
        except (Exception, SystemExit) as error:
            del sys.modules[unique]
            raise InputError(
                f"plug-in {entry.file.name!r} fails on import: {type(error).__name__}: {error}"
            ) from error
    return sys.modules[unique]


def _classes(file: Path, kind: str) -> list[ast.ClassDef]:
    """The classes in a file that derive directly from the base of a kind."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        raise InputError(f"{file.name}: cannot be read as Python: {error}") from error
    bases = _TABLES[kind].bases
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(_last_name(b) in bases for b in node.bases)
    ]


def _read(file: Path, kind: PartKind, is_plugin: bool) -> PartInfo:
    classes = _classes(file, kind)
    if len(classes) != 1:
        raise InputError(
            f"{file.name}: expected exactly one class deriving directly from "
            f"{_TABLES[kind].bases[0]}, found {len(classes)}"
        )
    node = classes[0]
    constants: dict[str, Any] = {}
    options: dict[str, Option] = {}
    for source, owner in (*_parents(node, kind), (file, node)):  # what comes last counts
        constants |= {
            name: _literal(value, f"{source.name}: {name}")
            for name, value in _assignments(owner)
            if name in _TABLES[kind].constants
        }
        for item in owner.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                options = _options(item, kind, source)
    summary = (ast.get_docstring(node) or "").split("\n")[0]
    digest = _digest(file.read_bytes()) if is_plugin else ""
    return PartInfo(kind, file.stem, file, node.name, summary, options, constants, digest)


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:10]


def _parents(node: ast.ClassDef, kind: PartKind) -> Iterator[tuple[Path, ast.ClassDef]]:
    """The abstract class that parts of a kind share, with its file: options may stand there."""
    for base in node.bases:
        shared = _TABLES[kind].shared.get(_last_name(base))
        if shared:
            tree = ast.parse((_HERE / shared).read_text(encoding="utf-8"))
            for item in tree.body:
                if isinstance(item, ast.ClassDef) and item.name == _last_name(base):
                    yield _HERE / shared, item


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """The class attributes that are given a value, as their names and expressions."""
    for item in node.body:
        targets = item.targets if isinstance(item, ast.Assign) else []
        if isinstance(item, ast.AnnAssign):
            targets = [item.target]
        if isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, item.value


def _options(init: ast.FunctionDef, kind: PartKind, file: Path) -> dict[str, Option]:
    """The arguments of __init__ behind the contract's own, which must come first."""
    contract = _TABLES[kind].contract
    given = [a.arg for a in init.args.args[1:]]
    if tuple(given[: len(contract)]) != contract:
        raise InputError(
            f"{file.name}: __init__ of a {kind} must take (self, "
            f"{', '.join(contract)}, then its options); it takes ({', '.join(given)})"
        )
    positional = init.args.args[1 + len(contract) :]
    padding: list[Any] = [_REQUIRED] * (len(init.args.args) - len(init.args.defaults))
    defaults = (padding + list(init.args.defaults))[1 + len(contract) :]
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True),
    ]
    return {arg.arg: _option(arg, default, file) for arg, default in pairs}


def _option(arg: ast.arg, default: Any, file: Path) -> Option:
    required = default is _REQUIRED or default is None  # ast gives None for "no default" by keyword
    where = f"{file.name}: option {arg.arg!r}"
    value = None if required else _literal(default, f"the default of {where}")
    annotation = arg.annotation
    # `X | None`: the type is X, and None means "not given".
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        annotation = annotation.left
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Literal":
        inside = annotation.slice
        elements = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        choices = tuple(_literal(e, where) for e in elements)
        return Option(arg.arg, None, choices, value, required)
    if annotation is not None and ast.unparse(annotation) == "tuple[float, float]":
        return Option(arg.arg, tuple, (), value, required)
    if isinstance(annotation, ast.Name) and annotation.id in _TYPES:
        return Option(arg.arg, _TYPES[annotation.id], (), value, required)
    if annotation is not None:
        return Option(arg.arg, None, (), value, required)
    raise InputError(f"{where} needs a type: bool, int, float, str or Literal[...]")


def _literal(node: ast.expr, what: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise InputError(
            f"{what} must be a literal such as 3 or 'text', since the file is read, not run; "
            f"it is {ast.unparse(node)}"
        ) from None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""

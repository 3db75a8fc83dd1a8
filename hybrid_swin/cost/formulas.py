"""Closed-form costs of built-in parts without torch, whose import takes longer than the answer.

A part's network and its cost formula stand in one class, in a file that imports torch. Here the
file is run with a blank in torch's place: the class that comes of it cannot be built, but tells
what it costs.
"""

import __future__

import builtins
import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hybrid_swin.spec import registry
from hybrid_swin.spec.registry import PartKind

_HERE = Path(__file__).parents[1]
# Folders without torch, whose classes are to be everyone's.
_SHARED = ("hybrid_swin.cost", "hybrid_swin.errors", "hybrid_swin.spec")


def load_formulas(kind: PartKind, name: str) -> Any:
    """The class of a part, to be asked for its cost only; a plug-in's is imported with torch."""
    entry = registry.describe(kind, name)
    if entry.plugin_hash or "torch" in sys.modules:
        return registry.load(kind, name)
    module = _without_torch(registry.module_name(kind, name))
    return getattr(module, entry.class_name)


def load_gate(name: str) -> Any:
    """The class of a gate behind a fusion, likewise."""
    module = "hybrid_swin.network.output_gates"
    is_loaded = "torch" in sys.modules
    gates = importlib.import_module(module) if is_loaded else _without_torch(module)
    return gates.GATES[name]


class _Blank:
    """Stands for torch and all that is in it, also as a base class and as a decorator."""

    def __getattr__(self, name: str) -> "_Blank":
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Blank":
        return self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()


@cache
def _without_torch(name: str) -> ModuleType:
    """A module of ours run without torch, for us alone: the real one is imported beside it."""
    file = _file(name)
    module = ModuleType(name)
    vars(module)["__builtins__"] = {**vars(builtins), "__import__": _import}
    # Annotations are left unread: they are full of tensors.
    lazy = __future__.annotations.compiler_flag
    code = compile(file.read_text(encoding="utf-8"), file, "exec", lazy, dont_inherit=True)
    exec(code, vars(module))  # noqa: S102  # our own file
    return module


def _import(
    name: str, globals_: Any = None, locals_: Any = None, wanted: Any = (), level: int = 0
) -> Any:
    """``import`` for such a module: what is ours is run without torch as well."""
    package = name.partition(".")[0]
    if package == "torch":
        return _Blank()
    if package != "hybrid_swin":
        return __import__(name, globals_, locals_, wanted, level)
    modules = {part: f"{name}.{part}" for part in wanted if _file(f"{name}.{part}").exists()}
    if not modules:
        return _ours(name)
    parent = ModuleType(name)  # from hybrid_swin.network import windows
    vars(parent).update({part: _ours(module) for part, module in modules.items()})
    return parent


def _ours(name: str) -> ModuleType:
    return importlib.import_module(name) if name.startswith(_SHARED) else _without_torch(name)


def _file(name: str) -> Path:
    place = _HERE.joinpath(*name.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")

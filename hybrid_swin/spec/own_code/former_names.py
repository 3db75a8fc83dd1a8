"""Modules by the names that they had in earlier versions, for plug-ins that import them so.

A study keeps a copy of its plug-ins, so such a file may be run years after it was written.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_NOW = {
    "hybrid_swin.block_words": "hybrid_swin.spec.block_words",
    "hybrid_swin.branches": "hybrid_swin.network.branches",
    "hybrid_swin.channel_attention": "hybrid_swin.network.branches._channel_attention",
    "hybrid_swin.depthwise": "hybrid_swin.network.layers",
    "hybrid_swin.fusions": "hybrid_swin.network.fusions",
    "hybrid_swin.inspecting": "hybrid_swin.inspection.measures",
    "hybrid_swin.inspection.figures": "hybrid_swin.inspection",
    "hybrid_swin.normalization": "hybrid_swin.network.layers",
    "hybrid_swin.plain_text": "hybrid_swin.errors.plain_text",
    "hybrid_swin.window_attention": "hybrid_swin.network.branches._window_attention",
    "hybrid_swin.window_rules": "hybrid_swin.spec.window_rules",
    "hybrid_swin.windows": "hybrid_swin.network.windows",
}


class _FormerNames:
    """Finds such a module and gives the one that it has become."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of ours by a former name; None for every other module."""
        now = _former(name)
        return ModuleSpec(name, self) if now else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """None, so that Python makes an empty module first."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today in the place of the empty one."""
        sys.modules[module.__name__] = importlib.import_module(_former(module.__name__))


def _former(name: str) -> str:
    head, _, last = name.rpartition(".")
    for former, now in _NOW.items():
        if name == former:
            return now
        if head == former:
            return f"{now}.{last}"
    return ""


def find_former_names() -> None:
    """From now on also import modules by the names that they had."""
    if not any(isinstance(finder, _FormerNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FormerNames())  # before the files of a folder that has moved

"""Labelled images: where they come from, how they are decoded, split and batched."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Plug-ins of earlier versions import these from here.
_FORMER = "LabelledImages", "Source", "SplitName"


def __getattr__(name: str) -> "Any":
    if name not in _FORMER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.sources"), name)

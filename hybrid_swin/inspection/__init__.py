"""What a network looks at and what it does with that; one file per inspection in ``methods``."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Plug-ins of earlier versions import these from here.
_FORMER = "BranchPlace", "Inspection", "Place", "Subject"


def __getattr__(name: str) -> "Any":
    if name not in _FORMER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.methods"), name)

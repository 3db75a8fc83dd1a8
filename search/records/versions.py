"""Of which code and packages results are."""

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import hybrid_swin
import search

# what results depend on, and the mirror
_PACKAGES = (
    "torch",
    "lightning",
    "torchmetrics",
    "optuna",
    "numpy",
    "scipy",
    "scikit-learn",
    "pillow",
    "safetensors",
    "wandb",
)


def versions() -> dict[str, str]:
    """Of Python and the packages that results depend on."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **packages}


@cache  # a process computes by the sources that it began with
def code_hash() -> str:
    """Ten hex digits over the program's own sources: results of other code are other results."""
    digest = hashlib.sha256()
    for package in (hybrid_swin, search):
        root = Path(str(package.__file__)).parent
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]

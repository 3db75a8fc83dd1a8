"""Whether images are those that a training has learned from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.data.own_modules import validation_digest
from hybrid_swin.errors import InputError, quote

_VALIDATION = "validation split"


def data_identity(data: object) -> dict[str, Any]:
    """What two trainings share if they have learned from the same images.

    Args:
        data: images that are loaded, or a data module that is set up. One of the user's own without
            hashes is known by its validation images; empty for one without any.
    """
    splits = getattr(data, "splits", None)
    hashes = {"data": getattr(data, "data_hash", None), "splits": getattr(splits, "hash", None)}
    if hashes["splits"] is None and hasattr(data, "val_dataloader"):
        hashes[_VALIDATION] = validation_digest(data)
    return {name: str(value) for name, value in hashes.items() if value is not None}


def check_data(saved: Mapping[str, Any], data: object, folder: Path, hint: str) -> None:
    """Raise InputError where a saved training has learned from other images than these.

    Classes by other names are other classes: no label, and so no hash, need change with them.

    What the saved checkpoint does not say cannot differ.
    """
    identity = saved.get("identity", {})
    for name, now in data_identity(data).items():
        before = identity.get(name, now)
        if before == now:
            continue
        if name == _VALIDATION:
            if data_identity(data).get(_VALIDATION) != now:
                continue  # other images at each reading, which cannot be compared
            raise InputError(
                f"the data module gives another {name} than to the training in {folder}: images "
                "to test on may have been trained on; let it split by a seed of its own, and train "
                "again"
            )
        raise InputError(
            f"{folder} holds a training with another {name} ({before!r}, now {now!r}); {hint}"
        )
    for name in ("mean", "std"):
        learnt, given = saved.get("data", {}).get(name), getattr(data, name, None)
        if learnt is None or given is None or _close(learnt, given):
            continue
        raise InputError(
            f"{folder} holds a training on images that were normalised by another {name} "
            f"({_rounded(learnt)}, now {_rounded(given)}); {hint}"
        )
    names = list(getattr(data, "class_names", ()))
    learned = list(saved.get("data", {}).get("class_names", names))
    for index, (before, now) in enumerate(zip(learned, names, strict=False)):
        if before != now:
            raise InputError(
                f"{folder} holds a training with another name of class {index} "
                f"({quote(before, 40)}, now {quote(now, 40)}); {hint}"
            )


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether numbers are equal but for the order in which a machine sums."""
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in zip(one, other, strict=True)
    )


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]

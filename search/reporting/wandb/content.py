"""What the W&B mirror says of a run, as plain values (no wandb import).

A mirror may be public: images, error texts, file paths and anything that looks like a credential
stay on this machine.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from search.records.runs import RunResult, RunSpec

_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|(^|[_-])(key|auth|cookie|signature)$|api_?key",
    re.IGNORECASE,
)

# A table logged by a run becomes the artifact `run-ID-leaderboard`, of 128 characters at most.
_LONGEST_ID = 128 - len("run-") - len("-leaderboard")


def run_id(study: str, key: str, attempt: int, mark: str) -> str:
    """A readable id, valid in W&B: ``digits-trials-0007-1-3f9a``.

    ``mark`` belongs to one study folder: two studies of one name in one project must not overwrite
    each other's runs.
    """
    first, rest = (
        re.sub(r"[^A-Za-z0-9_.-]+", "-", text) for text in (study, f"-{key}-{attempt}-{mark}")
    )
    return first[: _LONGEST_ID - len(rest)] + rest


def config(spec: RunSpec, data: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, flat: identities, seed, cost, and every value of variant, recipe and data."""
    return {
        "study": spec.study,
        "key": spec.key,
        "kind": spec.kind,
        "stage": spec.stage,
        "label": spec.label,
        "origin": spec.origin,
        "is_baseline": spec.is_baseline,
        **({"imported_from": spec.imported_from} if spec.imported_from else {}),
        "variant_id": spec.variant_id,
        "candidate_id": spec.candidate_id,
        "seed": spec.seed,
        "seed_index": spec.seed_index,
        **{f"cost.{name}": value for name, value in spec.cost.items()},
        **harmless({"variant": spec.variant or {}, "recipe": spec.recipe or {}, "data": data}),
    }


def summary(spec: RunSpec, result: RunResult) -> dict[str, Any]:
    """What came of it: objective, state, costs, metrics at the last epoch and on test."""
    numbers: dict[str, float | None] = {
        "objective": result.score,
        "epochs": result.epochs,
        "epochs_planned": result.epochs_planned,
        "peak_memory_mb": result.peak_memory_mb,
        "train_seconds": result.seconds.get("fit"),
        "latency_ms": (result.latency or {}).get("median_ms"),
        "latency_low": (result.latency or {}).get("low_ms"),
        "latency_high": (result.latency or {}).get("high_ms"),
        **spec.cost,
        **result.metrics,
        **(result.test or {}),
    }
    return {
        "state": result.state,
        "variant_id": spec.variant_id,
        "candidate_id": spec.candidate_id,
        "device": result.device,
        "precision": result.precision,
        "data_hash": result.data_hash,
        "split_hash": result.split_hash,
        "code_hash": result.code_hash,
        **_finite(numbers),
    }


def history(result: RunResult) -> Iterator[dict[str, float]]:
    """One dict an epoch; values that are not numbers are left out."""
    for index, epoch in enumerate(result.history):
        yield {"epoch": index + 1, **_finite(epoch)}


def harmless(data: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Flat names with dots; credentials dropped, paths and addresses cut to their last part."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        full = f"{path}{name}"
        if _SECRET.search(str(name)) or value is None:
            continue
        if isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, Mapping):
            flat.update(harmless(value, f"{full}."))
        elif isinstance(value, list | tuple):
            flat[full] = [_last_part(item) for item in value]
        else:
            flat[full] = _last_part(value)
    return flat


def _last_part(value: Any) -> Any:
    """``/home/me/scans/train.npz`` and ``https://me:pw@host/train.npz?key=1``: ``train.npz``."""
    if not isinstance(value, str) or not re.search(r"[/\\]", value):
        return value
    return re.split(r"[/\\]", re.split(r"[?#]", value)[0].rstrip("/\\"))[-1].rpartition("@")[2]


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: v for name, v in values.items() if v is not None and math.isfinite(v)}

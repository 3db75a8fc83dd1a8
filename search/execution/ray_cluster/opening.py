"""What the driver is told first, and what a machine of the cluster must have in common with us."""

import math
import os
import platform
import secrets
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import search
from hybrid_swin.system.processes import import_places
from search.execution.job import Place, fed_workers
from search.execution.machine import cpu_workers, visible_gpus
from search.records.versions import code_hash
from search.settings.experiment import WorkerSettings

# Packages on which a training's result depends.
_PACKAGES = ("ray", "torch", "lightning", "torchmetrics", "numpy", "pillow", "scikit-learn")


def opening_of(
    place: Place, asks: Mapping[str, float], address: str | None, named: str = ""
) -> dict[str, Any]:
    """The driver's first message.

    Args:
        place: the study.
        asks: what Ray reserves for each worker, by the names of its resources.
        address: of the cluster; None for one of its own on this machine.
        named: where that address stands, for a person.
    """
    workers, own = place.workers, {}
    count = None if workers.count == "auto" else int(workers.count)
    if address is None:
        gpus, cpus = visible_gpus(workers.accelerator), (workers.threads, workers.devices)
        room = len(gpus) / asks["GPU"] if "GPU" in asks else cpu_workers(*cpus)
        count = max(1, int(room)) if count is None else count
        own = {"num_cpus": math.ceil(asks["CPU"] * count), "num_gpus": len(gpus)}
    fed = place.most if count is None else fed_workers(count, place.most, place.say)
    logs = place.folder.absolute() / "logs"
    return {
        "address": address,
        "named": named,
        "own": own,
        "asks": dict(asks),
        "count": fed,
        "threads": workers.threads,
        "logs": str(logs),
        "nonce": str(logs / f".ray-{secrets.token_hex(8)}"),
        "root": str(Path(str(search.__file__)).parents[1]),
        "working_folder": os.getcwd(),
        "last": import_places()["last"],
        "versions": versions(),
    }


def gpus_of_worker(workers: WorkerSettings) -> float:
    """GPUs of one worker where its training uses any."""
    on_gpu = workers.accelerator in ("gpu", "cuda")
    on_gpu = on_gpu or (workers.accelerator == "auto" and bool(visible_gpus("auto")))
    return workers.devices / workers.per_device if on_gpu else 0.0


def versions() -> dict[str, str]:
    """What must be the same on every machine: Python, packages, and this program's own code."""
    known = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            known[name] = "none"
    return known | {"hybrid-swin's code": code_hash()}


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """How the versions of a machine differ from ours, for a message; empty if they do not."""
    names = [name for name in here if here[name] != there.get(name)]
    return ", ".join(f"{name} {there.get(name)} (here {here[name]})" for name in names)

"""What a coordinator says of itself when it meets an agent, and what the agent makes of it."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_swin.data.test_reads import VARIABLE as LEDGER_VARIABLE
from hybrid_swin.errors import InputError
from hybrid_swin.system.processes import import_places, take_places
from search.execution.other_process import OtherProcess
from search.records.locking.owner import Owner, read_owner, this_process
from search.records.settings import read_study
from search.records.versions import code_hash, versions
from search.settings.experiment import WorkerSettings
from search.settings.storage_url import check_hosts

_SAME = ("python", "torch", "lightning", "numpy")  # versions without which results may differ


def about_coordinator(folder: Path, workers: WorkerSettings) -> dict[str, Any]:
    """What a coordinator tells its agents of itself."""
    return {
        "folder": os.path.abspath(folder),
        "working_folder": os.getcwd(),
        "modules_in": import_places()["last"],
        "ledger": os.environ.get(LEDGER_VARIABLE, ""),
        "workers": asdict(workers) | {"count": "auto"},
        "code_hash": code_hash(),
        "versions": versions(),
        "owner": asdict(this_process()),
    }


class Greeting:
    """A coordinator, as an agent hears of it.

    Args:
        theirs: what it says of itself.
        folder: the study's, as this machine sees it.
    """

    def __init__(self, theirs: Mapping[str, Any], folder: Path) -> None:
        self._theirs, self._folder = theirs, folder
        there, here = str(Path(theirs["folder"]).parent), str(folder.parent)
        self._moved = None if there == here else (there, here)

    def check(self) -> None:
        """Raise InputError where results of this machine would be others."""
        _check_same(self._theirs)
        _check_storage(self._folder)

    @property
    def process(self) -> OtherProcess | None:
        """The coordinator's, if it runs on this machine: its end is seen at once."""
        owner = Owner(**self._theirs["owner"])
        is_seen = owner.is_of_this_host and sys.platform == "linux"
        return OtherProcess(owner.process) if is_seen else None

    @property
    def hardware(self) -> dict[str, Any]:
        """On what this machine would train; what ``auto`` stands for may depend on it."""
        from hybrid_swin.training.hardware import hardware_of  # torch

        return asdict(hardware_of(self._theirs["workers"]["accelerator"]))

    def workers(self, count: int | None) -> WorkerSettings:
        """The settings of workers; ``count`` of them, None for as many as there is room for."""
        settings = dict(self._theirs["workers"])
        return WorkerSettings(**(settings if count is None else settings | {"count": count}))

    def settle(self) -> None:
        """Look for data, modules and the ledger of test readings where the coordinator does."""
        theirs = self._theirs
        with suppress(OSError):
            os.chdir(self.rerooted(theirs["working_folder"]))
        take_places({"path": sys.path[:], "last": self.rerooted(theirs["modules_in"])})
        if theirs["ledger"]:
            os.environ.setdefault(LEDGER_VARIABLE, self.rerooted(theirs["ledger"]))

    def rerooted(self, value: Any) -> Any:
        """A job in which the coordinator's folders are ours."""
        if self._moved is None:
            return value
        if isinstance(value, dict):
            return {self.rerooted(key): self.rerooted(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.rerooted(inner) for inner in value]
        there, here = self._moved
        if isinstance(value, str) and (value == there or value.startswith(there + os.sep)):
            return here + value[len(there) :]
        return value


def _check_same(theirs: Mapping[str, Any]) -> None:
    if theirs["code_hash"] != code_hash():
        raise InputError(
            "this machine has another version of hybrid-swin than the coordinator (hashes "
            f"{code_hash()} and {theirs['code_hash']}); install the same"
        )
    ours = versions()
    for name in _SAME:
        if ours.get(name) != theirs["versions"].get(name):
            raise InputError(
                f"{name} is {ours.get(name)} here and {theirs['versions'].get(name)} at the "
                "coordinator, so results could differ; install the same"
            )


def _check_storage(folder: Path) -> None:
    """Raise InputError if the coordinator, on another host, keeps its trials in SQLite."""
    owner = read_owner(folder)
    if owner is not None and not owner.is_of_this_kernel:
        check_hosts(
            getattr(read_study(folder), "storage", None), f"this host, beside {owner.host},"
        )

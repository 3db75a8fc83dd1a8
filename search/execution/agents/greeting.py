"""What a coordinator says of itself when it meets an agent, and what the agent makes of it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_swin.data.test_reads import VARIABLE as LEDGER_VARIABLE
from hybrid_swin.errors import InputError
from hybrid_swin.system.files import explained
from hybrid_swin.system.processes import import_places, take_places
from search.execution.other_process import OtherProcess
from search.execution.shared_word import comes_to_hold
from search.records.locking.owner import Owner, read_owner, this_process
from search.records.settings import read_study
from search.records.versions import code_hash, versions
from search.settings.experiment import WorkerSettings
from search.settings.storage_url import check_hosts

WORD, ANSWER = "coordinator.word", "agent.word"
_PATIENCE = 5.0  # seconds for a file of another machine to appear
_SAME = ("python", "torch", "lightning", "numpy")  # versions without which results may differ


def about_coordinator(folder: Path, workers: WorkerSettings) -> dict[str, Any]:
    """What a coordinator tells its agents of itself."""
    return {
        "folder": os.path.abspath(folder),
        "resolved": os.path.realpath(folder),
        "resolved_root": os.path.realpath(os.path.dirname(os.path.abspath(folder))),
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
        given, root = theirs["folder"], os.path.dirname(theirs["folder"])
        # as given, and without symbolic links: plug-ins and kept images are named by the latter
        places = {
            given: str(folder),
            theirs.get("resolved", given): str(folder),
            root: str(folder.parent),
            theirs.get("resolved_root", root): str(folder.parent),
        }
        self._places = sorted(places.items(), key=lambda pair: len(pair[0]), reverse=True)

    def check(self) -> None:
        """Raise InputError where results of this machine would be others."""
        _check_same(self._theirs)
        _check_storage(self._folder)

    def check_place(self) -> None:
        """Read the coordinator's word where it says, and answer beside it.

        Raises InputError if it is not there, or no answer can be written.
        """
        if "word" not in self._theirs:
            return
        word = Path(self.rerooted(self._theirs["word_at"]))
        if not comes_to_hold(word, self._theirs["word"], _PATIENCE):
            raise InputError(
                f"{str(self._theirs['folder'])!r} at the coordinator is not "
                f"{str(self._folder)!r} here; give `work` the study's own folder, without folders "
                "of other places in between"
            )
        try:
            word.with_name(ANSWER).write_text(self._theirs["word"], encoding="utf-8")
        except OSError as error:
            raise InputError(explained(error, word.parent)) from error

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

    @property
    def terms(self) -> dict[str, Any]:
        """What workers depend on: others must be started where it has changed."""
        of_one_start = ("owner", "word", "word_at")
        return {name: value for name, value in self._theirs.items() if name not in of_one_start}

    def settle(self, own_ledger: bool = False) -> str:
        """Look for data, modules and the ledger of test readings where the coordinator does.

        ``own_ledger``: the user names another ledger here. Gives the coordinator's working folder
        if it is not here.
        """
        theirs, missing = self._theirs, ""
        working = self.rerooted(theirs["working_folder"])
        try:
            os.chdir(working)
        except OSError:
            missing = working
        take_places({"path": sys.path[:], "last": self.rerooted(theirs["modules_in"])})
        if not own_ledger:
            os.environ.pop(LEDGER_VARIABLE, None)  # of an earlier start
            if theirs["ledger"]:
                os.environ[LEDGER_VARIABLE] = self.rerooted(theirs["ledger"])
        return missing

    def rerooted(self, value: Any) -> Any:
        """A job in which the coordinator's folders are ours."""
        if isinstance(value, dict):
            return {self.rerooted(key): self.rerooted(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.rerooted(inner) for inner in value]
        if isinstance(value, str):
            for there, here in self._places:
                if value == there or value.startswith(there + os.sep):
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

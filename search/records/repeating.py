"""A study that is run again from a receipt: what differs from the first time, beside settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hybrid_swin.system.console import Console
from search.records.receipt import code_hash, versions
from search.records.study_file import read_fixed
from search.settings.experiment import differences


def say_what_differs(receipt: Mapping[str, Any] | None, folder: Path, console: Console) -> None:
    """Warn, one line each, of what may make the repetition find something else.

    Args:
        receipt: content of a ``receipt.json``; None where this repeats nothing.
        folder: of the study that is about to begin, tied to its data and plug-ins.
        console: for the user.
    """
    for line in differences_from(receipt or {}, folder):
        console.print(f"not as in the receipt: {line}", style="yellow", highlight=False)


def differences_from(receipt: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Data, plug-ins, precision, code and versions that are not as a receipt says."""
    claimed = read_fixed(folder)
    here = {
        "hashes": claimed.data,
        "plugins": claimed.plugins,
        "modules": claimed.modules,
        "precision": claimed.precision,
        "code_hash": code_hash(),
        "versions": versions(),
    }
    for name, now in here.items():
        if name in receipt:  # an older one says less
            yield from differences(receipt[name], now, name)

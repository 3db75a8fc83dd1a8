"""The receipt of a study: what it takes to repeat it, and what it took."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_swin.data.loading import LoadedData
from hybrid_swin.data.summary import describe
from hybrid_swin.data.test_reads import LEDGER, read_ledger
from hybrid_swin.errors import InputError
from hybrid_swin.spec.run_reference import WORKING_FOLDER
from hybrid_swin.system.files import DamagedFileError, read_json, write_json_atomically
from search.records.imported import IMPORTED_FILE, about_imported, read_imported
from search.records.runs import RunResult, RunSpec, iter_runs
from search.records.study_file import read_fixed
from search.records.study_folder import RECEIPT
from search.records.torn import notes_on
from search.records.versions import code_hash, versions
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import SCHEMA_VERSION, ExperimentSettings, differences


def write_receipt(settings: ExperimentSettings, seconds: float, **about: Any) -> None:
    """Write ``receipt.json``: all that it takes to run this again, what it took, and ``about``.

    Args:
        settings: the study or comparison.
        seconds: since this start of it.
        about: more, such as its seeds and what ``about_data`` says.
    """
    damaged: list[DamagedFileError] = []
    runs = list(iter_runs(settings.path, damaged))
    finished_runs = [(spec, result) for spec, result in runs if result is not None]
    readings = read_ledger(settings.path / LEDGER)
    fixed = read_fixed(settings.path)
    word = "compare" if isinstance(settings, ComparisonSettings) else "run"
    command = f"python search.py {word} --config receipt.json"
    imported = about_imported(read_imported(settings.path, damaged))
    if imported:
        command += f" --import-trials {IMPORTED_FILE}"
        about["imported"] = imported
    write_json_atomically(
        settings.path / RECEIPT,
        {
            "schema_version": SCHEMA_VERSION,
            "study": settings.name,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "repeat": f"{command} --name {settings.name}-again",
            "settings": settings.to_dict(),
            WORKING_FOLDER: fixed.working_folder,
            **about,
            "hashes": fixed.data,
            "plugins": fixed.plugins,
            "modules": fixed.modules,
            "precision": fixed.precision,
            "validation_seeds": _validation_seeds(runs),
            "split_hashes": sorted({result.split_hash for _, result in finished_runs} - {""}),
            "damaged": notes_on(damaged, settings.path),
            "runs": {"asked": len(runs), "ended": len(finished_runs)},
            "failures": {
                spec.key: result.error
                for spec, result in finished_runs
                if result.state in ("infeasible", "failed")
            },
            "test_reads": sum(entry.happened for entry in readings),
            "test_reads_begun": len(readings),
            "training_seconds": sum(
                result.seconds.get("total", 0.0) for _, result in finished_runs
            ),
            "seconds_of_this_start": seconds,
            "hardware": {
                "machine": platform.machine(),
                "system": platform.platform(),
                "devices": sorted({result.device for _, result in finished_runs if result.device}),
            },
            "versions": versions(),
            "code_hash": code_hash(),
        },
    )


def _validation_seeds(runs: Sequence[tuple[RunSpec, RunResult | None]]) -> list[int]:
    """From which validation was drawn anew; none if all runs have one split: it was given."""
    splits = {result.split_hash for _, result in runs if result and result.split_hash}
    seeds = {(spec.data or {}).get("validation_seed") for spec, _ in runs}
    return sorted(seed for seed in seeds if seed is not None) if len(splits) != 1 else []


def read_versions(folder: Path) -> dict[str, Any]:
    """Of the packages of a study's last start; empty if it has no receipt that can be read."""
    try:
        known = read_json(folder / RECEIPT).get("versions")
    except InputError:
        return {}
    return known if isinstance(known, dict) else {}


def differences_from(receipt: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Why a receipt's repetition may find something else, beside settings: one line each.

    ``folder`` is that of the study that is about to begin, tied to its data and plug-ins.
    """
    fixed = read_fixed(folder)
    here = {
        "hashes": fixed.data,
        "plugins": fixed.plugins,
        "modules": fixed.modules,
        "precision": fixed.precision,
        "imported": {"hash": fixed.imported} if fixed.imported else None,
        "code_hash": code_hash(),
        "versions": versions(),
    }
    for name, now in here.items():
        if name == "imported" and receipt:
            known = receipt.get(name)
            known = {"hash": known.get("hash")} if isinstance(known, Mapping) else None
            yield from differences(known, now, name)
        elif name in receipt:  # an older one says less
            yield from differences(receipt[name], now, name)


def about_data(data: LoadedData | None) -> dict[str, Any]:
    """Images and splits for a receipt; empty for a data module of the user's own."""
    if data is None:
        return {}
    return data.hashes | describe(data)

"""The folder of a study: tied to its settings, with its plug-ins inside."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hybrid_swin.data.test_reads import (
    LEDGER,
    RecordedRead,
    check_ledger,
    ledger_beside,
    read_ledger,
    recorded,
    restore,
)
from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.module_sources import check_modules, module_hashes
from hybrid_swin.spec.run_reference import WORKING_FOLDER, working_folder
from hybrid_swin.system.files import DamagedFileError, MissingFileError
from search.records.locking.study_lock import locked as locked
from search.records.runs import RESULT_FILE
from search.records.runs import has_begun as has_begun
from search.records.settings import SETTINGS_FILE, read_study, write_settings
from search.records.study_file import (
    read_fixed,
    read_study_file,
    write_study_file,
)
from search.records.torn import read_or_set_aside, set_aside
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import SCHEMA_VERSION, ExperimentSettings, differences

RECEIPT = "receipt.json"


def check_folder(settings: ExperimentSettings) -> None:
    """Look at the folder before any work starts; `bind_settings` also looks at code and data.

    Raises InputError if an experiment with other settings has begun to train there, or as
    `check_kind`.
    """
    check_kind(settings)
    folder = settings.path
    known = read_study_file(folder, []) if has_begun(folder) else None
    if known and "settings" in known:
        _refuse_others(settings, {"settings": known["settings"]}, _tied(settings))


def check_kind(settings: ExperimentSettings) -> None:
    """Raise InputError if a study is asked for in the folder of a comparison, or the reverse."""
    folder = settings.path
    if not has_begun(folder):
        return
    with suppress(DamagedFileError, MissingFileError):  # `claim` says so and sets them aside
        kind, wanted = (
            "comparison" if isinstance(one, ComparisonSettings) else "study"
            for one in (read_study(folder), settings)
        )
        if kind != wanted:
            raise InputError(
                f"{str(folder)!r} is the folder of a {kind}, and this is a {wanted}; give "
                "another --name"
            )


def bind_settings(
    settings: ExperimentSettings,
    plugins: Mapping[str, str],
    data: Mapping[str, str],
    resolved: Mapping[str, Any],
    say: Callable[[str], None] = lambda text: None,
    modules: Mapping[str, str] | None = None,
    imported: str = "",
) -> dict[str, Any]:
    """Tie a folder to the settings, code and data that its results depend on.

    Args:
        settings: the study; where its plug-ins lie does not matter.
        plugins: source hashes by file name.
        data: hashes of images and split.
        resolved: what holds for all of it, such as what ``auto`` stands for on this machine.
        say: is told of a damaged ``study.json``, which is set aside.
        modules: source hashes of data modules of the user's own by class path.
        imported: hash of the candidates that a study begins with.

    Returns:
        What was resolved when the study began, so that it stays so on another machine.

    Raises:
        InputError: the folder holds a study of other ones that has begun to train, and says which;
            or the ledger of test readings beside it cannot be written.
    """
    folder = settings.path
    check_ledger(ledger_beside(folder))  # now, not after the hours of a search
    _restore_ledger(folder, say)
    fixed = {
        "schema_version": SCHEMA_VERSION,
        **_tied(settings),
        "plugins": dict(plugins),
        "data": dict(data),
    }
    if modules:
        fixed["modules"] = dict(modules)
    if imported:
        fixed["imported"] = imported
    before_now = None
    if os.path.lexists(folder / SETTINGS_FILE):
        before_now = read_or_set_aside(lambda: read_study(folder), say, "it is written again")
    resolved = {**resolved, WORKING_FOLDER: working_folder()}
    damaged: list[DamagedFileError] = []
    known = read_study_file(folder, damaged)
    for error in damaged:
        say(f"{error}; it is kept as {set_aside(error.path).name}, and made again")
    if known is None and before_now is not None and has_begun(folder):
        # the file and its copy are lost: these settings are all that tells what was trained
        _refuse_others(settings, _tied(before_now), _tied(settings))
    if known is not None:
        before = {name: known.pop(name, value) for name, value in resolved.items()}
        if modules:
            known.setdefault("modules", dict(modules))  # of a study from before they were recorded
        if not has_begun(folder) and any(differences(known, fixed)):  # ended before any training
            before = resolved | {name: before[name] for name in before if name == "owner"}
        else:
            _refuse_others(settings, known, fixed)
        resolved = before
    write_study_file(folder, fixed | resolved)
    write_settings(folder, settings)
    return {name: value for name, value in resolved.items() if name != WORKING_FOLDER}


def _restore_ledger(folder: Path, say: Callable[[str], None]) -> None:
    """Take readings of runs that have ended from the ledger beside, if the own one lost them."""
    name = Path(os.path.abspath(folder)).name
    runs = (
        entry
        for entry in read_ledger(ledger_beside(folder))
        if entry.study == name and (folder / entry.key / RESULT_FILE).is_file()
    )
    number = restore(folder / LEDGER, runs)
    if number:
        say(
            f"{LEDGER} of the study had lost {number} readings of test, which were taken from the "
            "ledger beside it"
        )


def _tied(settings: ExperimentSettings) -> dict[str, Any]:
    """The settings that a study is tied to; where its plug-ins lie does not matter."""
    return {"settings": settings.fixed() | {"plugins": None}}


def _refuse_others(
    settings: ExperimentSettings, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Raise InputError, which names what has changed, if anything has."""
    changed = list(differences(before, now))
    if changed:
        raise InputError(
            f"study {settings.name!r} in {str(settings.path)!r} was begun with other settings "
            f"({'; '.join(changed[:4])}{' ...' if len(changed) > 4 else ''}); its results "
            "would not be comparable. Give another --name, or put the settings back"
        )


def adopt_plugins(paths: Sequence[str], folder: Path) -> dict[str, str]:
    """Register plug-ins from copies in the study's folder, so that later edits change nothing.

    Returns the source hash of each copy by its absolute path. Raises InputError for a plug-in that
    cannot be used, or one that changed since the study began to train.
    """
    hashes = {}
    for path in paths:
        entry = registry.read_plugin(path)
        copy = folder / "plugins" / entry.file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        known = copy.exists() and copy.read_bytes() == entry.file.read_bytes()
        if not known and copy.exists() and has_begun(folder):
            raise InputError(
                f"plug-in {entry.file.name!r} has changed since the study began; give "
                "another --name for a new study, or put the file back"
            )
        if not known:
            temporary = copy.with_name(f".{copy.name}.tmp")
            shutil.copyfile(entry.file, temporary)
            temporary.replace(copy)
        hashes[str(copy.resolve())] = registry.add_plugin(copy).plugin_hash
    return hashes


def adopt_modules(class_paths: Iterable[str | None], folder: Path) -> dict[str, str]:
    """Source hashes of the data modules that a study is about to import, by class path.

    Raises InputError for one that changed since the study began to train; it has not been run.
    """
    hashes = module_hashes(class_paths)
    if has_begun(folder):
        check_modules(hashes, read_fixed(folder).modules, f"study {folder.name[:40]!r}")
    return hashes


@contextmanager
def recorded_test_read(
    folder: Path, command: str, key: str, candidate_id: str, data: Mapping[str, Any]
) -> Iterator[None]:
    """Write down that a run of a study reads the test split, before and after; once a run.

    Args:
        folder: the study's, whose own ledger is the truth about it; another lies beside it.
        command: what reads, as in `RecordedRead`.
        key: the run.
        candidate_id: what was trained.
        data: holds the ``test_hash`` and ``data_hash`` where we can know them.

    Raises:
        InputError: it cannot be written down, and must not be done.
    """
    study = Path(os.path.abspath(folder)).name
    test_hash, data_hash = (str(data.get(name) or "") for name in ("test_hash", "data_hash"))
    entry = RecordedRead(study, key, command, candidate_id, test_hash, data_hash)
    with recorded(entry, ledger_beside(folder), folder / LEDGER):
        yield

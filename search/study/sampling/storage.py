"""Where Optuna keeps a study, a journal in its folder or a database: opened, and tied to it."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.storages import BaseStorage, JournalStorage

from hybrid_swin.errors import InputError
from search.records.journal import JOURNAL, begin_again, repair_journal
from search.records.torn import Say
from search.settings.study import StudySettings
from search.study.objectives import directions
from search.study.sampling.journal_backend import OwnJournal
from search.study.sampling.sampler_view import WAYS

if TYPE_CHECKING:
    from search.study.sampling.database import Database

Opened = tuple[optuna.Study, BaseStorage]

_FROM_ELSEWHERE = (
    f", or, if only {JOURNAL} came from another folder, delete it: it is made again from the "
    "finished trials"
)
# Attributes of the Optuna study: of which settings it is, and of which folder.
_SETTINGS, _OWNER = "settings", "folder"


def open_journal(settings: StudySettings, folder: Path, say: Say) -> tuple[Opened, OwnJournal]:
    """The study in the folder's journal; a new one where Optuna cannot read that."""
    journal = folder / JOURNAL
    # The study's own lock is held: a lock file here was left by a coordinator that was killed.
    for stale in folder.glob(f"{JOURNAL}.lock*"):
        with suppress(FileNotFoundError):
            stale.unlink()
    repair_journal(journal, say)
    try:
        return _open_file(settings, journal)
    except OSError:  # a full disk, for example: that says nothing of the file
        raise
    except Exception as error:  # whatever a damaged one raises
        begin_again(journal, _reason(error), say)
        return _open_file(settings, journal)


def open_database(settings: StudySettings, url: str) -> tuple[Opened, "Database"]:
    """The study in a database. Raises InputError where that cannot be opened."""
    from search.study.sampling.database import Database, cannot_open  # SQLAlchemy: slow to import

    database = Database(url)
    try:
        return open_study(settings, database.storage), database
    except Exception as error:  # whatever a driver raises
        raise cannot_open(url, error) from error


def open_study(settings: StudySettings, storage: BaseStorage) -> Opened:
    """The study in a storage, made if need be."""
    study = optuna.create_study(
        study_name=settings.name,
        storage=storage,
        directions=[WAYS[direction] for direction in directions(settings.objective)],
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),
    )
    return study, storage


def claim(study: optuna.Study, settings: StudySettings, owner: str) -> None:
    """Refuse a study that is not ours: a database knows studies by their name only.

    ``owner`` is a word that no other folder has; empty for a journal in the folder itself. Raises
    InputError if it is of other settings, or of another folder.
    """
    text = json.dumps(settings.fixed() | {"plugins": []}, sort_keys=True)
    mark = hashlib.sha256(text.encode()).hexdigest()[:10]
    known = study.user_attrs
    ours = {name: own for name, own in {_OWNER: owner, _SETTINGS: mark}.items() if own}
    others = [name for name, own in ours.items() if known.get(name, own) != own]
    if others == [_SETTINGS] and not study.get_trials(deepcopy=False):
        others = []  # claimed, and ended before the first trial
    if others:
        elsewhere = "" if settings.storage or others[0] == _OWNER else _FROM_ELSEWHERE
        raise InputError(
            f"the Optuna storage holds another study {settings.name!r}, of another {others[0]}; "
            f"give another --name{elsewhere}"
        )
    for name, own in ours.items() - known.items():
        study.set_user_attr(name, own)


def _open_file(settings: StudySettings, journal: Path) -> tuple[Opened, OwnJournal]:
    """The study in Optuna's journal; a write makes and removes a file ``optuna.journal.lock``.

    Optuna offers that lock, made by ``open(O_EXCL)`` as NFS has it since version 3, and one by a
    symbolic link for older ones. Which it is does not matter here: one process, which holds the
    study's lock, is all that opens the journal, and a lock left by a kill was removed before.
    Without `O_EXCL` the folder is refused (`search.records.locking.file_system`).
    """
    backend = OwnJournal(journal)
    return open_study(settings, JournalStorage(backend)), backend


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"

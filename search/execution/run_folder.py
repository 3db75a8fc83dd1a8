"""The folder of a run: whose it is, its attempts, and what one takes over from another."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import write_json_atomically
from search.records.runs import RESULT_FILE, RUN_FILE, RunResult, RunSpec, read_spec
from search.records.torn import Say, read_or_set_aside, set_aside

_ATTEMPT = re.compile(r"attempt-[0-9]{1,9}")  # whatever else is called so is not one


class DeletedFolderError(Exception):
    """Somebody has deleted an attempt's folder."""

    def __init__(self) -> None:
        super().__init__("its folder was deleted while it was under way")


class UnfitMachineError(InputError):
    """This machine cannot do a job, or its result would not be the study's; another one may."""


def check_machine(attempt: Path, key: str) -> None:
    """Raise UnfitMachineError where an attempt of the run ``key`` cannot be written."""
    study = attempt.parents[len(Path(key).parts)]
    if not study.is_dir():
        raise UnfitMachineError(
            f"does not see the study's folder as {str(study)!r}; all machines must see it, and its "
            "symbolic links must lead to the same place"
        )
    if attempt.is_dir() and not os.access(attempt, os.W_OK):
        raise UnfitMachineError(
            f"cannot write into {str(attempt)!r}; mount it there for writing, and let all machines "
            "work as one user"
        )


def take_folder(study: Path, spec: RunSpec, decisions: Mapping[str, Any], say: Say) -> None:
    """Write ``run.json``, or check that the folder is that of the same run.

    ``decisions`` are what else it holds; ``say`` is told of what is set aside. Raises
    InputError if it is of another candidate.
    """
    for place in (*reversed(Path(spec.key).parents), Path(spec.key)):
        if (study / place).is_file():
            torn = set_aside(study / place)
            say(f"{place} was a file where a folder belongs; it is now {torn.name}")
    record = read_or_set_aside(lambda: read_spec(study, spec.key), say, "it is written again")
    if record is None:
        write_json_atomically(study / spec.key / RUN_FILE, spec.to_dict() | dict(decisions))
    else:
        _check_same(spec, record)


def attempts_in(folder: Path) -> list[Path]:
    """The attempts' folders so far, in order."""
    folders = [p for p in folder.glob("attempt-*") if p.is_dir() and _ATTEMPT.fullmatch(p.name)]
    return sorted(folders, key=number_of)


def number_of(attempt: Path) -> int:
    """Of an attempt, by its folder's name."""
    return int(attempt.name.partition("-")[2])


def take_over(old: Path, new: Path) -> None:
    """Let an attempt go on from the one before.

    Moved, not shared: a late writer of the old attempt cannot touch the new one. Nor copied, which
    would need space and could be cut off.
    """
    # final before last, and then those of rungs of images
    for checkpoint in sorted(old.rglob("*.ckpt"), key=lambda path: (len(path.parts), path)):
        place = new / checkpoint.relative_to(old)
        place.parent.mkdir(exist_ok=True)
        checkpoint.replace(place)


def _check_same(spec: RunSpec, record: RunSpec) -> None:
    """Refuse the folder of another candidate: its result would be taken for this one's."""
    if (record.candidate_id, record.seed) != (spec.candidate_id, spec.seed):
        raise InputError(
            f"{spec.key} holds a run of another candidate ({record.label}, seed {record.seed}; now "
            f"{spec.label}, seed {spec.seed}), as after an update of Optuna or of this program; "
            "go on with the versions that receipt.json names, or give another --name"
        )


def take_answers(attempt: Path) -> None:
    """Move what the attempt that counts answered into its run's folder.

    Workers write into their attempt's folder alone, so that a late one, cut off from us or given
    up, cannot write over what another attempt answered.
    """
    from search.records import predictions, validation  # numpy, which `status` does without

    for name in (predictions.PREDICTIONS_FILE, validation.VALIDATION_FILE):
        with suppress(FileNotFoundError):  # none, or moved by an earlier start
            (attempt / name).replace(attempt.parent / name)


def lost_answers(folder: Path, result: RunResult) -> str | None:
    """The file of a run's answers that is lost: on test, or on validation if it kept any."""
    from search.records import predictions, validation  # numpy, which `status` does without

    if result.test is not None and not predictions.has_predictions(folder):
        return predictions.PREDICTIONS_FILE
    kept = result.answers or os.path.lexists(folder / validation.VALIDATION_FILE)
    damaged = kept and validation.read_answers(folder) is None
    return validation.VALIDATION_FILE if damaged else None


def set_aside_answered(study: Path, key: str, lost: str, say: Say) -> None:
    """Let a result whose answers are lost be made again, from the weights of its last attempt.

    Without them its row's interval would silently cover less.
    """
    folder = study / key
    files = [folder / lost, folder / RESULT_FILE]
    files += [attempt / RESULT_FILE for attempt in attempts_in(folder)]
    for file in files:
        if os.path.lexists(file):
            set_aside(file)
    say(
        f"{key}/{lost} is missing or damaged: it and the run's result are set "
        "aside (*.torn) and made again from its last checkpoint"
    )

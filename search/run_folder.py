"""Run folders: what one training was asked (``run.json``) and what came of it (``result.json``).

The folder is the truth of a study: everything else (storage, leaderboard, W&B) is made from it. So
a file is either whole or absent: written under a temporary name, flushed to the disk and renamed.
Numbers that JSON cannot hold (NaN, infinities) are written as null.
"""

import errno
import json
import math
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml

from hybrid_swin.errors import InputError, unknown

SCHEMA_VERSION = 1
SETTINGS_FILE = "settings.yaml"
RUN_FILE = "run.json"
RESULT_FILE = "result.json"

Kind = Literal["trial", "baseline", "audit", "random", "finalist", "reference"]
Stage = Literal["search", "final"]
State = Literal["complete", "stopped", "diverged", "failed"]

# where the run folders of each kind lie in a study, in the order in which they are read
PLACES = ("trials/*", "baselines/*", "audits/*", "random/*", "finalists/*/*", "references/*")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class RunSpec:
    """What one run was asked to do; the content of ``run.json``.

    ``key`` is the run folder's place in the study (``trials/0007``). A finalist's ``origin`` is the
    key of the run that it retrains; an audit trains a stopped trial to its end; a random run is of
    the random search beside the search, or of the mean random candidate. References (no network)
    have no variant and no recipe.
    """

    study: str
    key: str
    kind: Kind
    stage: Stage
    label: str
    variant: dict[str, Any] | None
    recipe: dict[str, Any] | None
    variant_id: str
    candidate_id: str
    seed: int
    seed_index: int = 0
    origin: str = ""
    is_baseline: bool = False
    cost: dict[str, int] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    cutoffs: dict[str, float] = field(default_factory=dict)  # rung -> least score to go on
    image_rungs: tuple[int, ...] = ()  # trainings on so many images that come first
    matched: dict[str, Any] = field(default_factory=dict)  # what was adjusted to meet a cost
    data: dict[str, Any] | None = None  # instead of the study's
    init: str = ""  # weights to start from
    weights_prefix: str | None = None  # which network of them

    def to_dict(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return content | {"image_rungs": list(self.image_rungs)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the content of ``run.json``; keys that this version does not know are ignored.

        Raises:
            InputError: another schema_version, a missing key, an unknown kind or stage.
        """
        known = _known_fields(cls, data, RUN_FILE)
        _check_word("run kind", known["kind"], get_args(Kind))
        _check_word("run stage", known["stage"], get_args(Stage))
        known["image_rungs"] = tuple(known.get("image_rungs") or ())
        return cls(**known)


@dataclass(frozen=True)
class RunResult:
    """What came of a run; the content of ``result.json``.

    ``score`` is the objective on validation at the last epoch (None where there is none),
    ``history`` one dict an epoch, ``rungs`` the scores of trainings on fewer images, ``metrics``
    the last epoch's ``val/*``, ``test`` the single reading of the test split (finalists,
    references). Times are seconds, memory is MiB.
    """

    key: str
    attempt: int
    state: State
    score: float | None
    epochs: int = 0
    epochs_planned: int = 0
    passes: float = 0.0  # over the train split, trainings on fewer images included
    history: tuple[dict[str, float], ...] = ()
    rungs: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float | None = None
    latency: dict[str, Any] | None = None
    device: str = ""
    precision: str = ""
    data_hash: str = ""
    split_hash: str = ""
    test_hash: str = ""
    code_hash: str = ""
    validation_images: int = 0
    test_images: int = 0
    validation_groups: int = 0  # of images that belong together; 0 where there are none
    test_groups: int = 0
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self), "history": list(self.history)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the content of ``result.json``; keys that this version does not know are ignored.

        Raises:
            InputError: another schema_version, a missing key, an unknown state.
        """
        known = _known_fields(cls, data, RESULT_FILE)
        _check_word("run state", known["state"], get_args(State))
        known["history"] = tuple(_numbers(epoch) for epoch in known.get("history") or ())
        known["rungs"] = _numbers(known.get("rungs") or {})
        known["metrics"] = _numbers(known.get("metrics") or {})
        known["test"] = None if known.get("test") is None else _numbers(known["test"])
        score = known["score"]
        known["score"] = None if score is None or not math.isfinite(score) else float(score)
        return cls(**known)


def write_json_atomically(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object as `write_text_atomically` does; NaN and infinities become null."""
    write_text_atomically(path, json.dumps(json_ready(data), indent=1, allow_nan=False) + "\n")


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` holds the old or the new content after any kill or power cut.

    Folders on the way are made.

    Raises:
        InputError: the disk (or the quota) is full; the old file is untouched.
    """
    # a name of our own, so that a late writer of the same file cannot tear it
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno in _DISK_FULL:
            raise InputError(
                f"no space left on the disk for {path} ({len(text)} bytes); the file is as it was; "
                "free some space and start the same command again: finished runs are kept"
            ) from error
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is missing, no JSON, or no object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no {path}; is this the folder of a study?") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); delete it to have it made again") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds a {type(data).__name__}, not an object; delete it")
    return data


def read_run(study_folder: Path, key: str) -> tuple[RunSpec, RunResult | None]:
    """Read one run folder; the result is None where the run has not ended."""
    folder = study_folder / key
    spec = RunSpec.from_dict(read_json(folder / RUN_FILE))
    if spec.key != key:
        raise InputError(
            f"{folder / RUN_FILE} says key {spec.key!r}, but lies at {key!r}; was it moved?"
        )
    if not (folder / RESULT_FILE).exists():
        return spec, None
    return spec, RunResult.from_dict(read_json(folder / RESULT_FILE))


def iter_runs(study_folder: Path) -> Iterator[tuple[RunSpec, RunResult | None]]:
    """Every run of a study: trials, baselines, finalists, references, each in number order.

    Folders without a ``run.json`` are skipped: their run was never asked.

    Raises:
        InputError: the study's folder does not exist, or a file in it cannot be read.
    """
    if not study_folder.is_dir():
        raise InputError(
            f"there is no study at {study_folder}; start one with `python search.py run`"
        )
    for place in PLACES:
        keys = [
            file.parent.relative_to(study_folder).as_posix()
            for file in study_folder.glob(f"{place}/{RUN_FILE}")
        ]
        for key in sorted(keys, key=natural_order):
            yield read_run(study_folder, key)


def read_settings(study_folder: Path) -> dict[str, Any]:
    """The resolved settings of a study, as plain values.

    Raises:
        InputError: the file is missing or is no YAML mapping.
    """
    path = study_folder / SETTINGS_FILE
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no {path}; is {study_folder} the folder of a study?") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} holds a {type(settings).__name__}, not settings")
    return settings


def is_comparison(settings: Mapping[str, Any]) -> bool:
    """Whether settings are a comparison's."""
    return settings.get("kind") == "comparison" or {"arms", "match"} <= set(settings)


def natural_order(text: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts ``trials/10000`` after ``trials/9999``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def _known_fields(cls: type[Any], data: Mapping[str, Any], file: str) -> dict[str, Any]:
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file} of {data.get('key', '?')!r} has schema_version {version!r}, this program "
            f"reads {SCHEMA_VERSION}; use the program's version that wrote the study"
        )
    known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
    missing = [
        f.name
        for f in fields(cls)
        if f.name not in known and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise InputError(
            f"{file} of {data.get('key', '?')!r} lacks {', '.join(missing)}; delete it"
        )
    return known


def _check_word(kind: str, word: object, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise unknown(kind, word, allowed)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def json_ready(value: Any) -> Any:
    """Plain JSON values: numpy's and torch's numbers become Python's, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(name): json_ready(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if hasattr(value, "item"):  # a number of numpy or torch
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut; only POSIX can open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

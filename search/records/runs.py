"""Run folders: what one training was asked (``run.json``) and what came of it (``result.json``).

The folder is the truth of a study: everything else (storage, leaderboard, W&B) is made from it. So
a file is either whole or absent: written under a temporary name, flushed to the disk and renamed.
Numbers that JSON cannot hold (NaN, infinities) are written as null.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from hybrid_swin.errors import InputError
from hybrid_swin.system.file_names import RESULT_FILE as RESULT_FILE
from hybrid_swin.system.file_names import RUN_FILE as RUN_FILE
from hybrid_swin.system.files import (
    DamagedFileError,
    MissingFileError,
    natural_order,
    read_json,
    write_json_atomically,
)
from hybrid_swin.system.program import door
from hybrid_swin.system.schema import FutureVersionError, SchemaError, build, check_version
from hybrid_swin.training.batch_norm_note import has_batch_norm_note

SCHEMA_VERSION = 1
FAILURE_FILE = "failure.json"

RunKind = Literal["trial", "baseline", "audit", "random", "finalist", "reference"]
Stage = Literal["search", "final"]
State = Literal["complete", "stopped", "diverged", "infeasible", "failed"]

# where the run folders of each kind lie in a study, in the order in which they are read
PLACES = ("trials/*", "baselines/*", "audits/*", "random/*", "finalists/*/*", "references/*")
# least values of the numbers in a result
_COUNTS = ("validation_images", "test_images", "validation_groups", "test_groups")
_LEAST = {"attempt": 1, "devices": 1} | dict.fromkeys(
    ("epochs", "epochs_planned", "passes", "micro_batch", *_COUNTS), 0
)
Content = TypeVar("Content")


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
    kind: RunKind
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
    init_strict: bool = True  # whether all of them must fit; else what fits is taken
    imported_from: str = ""  # where the study was given the candidate from

    def to_dict(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        if not self.imported_from:
            del content["imported_from"]
        if self.init_strict:
            del content["init_strict"]
        return content | {"image_rungs": list(self.image_rungs)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the content of ``run.json``; keys that this version does not know are ignored.

        Raises:
            SchemaError: a missing key, a value of another type, an unknown kind or stage.
            FutureVersionError: the file is of a later program.
        """
        check_version(data, SCHEMA_VERSION)
        return build(cls, data, least={"seed": 0, "seed_index": 0})


@dataclass(frozen=True)
class RunResult:
    """What came of a run; the content of ``result.json``.

    ``score`` is the objective on validation at the epoch whose weights are kept, the last one
    unless the recipe has ``early_stopping`` (None if there is none). ``history`` is one dict an
    epoch, ``rungs`` the scores of trainings on fewer images, ``metrics`` the kept epoch's
    ``val/*``, ``test`` the single reading of the test split (finalists, references). Times are
    seconds, memory is MiB. A run is ``infeasible`` if it ran out of memory twice, the second time
    with half the images at once. ``taken_over`` says where a run that was not trained here was,
    with its attempt and what it took there; then it took nothing here. ``answers`` says that it
    kept which validation images it got right; runs of earlier versions do not say so. ``fresh`` is
    the share of parameters that its first weights did not give; None if all of them were drawn.
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
    devices: int = 1  # that shared the training
    micro_batch: int = 0  # images that each of them took at once, at most; 0 if not known
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
    taken_over: dict[str, Any] | None = None
    answers: bool = False
    fresh: float | None = None

    @property
    def batch_norm_in_parts(self) -> bool:
        """Whether batch norm took its statistics over micro-batches, since memory had run out."""
        return self.state == "complete" and has_batch_norm_note(self.error)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        if self.taken_over is None:
            del content["taken_over"]
        if not self.answers:
            del content["answers"]
        if self.fresh is None:
            del content["fresh"]
        return content | {"history": list(self.history)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the content of ``result.json``, as `RunSpec.from_dict` that of ``run.json``."""
        check_version(data, SCHEMA_VERSION)
        if isinstance(data.get("score"), float) and not math.isfinite(data["score"]):
            data = {**data, "score": None}
        result = build(cls, data, least=_LEAST, null_is_nan=True)
        for name in ("median_ms", "low_ms", "high_ms"):
            value = (result.latency or {}).get(name)
            if isinstance(value, bool) or not isinstance(value, int | float | None):
                raise SchemaError(f"latency.{name} is not a number")
        return result


FinishedRun = tuple[RunSpec, RunResult]


def read_record(path: Path, parse: Callable[[Mapping[str, Any]], Content]) -> Content:
    """Read a file of a study's folder.

    Args:
        path: the file.
        parse: makes of its content what it says, as `RunResult.from_dict` does.

    Raises:
        MissingFileError: there is no such file.
        DamagedFileError: it does not hold what it should.
        InputError: it is of a later program, or the system refuses to read it.
    """
    return parse_record(path, read_json(path), parse)


def parse_record(
    path: Path, data: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Content]
) -> Content:
    """The same of content that was read already."""
    try:
        return parse(data)
    except FutureVersionError as error:
        raise InputError(f"{path}: {error}") from error
    except (SchemaError, InputError) as error:
        raise DamagedFileError(path, str(error)) from error


def parsed_as(cls: type[Content], **least: float) -> Callable[[Mapping[str, Any]], Content]:
    """What makes a dataclass of a file's content, for `read_record`; ``least`` bounds numbers."""

    def parse(data: Mapping[str, Any]) -> Content:
        check_version(data, SCHEMA_VERSION)
        return build(cls, data, least=least)

    return parse


def has_begun(folder: Path) -> bool:
    """Whether any training of a study was asked for; before, its settings may still change."""
    return any(True for place in PLACES for _ in folder.glob(f"{place}/{RUN_FILE}"))


def read_spec(folder: Path, key: str) -> RunSpec:
    """What a run was asked to do. Raises as `read_record`, also where a run was moved."""
    path = folder / key / RUN_FILE
    spec = read_record(path, RunSpec.from_dict)
    if spec.key != key:
        raise DamagedFileError(path, f"it says key {spec.key!r}, but lies at {key!r}")
    return spec


def read_result(folder: Path, key: str) -> RunResult | None:
    """What came of a run; None if it has not ended. Raises as `read_record`."""
    path = folder / key / RESULT_FILE
    try:
        result = read_record(path, RunResult.from_dict)
    except MissingFileError:
        return None
    if result.key != key:
        raise DamagedFileError(path, f"it is of the run {result.key!r}")
    return result


@dataclass(frozen=True)
class FailureRecord:
    """Why an attempt at a run failed; the content of its ``failure.json``."""

    error: str = "unknown"  # in one line
    hung: bool = False  # whether the attempt was silent for too long
    node: str = ""  # the machine that it ran on; empty if unknown
    worker: str = ""
    out_of_memory: bool = False  # whether it needed more memory than there was


def read_failure(attempt: Path) -> FailureRecord:
    """Why an attempt failed. Raises as `read_record`."""
    content = {"schema_version": SCHEMA_VERSION, **read_json(attempt / FAILURE_FILE)}  # or older
    return parse_record(attempt / FAILURE_FILE, content, parsed_as(FailureRecord))


def write_failure(attempt: Path, failure: FailureRecord) -> None:
    """Write the file. Raises FileError where the system refuses."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(failure)}
    write_json_atomically(attempt / FAILURE_FILE, content)


def read_run(study_folder: Path, key: str) -> tuple[RunSpec, RunResult | None]:
    """Read one run folder; the result is None if the run has not ended. Raises as `read_record`."""
    return read_spec(study_folder, key), read_result(study_folder, key)


def iter_runs(
    study_folder: Path, damaged: list[DamagedFileError] | None = None
) -> Iterator[tuple[RunSpec, RunResult | None]]:
    """Every run of a study: trials, baselines, finalists, references, each in number order.

    Folders without a ``run.json`` are skipped: their run was never asked.

    Args:
        study_folder: of a study or comparison.
        damaged: collects the files that are damaged, so that the caller can name them: a run
            without its ``run.json`` is left out, one without its result has not ended.

    Raises:
        InputError: the study's folder does not exist; a file is of a later program or the system
            refuses to read it.
        DamagedFileError: a file is damaged, where ``damaged`` is not given.
    """
    if not study_folder.is_dir():
        raise InputError(f"there is no study at {study_folder}; start one with `{door()} run`")
    for place in PLACES:
        keys = []
        for file in _places(study_folder, place, damaged):
            if os.path.lexists(file / RUN_FILE) or os.path.lexists(file / RESULT_FILE):
                keys.append(file.relative_to(study_folder).as_posix())
        for key in sorted(keys, key=natural_order):
            spec = result = None
            try:
                spec = read_spec(study_folder, key)
                result = read_result(study_folder, key)
            except MissingFileError:
                path = study_folder / key / RUN_FILE
                collect(DamagedFileError(path, "it is missing beside its result"), damaged)
            except DamagedFileError as error:
                collect(error, damaged)
            if spec is not None:
                yield spec, result


def _places(
    study_folder: Path, place: str, damaged: list[DamagedFileError] | None
) -> Iterator[Path]:
    """The run folders of a kind; what stands there and is none, as a file, is damage.

    Names with a dot are nobody's: files of a desktop, and what was set aside.
    """
    folders = [study_folder]
    for part in place.split("/"):
        inside = [
            entry for folder in folders for entry in folder.glob(part) if "." not in entry.name
        ]
        for entry in inside:
            if not entry.is_dir():
                reason = "a file stands where a folder belongs"
                collect(DamagedFileError(entry, reason), damaged)
        folders = [entry for entry in inside if entry.is_dir()]
    yield from folders


def collect(error: DamagedFileError, damaged: list[DamagedFileError] | None) -> None:
    """Add damage to a list, or raise it where none is given."""
    if damaged is None:
        raise error
    damaged.append(error)

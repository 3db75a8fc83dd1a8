"""What a training's folder, and the study around it, say of a network: for who takes it up."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.own_code.kept_plugins import study_of
from hybrid_swin.system.file_names import (
    BOARD_FILE,
    DATA_FILE,
    RESULT_FILE,
    RUN_FILE,
    SETTINGS_FILE,
)
from hybrid_swin.system.files import read_json
from hybrid_swin.system.yaml_files import read_yaml


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of one training; empty where its folder does not say.

    No path is among it: a folder's place on the machine that trained is nobody else's concern.

    Args:
        source: the kind of data source, such as ``folder``.
        seed: of the training.
        recipe: what differs from the default recipe.
        images: how many images each split has.
        metrics: on validation, by name.
        test: on the test split, by name; empty if the training has not read it.
        epochs: how many were trained.
        device: where.
        row: the row of the study's leaderboard that it belongs to.
        study: what the leaderboard says of the study: its monitor, number of trials, test reads.
    """

    source: str = ""
    seed: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    device: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)


def read_training_record(folder: Path | None) -> TrainingRecord:
    """What lies in a training's folder; what cannot be read is left out."""
    if folder is None:
        return TrainingRecord()
    about = _json(folder / RUN_FILE)
    settings = about or _yaml(folder / SETTINGS_FILE)
    result = _json(folder / RESULT_FILE)
    data = settings.get("data") or _mapping(about.get("settled")).get("data")
    study = study_of(folder) if about else None
    board = {} if study is None else _json(study / BOARD_FILE)
    seed = settings.get("seed")
    images = _mapping(_json(folder / DATA_FILE).get("images"))
    for name in ("validation", "test"):
        if isinstance(count := result.get(f"{name}_images"), int) and count:
            images[name] = count
    return TrainingRecord(
        source=str(_mapping(data).get("source") or ""),
        seed=seed if isinstance(seed, int) else None,
        recipe=_mapping(settings.get("recipe")),
        images={str(n): c for n, c in images.items() if isinstance(c, int)},
        metrics=_numbers(result.get("metrics") or _kept(result), "val/"),
        test=_numbers(result.get("test"), "test/"),
        epochs=int(result.get("epochs") or 0),
        device=str(result.get("device") or ""),
        row=_row(board, str(about.get("candidate_id"))),
        study={n: board[n] for n in ("monitor", "tried", "test_reads") if n in board},
    )


def _row(board: Mapping[str, Any], candidate: str) -> dict[str, Any]:
    """The row of a candidate whose seeds were retrained."""
    rows = board.get("rows")
    for row in rows if isinstance(rows, list) else ():
        row = _mapping(row)
        if row.get("candidate_id") == candidate and row.get("fidelity") == "final":
            return row
    return {}


def _kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a fit logged on validation in the epoch whose weights it kept."""
    try:
        last = result["history"][int(result["kept_epoch"]) - 1]
    except (KeyError, TypeError, ValueError, IndexError):
        return {}
    return {name: v for name, v in _mapping(last).items() if str(name).startswith("val/")}


def _numbers(values: Any, prefix: str) -> dict[str, float]:
    return {
        str(name).removeprefix(prefix): float(value)
        for name, value in _mapping(values).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _json(file: Path) -> dict[str, Any]:
    with suppress(InputError):
        return read_json(file)
    return {}


def _yaml(file: Path) -> dict[str, Any]:
    with suppress(InputError):
        return _mapping(read_yaml(file, "it"))
    return {}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}

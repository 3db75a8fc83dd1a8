"""What a source offers: candidates as plain data, which need not fit the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.records.imported import ImportedCandidate


@dataclass(frozen=True)
class Offer:
    """A candidate of a source.

    One of ``variant``, ``values`` and ``changes`` says what it is; with a ``variant``, ``values``
    may say it as well.

    Args:
        label: in block words, or as its user calls it.
        origin: where it stands, such as ``runs/a/trials/0005``.
        score: by validation there; None if unknown.
        seeds: trainings behind the score.
        variant: its network.
        recipe: how it was trained; None if that is not said.
        values: parameters by path, as Optuna and a leaderboard have them.
        changes: values by path over the first values of the study's space, as of a baseline.
        run_folder: of its finished run, if there is one.
        stored: what another study's ``imported.json`` holds of it.
    """

    label: str
    origin: str
    score: float | None = None
    seeds: int = 0
    variant: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] | None = None
    values: Mapping[str, Any] | None = None
    changes: Mapping[str, Any] | None = None
    run_folder: Path | None = None
    stored: ImportedCandidate | None = None


@dataclass(frozen=True)
class Source:
    """What may be imported, the best first by validation, or in the order of its user.

    Args:
        name: as the user gave it.
        path: where it is; empty if a Python program gave the candidates themselves.
        offers: its candidates.
        chosen: whether somebody chose them one by one, so that all are meant.
        monitor: by which validation metric they are ordered; empty if unknown.
        mode: whether more or less of it is better.
        objective: the metric and mode of its runs' scores, if it has runs.
        tried: candidates among which the best were chosen; 0 if unknown.
        versions: of the packages that it was trained with, as far as known.
        damaged: what of it cannot be read.
    """

    name: str
    path: str
    offers: tuple[Offer, ...]
    chosen: bool = False
    monitor: str = ""
    mode: str = ""
    objective: tuple[str, str] = ("", "")
    tried: int = 0
    versions: Mapping[str, Any] | None = None
    damaged: tuple[str, ...] = ()

"""Reads what is to be imported: a file, the folder of a study or comparison, or a Python list.

Nothing of a source is run: its plug-ins stay text.
"""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from hybrid_swin.errors import InputError, did_you_mean, here, quote
from hybrid_swin.system.files import DamagedFileError, expanded, read_bytes
from hybrid_swin.system.yaml_files import read_yaml
from search.launch.imports.entries import offers_in, offers_in_table
from search.launch.imports.offers import Offer, Source
from search.launch.outcome import ComparisonStudy, Study
from search.records.imported import read_imported_file
from search.records.nearby import hint_of_studies
from search.records.receipt import read_versions
from search.records.runs import RUN_FILE, FinishedRun, iter_runs
from search.records.settings import read_study
from search.reporting.status.lock_holder import find_holder
from search.settings.experiment import ObjectiveSettings

OPTION = "--import-trials"
_TABLES, _PLAIN = (".csv",), (".json", ".yaml", ".yml")


def read_source(given: Any, own: Path, objective: ObjectiveSettings) -> Source:
    """What a user names as the source of candidates.

    Args:
        given: a path, what `open_study` gives, or candidates as they stand in a file.
        own: the folder of the study that begins.
        objective: what that improves, by which a study's candidates are ordered.

    Raises:
        InputError: it cannot be read or holds no candidates.
    """
    if isinstance(given, Study | ComparisonStudy):
        given = given.folder
    if not isinstance(given, str | os.PathLike):
        name = "import_trials"
        return Source(name, "", tuple(offers_in(given, name)), chosen=True)
    name = os.fspath(given)
    path = expanded(name)
    real = Path(os.path.realpath(path))
    if real == Path(os.path.realpath(own)) or real.parent == Path(os.path.realpath(own)):
        raise InputError(
            f"{OPTION} {quote(name)} is of this study itself; it goes on without the option, and "
            "a study that begins from it needs another --name"
        )
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:
        raise InputError(f"{OPTION} {quote(name)} cannot be read: {error}") from None
    if is_folder:
        return _of_folder(name, path, objective)
    if not is_file:
        raise InputError(f"{OPTION}: there is no {quote(name)}{here(name)}{_hint(path)}")
    return _of_file(name, path, objective)


def _of_file(name: str, path: Path, objective: ObjectiveSettings) -> Source:
    where = path.name
    if path.suffix not in (*_TABLES, *_PLAIN):
        raise InputError(
            f"{OPTION} {quote(name)}: give a study's folder, or a file that ends with "
            f"{', '.join((*_PLAIN, *_TABLES))}"
        )
    if path.suffix in _TABLES:
        try:
            text = read_bytes(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DamagedFileError(path, f"it is not text: {error.reason}") from None
        offers = tuple(offers_in_table(text, where, objective.mode))
        return Source(name, os.path.realpath(path), offers)
    content = read_yaml(path, f"{OPTION} {name!r}")
    if isinstance(content, Mapping) and {"candidates", "source"} <= content.keys():
        return _of_imported(name, path)
    monitor, mode = "", ""
    is_board = isinstance(content, Mapping) and isinstance(content.get("rows"), list)
    if is_board:
        monitor, mode = str(content.get("monitor") or ""), str(content.get("mode") or "")
    offers = tuple(offers_in(content, where))
    if not offers:
        raise InputError(f"{OPTION} {quote(name)} holds no candidate with a score")
    return Source(name, os.path.realpath(path), offers, not is_board, monitor, mode)


def _of_imported(name: str, path: Path) -> Source:
    """Another study's candidates, runs included: so that study is repeated."""
    known = read_imported_file(path)
    offers = tuple(
        Offer(
            candidate.label,
            candidate.origin,
            candidate.score,
            candidate.seeds,
            variant=(candidate.run or {}).get("variant"),
            recipe=(candidate.run or {}).get("recipe"),
            values=candidate.params,
            stored=candidate,
        )
        for candidate in known.candidates
    )
    return Source(
        name,
        os.path.realpath(path),
        offers,
        chosen=True,
        monitor=known.monitor,
        mode=known.mode,
        objective=(known.monitor, known.mode),
        tried=known.tried,
    )


def _of_folder(name: str, path: Path, objective: ObjectiveSettings) -> Source:
    if (path / RUN_FILE).is_file():
        raise InputError(f"{OPTION} {quote(name)} is the folder of one run; give that of its study")
    settings = read_study(path)
    holder = find_holder(path)
    if holder.alive:
        raise InputError(
            f"{OPTION}: study {quote(name)} is being run by process {holder.process}; wait for "
            "its end, or end it"
        )
    damaged: list[DamagedFileError] = []
    runs = [(spec, result) for spec, result in iter_runs(path, damaged) if result is not None]
    own = settings.objective
    offers = list(_in_order(runs, name, path, objective, own.monitor))
    if not offers:
        raise InputError(
            f"{OPTION}: study {quote(name)} has no training that came to its end with "
            f"{objective.monitor}"
        )
    return Source(
        name,
        os.path.realpath(path),
        tuple(offers),
        monitor=objective.monitor,
        mode=objective.mode,
        objective=(own.monitor, own.mode),
        tried=len(offers),
        versions=read_versions(path),
        damaged=tuple(str(error) for error in damaged),
    )


def _in_order(
    runs: Iterable[FinishedRun],
    name: str,
    folder: Path,
    objective: ObjectiveSettings,
    own_monitor: str,
) -> Iterable[Offer]:
    """Each candidate once, by its score in the search; by its mean over seeds if it has none.

    Retrained scores do not order: a study of the same seed retrains over the same fresh seeds, and
    these must not have chosen what they judge.
    """
    groups: dict[str, list[tuple[FinishedRun, float]]] = {}
    for spec, result in runs:
        monitor = objective.monitor
        score = result.score if monitor == own_monitor else result.metrics.get(monitor)
        known = score is not None and math.isfinite(score)
        by_chance = spec.kind == "random" and spec.stage == "final"  # on a fresh seed
        if spec.variant is not None and result.state == "complete" and known and not by_chance:
            groups.setdefault(spec.candidate_id, []).append(((spec, result), score or 0.0))
    ranked = []
    for group in groups.values():
        searched = [one for one in group if one[0][0].stage == "search"]
        judged = searched[:1] or group
        score = fmean(score for _, score in judged)
        spec = judged[0][0][0]
        offer = Offer(
            label=spec.label,
            origin=f"{name}/{spec.key}",
            score=score,
            seeds=len(judged),
            variant=spec.variant,
            recipe=spec.recipe,
            values=spec.params or None,
            run_folder=folder / spec.key if searched else None,
        )
        ranked.append((-score if objective.mode == "max" else score, offer))
    ranked.sort(key=lambda one: one[0])
    return [offer for _, offer in ranked]


def _hint(path: Path) -> str:
    """A study or a file beside it that may be meant."""
    if hint := hint_of_studies(path):
        return hint
    try:
        beside = [f.name for f in path.parent.iterdir() if f.suffix in (*_TABLES, *_PLAIN)]
    except OSError:
        return ""
    return did_you_mean(path.name, beside)

"""Several studies in one leaderboard, where their rows answer one question on the same images."""

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.program import door
from search.leaderboard.board import Leaderboard
from search.leaderboard.rows.building import MIXED, VARIED
from search.leaderboard.rows.row import Row
from search.leaderboard.rows.study_rows import StudyRows
from search.records.settings import is_comparison


def join(folders: Sequence[Path]) -> Leaderboard:
    """The retrained rows and the references of several studies, compared with the best of all.

    A training counts once: a study that repeats another, or shares its seed and so its baselines,
    adds only what is new in it. A row is paired with the best one over the seeds and splits that
    they share, else unpaired.

    Raises:
        InputError: a folder is of no study or of a comparison, or two studies are not comparable.
    """
    seen: dict[str, Path] = {}
    for folder in folders:
        place = os.path.realpath(folder)
        if place in seen:
            raise InputError(f"{str(folder)!r} is given twice; name each study once")
        seen[place] = folder
        if is_comparison(folder):
            raise InputError(
                f"{str(folder)!r} is a comparison: its arms are compared with their own baseline "
                "at matched cost; leave it out, and show it by "
                f"`{door()} leaderboard {shlex.quote(str(folder))}`"
            )
    studies = _named([StudyRows.read(folder) for folder in folders])
    _check_comparable(studies)
    studies, repeated = _once(studies)
    rows = [row for study in studies for row, _ in study.built]
    single = sum(row.fidelity == "search" for row in rows)
    notes = [*repeated]
    if single:
        notes.append(
            f"{single} single runs of the searches are left out: one seed each, they are not "
            "evidence between studies."
        )
    splits = {row.split_hash for row in rows if row.fidelity == "final"}
    if len(splits - {VARIED}) > 1 or (VARIED in splits and len(splits) > 1):
        notes.append(
            "The studies validate on different images: their order is by means over different "
            "draws; test, on which they are compared, is one."
        )
    return Leaderboard.of(
        [
            replace(study, built=tuple(b for b in study.built if b[0].fidelity != "search"))
            for study in studies
        ],
        notes,
    )


def _named(studies: Sequence[StudyRows]) -> list[StudyRows]:
    """Studies of one name are told apart by their folders."""
    names = [study.name for study in studies]
    return [
        replace(study, name=str(study.folder)) if names.count(study.name) > 1 else study
        for study in studies
    ]


def _once(studies: Sequence[StudyRows]) -> tuple[list[StudyRows], list[str]]:
    """Each training in one row only, and a sentence on each study whose rows repeat another's.

    Of rows that share a training the one with the most seeds stays: a study's seeds begin alike,
    however many there are, so it holds those of the others.
    """
    every = [(study, row, evidence) for study in studies for row, evidence in study.built]
    kept: dict[tuple[str, tuple[object, ...]], StudyRows] = {}  # by fidelity and training
    left_out: dict[int, StudyRows] = {}  # by the row's id: whom it repeats
    for study, row, evidence in sorted(every, key=lambda one: -one[1].seeds):  # stable
        units = [(row.fidelity, unit) for unit in evidence.units]
        other = next((kept[unit] for unit in units if unit in kept), None)
        if other is None or row.fidelity == "search":
            kept |= dict.fromkeys(units, study)
        else:
            left_out[id(row)] = other
    repeats = Counter(
        (study.name, left_out[id(row)].name)
        for study in studies
        for row, _ in study.built
        if id(row) in left_out
    )
    places = {study.name: place for place, study in enumerate(studies)}
    sentences = []
    for (name, repeated), count in repeats.items():
        back = repeats[repeated, name] if repeated != name else 0
        if back and places[name] > places[repeated]:
            continue  # each repeats the other, with more seeds in some rows: said already
        who = f"Study {name} repeats trainings of {repeated}"
        if back:
            who = f"Studies {name} and {repeated} share trainings"
        sentences.append(
            f"{who} in {count + back} row{'s' * (count + back > 1)} (same candidate, seed, "
            "images, splits and code): they are counted once."
        )
    return [
        replace(study, built=tuple(b for b in study.built if id(b[0]) not in left_out))
        for study in studies
    ], sentences


def _check_comparable(studies: Sequence[StudyRows]) -> None:
    """Raise InputError for the first difference between two studies, with both values."""
    first = studies[0]
    for study in studies:
        if not _retrained(study):
            raise InputError(
                f"study {study.name!r} has no retrained row yet; finish it, or leave it out"
            )
        for name, what in (("data_hash", "images"), ("test_hash", "test split")):
            mine, other = (_values(s, name) for s in (study, first))
            if "" in mine or MIXED in mine or len(mine) > 1:
                raise InputError(
                    f"the {what} of study {study.name!r} cannot be told ({name} "
                    f"{' and '.join(map(repr, sorted(mine)))}), so that its rows cannot be "
                    "compared with those of another; leave it out"
                )
            if mine != other:
                raise _unlike(study, first, f"{what} ({name})", *map(", ".join, (mine, other)))
        for name in ("monitor", "mode"):
            mine_one, other_one = getattr(study, name), getattr(first, name)
            if mine_one != other_one:
                raise _unlike(study, first, f"objective.{name}", mine_one, other_one)
        ids, others = _test_ids(study), _test_ids(first)
        if ids and others and ids != others:
            what = "the test images of their predictions.npz"
            raise _unlike(study, first, what, _in_words(ids, others), _in_words(others, ids))


def _unlike(study: StudyRows, first: StudyRows, what: str, mine: str, other: str) -> InputError:
    return InputError(
        f"studies {first.name!r} and {study.name!r} are not comparable: they differ in {what}: "
        f"{other} and {mine}; show them apart"
    )


def _values(study: StudyRows, name: str) -> set[str]:
    return {getattr(row, name) for row in _retrained(study)}


def _retrained(study: StudyRows) -> list[Row]:
    return [row for row, _ in study.built if row.fidelity == "final" and row.seeds]


def _test_ids(study: StudyRows) -> set[tuple[str, ...]]:
    correctness = (evidence.correct for _, evidence in study.built)
    return {correct.ids for correct in correctness if correct is not None}


def _in_words(ids: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> str:
    """How many images, and the first that the others lack."""
    mine, theirs = ({name for one in several for name in one} for several in (ids, others))
    alone = sorted(mine - theirs)
    return f"{len(mine)} images" + (f" with {alone[0]!r}" if alone else "")

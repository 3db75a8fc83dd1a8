"""Answers as files: a CSV or an .npz, written while they come, whole or not at all."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import csv_cell
from hybrid_swin.system.files import expanded, replacing
from hybrid_swin.training.prediction.predictor import Answers

SUFFIXES = (".csv", ".npz")


def check_output(output: str) -> Path:
    """The file that is to be written. Raises InputError for another ending or no such folder."""
    path = expanded(output)
    if path.suffix not in SUFFIXES:
        raise InputError(f"output {quote(output, 120)} must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(
            f"output {quote(output, 120)}: there is no folder {quote(str(path.parent), 120)}"
        )
    return path


def write_answers(
    file: Path, classes: tuple[str, ...], answers: Iterable[Answers]
) -> Iterator[Answers]:
    """Write answers and hand them on; the file is there once the last one has been taken.

    A CSV has a line per image: id, answer, its probability, and the probability of each class.
    An .npz has ids, logits, probabilities and class_names, and holds them all in memory before.
    """
    if file.suffix == ".npz":
        yield from _write_npz(file, classes, answers)
        return
    with replacing(file) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=True)
        table = csv.writer(text)
        heads = ["id", "answer", "probability", *(f"probability {name}" for name in classes)]
        table.writerow(map(csv_cell, heads))
        for some in answers:
            for name, p in zip(some.ids, some.probabilities, strict=True):
                best = int(p.argmax())
                numbers = (f"{value:.6g}" for value in (p[best], *p))
                table.writerow([csv_cell(name), csv_cell(classes[best]), *numbers])
            yield some
        text.detach()


def _write_npz(
    file: Path, classes: tuple[str, ...], answers: Iterable[Answers]
) -> Iterator[Answers]:
    kept: list[Answers] = []
    for some in answers:
        kept.append(some)
        yield some
    ids = [name for some in kept for name in some.ids]
    arrays = {
        name: np.concatenate([getattr(some, name) for some in kept])
        for name in ("logits", "probabilities")
    }
    with replacing(file) as binary:
        np.savez_compressed(binary, ids=ids, class_names=classes, **arrays)  # type: ignore[arg-type]

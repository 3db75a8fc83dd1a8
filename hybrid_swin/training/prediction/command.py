"""``python -m hybrid_swin predict RUN IMAGES...``: what a trained network says of new images."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.table import Table

from hybrid_swin.data.summary import plain_name
from hybrid_swin.errors.plain_text import say
from hybrid_swin.spec.run_reference import is_study, study_winner
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import expanded
from hybrid_swin.training.hardware import resolve_accelerator
from hybrid_swin.training.options import PredictOptions
from hybrid_swin.training.prediction.new_images import NewImages, find_images, left_out_text
from hybrid_swin.training.prediction.predictor import Answers, Predictor
from hybrid_swin.training.prediction.table import check_output, write_answers
from hybrid_swin.training.prediction.trained_calibration import calibrated

_MOST_PRINTED = 20  # images that are printed
_SECOND = 0.01  # probability from which the second answer is printed


def predict_images(options: PredictOptions) -> int:
    """Answer for images, write the table if a file is named, and say what came of it.

    Returns the exit code. Raises InputError where no image can be read, or as its parts do.
    """
    output = check_output(options.output) if options.output else None
    device = resolve_accelerator(options.accelerator)
    listing = find_images(options.images)
    folder, which = expanded(options.folder), ""
    if is_study(folder):
        folder, which = study_winner(folder)
        say(f"network    {which}")
    predictor = Predictor.load(folder, device, options.value_range)
    calibration, reason = calibrated(folder, options.accelerator, options.trust)
    if calibration is not None:
        predictor = predictor.at_temperature(calibration.temperature)
    say(f"calibrated {calibration or f'no: {reason}'}")
    answers = predictor.answer(listing)
    if output is not None:
        answers = write_answers(output, predictor.classes, answers)
    is_for_programs = options.format == "json" and output is None
    rows, count = _take(answers, predictor.classes, None if is_for_programs else _MOST_PRINTED)
    if options.format == "json":
        print_json(
            {
                "network": str(folder),
                "chosen": which or None,
                "images": count,
                "classes": list(predictor.classes),
                "temperature": predictor.temperature,
                "calibrated": calibration is not None and calibration.is_any,
                "output": None if output is None else str(output),
                "answers": rows if output is None else None,
                "left_out": [list(pair) for pair in listing.left_out],
                "notes": listing.notes,
            }
        )
        return 0
    if output is None:
        _print_rows(rows, count)
    _print_notes(listing)
    if output is not None:
        say(f"{count:,} image(s) -> {output}")
    return 0


def _take(
    answers: Iterator[Answers], classes: tuple[str, ...], most: int | None
) -> tuple[list[dict[str, Any]], int]:
    """The first answers (all without ``most``) as they are shown, and how many there are."""
    rows: list[dict[str, Any]] = []
    count = 0
    for some in answers:
        count += len(some.ids)
        for name, p in zip(some.ids, some.probabilities, strict=True):
            if len(rows) == most:
                break
            order = np.argsort(-p, kind="stable")  # of equal ones the first, as argmax
            best = [{"class": classes[k], "probability": float(p[k])} for k in order[:5]]
            rows.append({"id": name, "answer": classes[order[0]], "best": best})
    return rows, count


def _print_rows(rows: list[dict[str, Any]], count: int) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("image", "answer"):
        table.add_column(head, header_style="dim", overflow="fold")
    table.add_column("probability", header_style="dim", justify="right", no_wrap=True)
    table.add_column("next", header_style="dim", overflow="fold")
    for row in rows:
        first, *others = row["best"]
        likely = [other for other in others[:1] if other["probability"] >= _SECOND]
        second = "".join(
            f"{plain_name(other['class'])} {other['probability']:.1%}" for other in likely
        )
        names = plain_name(row["id"]), plain_name(row["answer"])
        table.add_row(*names, f"{first['probability']:.1%}", second)
    Console.for_tables().print(table)
    if count > len(rows):
        say(f"{count - len(rows):,} more image(s): --output FILE.csv writes all")


def _print_notes(listing: NewImages) -> None:
    for note, count in listing.notes.items():
        say(f"note: {note}: {count:,} image(s)")
    if listing.ignored:
        say(f"note: {listing.ignored:,} other file(s) beside them")
    if listing.left_out:
        say(f"left out   {len(listing.left_out):,}: {left_out_text(listing.left_out, 10)}")

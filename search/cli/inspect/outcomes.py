"""What inspections saw: a table for people, and the same for programs."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_swin.inspection.runner import Outcome
from hybrid_swin.inspection.subject import Subject
from hybrid_swin.system.console import Console
from search.cli.inspect.images import ShownImages
from search.cli.inspect.target import TargetNetwork


def to_dict(index: Mapping[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The folder's index, of the inspections just made, each with what it shows in a sentence."""
    made = {}
    for outcome in outcomes:
        numbers, name = outcome.numbers or {}, outcome.request.name
        made[name] = {
            **index["inspections"][name],
            "what_it_shows": _sentence(outcome),
            "undefined": numbers.get("undefined", []),
        }
    return {**index, "inspections": made}


def print_outcomes(
    outcomes: Sequence[Outcome],
    subject: Subject,
    target: TargetNetwork,
    sample: ShownImages,
    console: Console,
) -> None:
    """Print what each inspection saw, a line each."""
    variant = subject.model.variant
    weights = "trained" if subject.trained else "random weights: it speaks of the architecture"
    about = sample.about
    images = f"{about['images']} images of {about['source']}"
    if about["split"]:
        images += f", {about['split']} split"
    console.print(
        Text.assemble((target.name, "bold"), f"  {variant.name}  ({weights})\n{images}"),
        highlight=False,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("inspection", header_style="dim", no_wrap=True)
    table.add_column("what it shows", header_style="dim")
    table.add_column("seconds", header_style="dim", justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(outcome.request.name, _sentence(outcome), f"{outcome.seconds:.1f}")
    console.print(table)
    for line in _undefined(outcomes):
        console.print(Text.assemble(("undefined", "dim"), f"  {line}"))


def _sentence(outcome: Outcome) -> str:
    numbers = outcome.numbers
    if numbers is None or not numbers["rows"]:
        return f"not here: {outcome.reason}"
    return str(numbers.get("summary") or numbers["what"])


def _undefined(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each inspection, branch and reason, with how many blocks it concerns."""
    lines = []
    for outcome in outcomes:
        if outcome.numbers is None or not outcome.numbers["rows"]:
            continue  # said in its sentence
        keys = sorted((u.get("branch") or "", u["reason"]) for u in outcome.numbers["undefined"])
        for (branch, reason), same in groupby(keys):
            count = len(list(same))
            blocks = f" ({count} blocks)" if count > 1 else ""
            what = f"{branch}{blocks}: " if branch else f"{count} block(s): "
            lines.append(f"{outcome.request.name}: {what}{reason}")
    return lines

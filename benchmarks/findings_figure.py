"""The picture on top of the README, from the recorded numbers of docs/findings/digits.csv.

::

    python -m benchmarks.findings_figure

It draws three arms of that comparison beside window attention without shift, at equal MACs, by the
program's own figure code. Intervals and verdicts are corrected over all 44 differences, as in
docs/findings/digits.md.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from search.comparison.report.figures import save_differences
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import LEVEL, Versus, adjust
from search.statistics.crossed import Parts
from search.statistics.intervals import difference_of_parts

DOCS = Path(__file__).parents[1] / "docs"
RECORDED, PICTURE = DOCS / "findings" / "digits.csv", DOCS / "digits_gain.svg"
CELL, MATCHING = "base=[w_msa]", "macs"
ARMS = "+mdta", "+conv", "+pointwise"  # what the README speaks of

Row = Mapping[str, str]


def recorded() -> Comparison:
    """The arms as a comparison, corrected for all differences of the recorded one."""
    with RECORDED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["difference"]]
    asked = [(" - ".join((_place(row), row["against"])), _difference(row)) for row in rows]
    adjusted, family = adjust(asked)
    found: dict[str, ArmResult] = {}
    for row, versus in zip(rows, adjusted, strict=True):
        arm = _name(row["arm"])
        if (row["cell"], row["matching"]) == (CELL, MATCHING) and arm in ARMS:
            result = found.setdefault(arm, _result(arm, int(row["seeds"])))
            found[arm] = (
                replace(result, controls=(*result.controls, versus))
                if versus.cause
                else replace(result, against=versus.against, versus=versus)
            )
    return Comparison(
        name="digits",
        monitor="val/accuracy",
        mode="max",
        baseline="base",
        factors={},
        matchings=(MATCHING,),
        seeds=5,
        choose_rate="once",
        milestone=None,
        equivalence=None,
        primary=(),
        planned=(5,),
        looked=(5,),
        level=LEVEL,
        family=family,
        orphans=0,
        pending=0,
        mixed=(),
        results=tuple(found.values()),
    )


def _place(row: Row) -> str:
    return f"{row['cell']} {row['matching']} {row['arm']}"


def _name(cell: str) -> str:
    """A label without the apostrophe that keeps spreadsheets from reading a formula."""
    return cell.removeprefix("'")


def _difference(row: Row) -> Versus:
    """One recorded difference: its mean, and its parts of doubt from seeds and from images."""
    seeds = int(row["shared_seeds"])
    parts = Parts(
        float(row["difference"]),
        float(row["seed_part"]),
        float(row["item_part"]),
        seeds,
        int(row["items"]),
    )
    estimate = difference_of_parts(parts, seeds - 1, 1 - LEVEL, bounds=(0.0, 1.0))
    return Versus(
        _name(row["against"]),
        row["cause"],
        "test",
        seeds,
        difference=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        covers=row["covers"],
        p_value=estimate.p_value,
        seed_part=estimate.seed_part,
        item_part=estimate.item_part,
        items=estimate.items,
        estimate=estimate,
    )


def _result(arm: str, seeds: int) -> ArmResult:
    return ArmResult(
        cell="",
        levels={},
        matching=MATCHING,
        arm=arm,
        words=(),
        against="",
        state="complete",
        seeds=seeds,
        seeds_asked=seeds,
        chosen_rates=(),
        learning_rates=(),
        rate_scores={},
        undertrained=False,
    )


if __name__ == "__main__":
    save_differences(recorded(), PICTURE)
    print(PICTURE)

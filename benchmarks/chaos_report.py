"""The report on random faults, and how reports of several runs become one.

Command: ``python -m benchmarks.chaos_report FILE.json ... --mended TEXT`` adds what runs of
``benchmarks.chaos`` with ``--out FILE`` found to ``benchmarks/results/chaos.json`` and ``.md``.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.writing import write_report

RESULTS = Path(__file__).parent / "results" / "chaos"


def merged(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Both reports as one.

    A fault that did harm is left out once it has struck the same place again without harm; what
    was wrong is in ``mended``.
    """
    if not before:
        return new
    well = {_kind(one) for one in new["outcomes"] if not one["complaints"]}
    kept = [one for one in before["outcomes"] if not (one["complaints"] and _kind(one) in well)]
    outcomes = [*kept, *new["outcomes"]]
    ran = {one["place"] for one in outcomes}
    skipped = before["skipped"] | new["skipped"]
    return new | {
        "commands": [*before["commands"], *new["commands"]],
        "mended": [*before["mended"], *new["mended"]],
        "skipped": {name: why for name, why in skipped.items() if name not in ran},
        "outcomes": outcomes,
    }


def read_report(out: Path) -> dict[str, Any]:
    """A report that was written; empty if there is none."""
    file = out.with_suffix(".json")
    report: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return report


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    outcomes = report["outcomes"]
    harmful = [one for one in outcomes if one["complaints"]]
    missed = sum(one["detail"].startswith("MISSED") for one in outcomes)
    times = Counter(map(_kind, outcomes))
    by_place = Counter(one["place"] for one in outcomes)
    lines = [
        "# Faults",
        "",
        f"**{len(outcomes)} random faults, {len(harmful)} of which did harm.** "
        f"{missed} of them came too late to strike. After each, the same command was given until "
        "it ended well. No harm means: the leaderboard's digest, all results, the readings of the "
        "test split and Optuna's trials are those of an undisturbed study, and no process or "
        f"temporary file is left. {report['hardware']}; torch {report['versions']['torch']}.",
        "",
        "Places: workers of this machine (`local`), of machines that join (`agents`), of a Ray "
        "cluster of the user's with two nodes (`ray`) or of the study's own (`ray-own`), of jobs "
        "that the study submits to Slurm (`slurm`), and of one job of Slurm with two nodes "
        "(`slurm-job`).",
        "",
        *(f"- Harm: {_harm(one)}" for one in harmful),
        *(f"- Not run: {place}: {why}" for place, why in report["skipped"].items()),
        *(f"- Found by an earlier run and mended since: {what}" for what in report["mended"]),
        "",
        f"| fault | {' | '.join(by_place)} |",
        "|---|" + "---:|" * len(by_place),
    ]
    for fault in sorted({fault for fault, _ in times}):
        counts = " | ".join(str(times[fault, place] or "") for place in by_place)
        lines.append(f"| {fault} | {counts} |")
    lines.append(f"| **all** | {' | '.join(map(str, by_place.values()))} |")
    commands = [f"- `{command}`" for command in report["commands"]]
    return "\n".join([*lines, "", "Commands:", "", *commands, ""])


def _harm(outcome: dict[str, Any]) -> str:
    where = f"{outcome['fault']} ({outcome['place']}): "
    return where + "; ".join(outcome["complaints"]).replace("|", "/")[:300]


def _kind(outcome: dict[str, Any]) -> tuple[str, str]:
    return outcome["fault"], outcome["place"]


def main() -> None:
    """Add to the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--mended", action="append", default=[], help="what was found and mended")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    report = read_report(options.out)
    for file in options.files:
        report = merged(report, read_report(file))
    report["mended"] += options.mended
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()

"""What ``scale.py`` measured, as Markdown."""

from itertools import zip_longest
from typing import Any


def tables(report: dict[str, Any]) -> str:
    """The report."""
    service, resume, trials = report["service"], report["resume"], report["trials"]
    lines = [
        "# A study of many trials",
        "",
        f"`{report['command']}`; {report['hardware']}; Optuna {report['versions']['optuna']}. TPE "
        f"with rungs, lookahead {report['lookahead']}, trainings that take no time.",
        "",
        f"- Service time a trial, from its result to the next job: median "
        f"{1000 * service['median']:.1f} ms, 95th percentile {1000 * service['p95']:.1f} ms "
        "(aim: a median below 50 ms).",
        f"- In all {report['total']:.0f} s for {trials:,} trials.",
        f"- Going on with the finished study in a fresh process: {resume['seconds']:.1f} s to the "
        f"next job, and {resume['imports']:.1f} s of imports before (aim: below 10 s); "
        f"{resume['memory']:.0f} MiB.",
        f"- Its leaderboard is read and written in {report['leaderboard']:.1f} s.",
        "",
        "| trials | median, ms | 95th percentile, ms | resident memory, MiB |",
        "|---|---|---|---|",
        f"| 0 | | | {report['memory']['before']:.0f} |",
    ]
    blocks = zip_longest(report["by_block"], report["memory"]["by_block"])
    for index, (times, memory) in enumerate(blocks, start=1):
        cells = [f"{min(index * report['block'], trials):,}"]
        cells += [f"{1000 * seconds:.1f}" for seconds in times] if times else ["", ""]
        cells.append(f"{memory:.0f}" if memory else "")
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "What it is spent on, mean ms per trial; *asking, in all* holds proposing, judging and "
        "storing, in a thread of its own beside the rest:",
        "",
        "| part | ms |",
        "|---|---|",
    ]
    parts = sorted(report["parts"].items(), key=lambda part: -part[1])
    lines += [f"| {part} | {1000 * seconds:.2f} |" for part, seconds in parts]
    return "\n".join([*lines, ""])

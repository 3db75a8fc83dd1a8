"""What ``coverage.py`` counted, as Markdown."""

import math
from typing import Any

MOST_ALARMS, LEAST, MOST = 0.065, 0.93, 0.97
_PARTS = {
    "same_twice": (
        "False alarms: a candidate against itself",
        "Two disjoint groups of k of its seeds, paired at random. An alarm is an interval without "
        "0 (for the leaderboard's row also p < .05, which always agreed); for P(A > B) one "
        "without one half. Aim: at most 6.5%.",
        True,
    ),
    "same_eight_times": (
        "False alarms: a board of 8 equal rows",
        "An alarm is any of 7 comparisons with the reference row below .05 after Holm; k seeds per "
        "row, with replacement. Aim: at most 6.5%.",
        True,
    ),
    "one_candidate": (
        "Coverage: a candidate's intervals",
        "The world is the table; seeds are drawn with replacement, and images where the interval "
        "speaks of new ones. Aim: 93 to 97%.",
        False,
    ),
    "two_candidates": (
        "Coverage: differences of two candidates",
        "As above, over all pairs of the 8. Aim: 93 to 97%.",
        False,
    ),
}


def tables(report: dict[str, Any]) -> str:
    """The report; what misses its aim by more than twice its Monte-Carlo error is bold."""
    luck = [value for value in report["validation_with_test"] if value is not None]
    lines = [
        "# False alarms and coverage on real seeds",
        "",
        f"`{report['command']}`: {len(report['candidates'])} candidates x {report['seeds']} seeds, "
        f"{report['images']} test images. Test accuracy {_range(report['test_means'])}, its "
        f"standard deviation over seeds {_range(report['test_spreads'])}. Correlation over seeds "
        f"of validation with test: {_range(luck, percent=False)}.",
        "",
        "In brackets: Monte-Carlo standard error, then the standard deviation over candidates (or "
        "pairs), which holds what their own seeds do to the figure besides that noise. *Unknown*: "
        "no interval, as all seeds gave the same score; left out of the share. Bold: beyond the "
        "aim by more than two Monte-Carlo errors.",
        "",
    ]
    for part, (title, about, alarms) in _PARTS.items():
        columns = list(report[part])
        lines += [f"## {title}", "", about, ""]
        lines += [
            "| | " + " | ".join(f"k = {k}" for k in columns) + " |",
            "|---" * (len(columns) + 1) + "|",
        ]
        names = list(report[part][columns[0]]) if columns else []
        for name in names:
            cells = [_cell(report[part][k][name], alarms) for k in columns]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def misses(figure: dict[str, Any], alarms: bool) -> bool:
    """Whether a figure is beyond its aim by more than two Monte-Carlo errors."""
    share, doubt = figure["share"], 2 * figure["error"]
    if alarms:
        return bool(share - doubt > MOST_ALARMS)
    return bool(share + doubt < LEAST or share - doubt > MOST)


def _cell(figure: dict[str, Any], alarms: bool) -> str:
    if not math.isfinite(figure["share"]):
        return "unknown"
    share = f"{100 * figure['share']:.1f}%"
    share = f"**{share}**" if misses(figure, alarms) else share
    unknown = f", unknown {100 * figure['unknown'] / figure['replays']:.1f}%"
    return (
        f"{share} ({100 * figure['error']:.1f}; {100 * figure['spread']:.1f})"
        f"{unknown if figure['unknown'] else ''}"
    )


def _range(values: list[float], percent: bool = True) -> str:
    least, most = min(values), max(values)
    return f"{100 * least:.2f}% to {100 * most:.2f}%" if percent else f"{least:.2f} to {most:.2f}"

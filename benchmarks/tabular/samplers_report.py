"""Tables and picture of what ``samplers.py`` found."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.tabular.methods import BASELINE

AIM = 0.2  # of the cost of random search
TITLES = {"seen": "what the search sees", "gained": "what the user gets"}
# Okabe and Ito's palette, which colour-blind readers can distinguish: https://jfly.uni-koeln.de/color/
DRAWN = {
    "random": "#000000",
    "tpe": "#0072B2",
    "gp": "#009E73",
    "random + asha": "#8c8c8c",
    "tpe + asha": "#D55E00",
    "tpe + hyperband": "#CC79A7",
    "Optuna tpe": "#56B4E9",
    "Optuna tpe + halving": "#E69F00",
}


def tables(report: dict[str, Any], picture_name: str) -> str:
    """The report as Markdown."""
    methods, trials = report["methods"], report["trials"]
    searches = methods[BASELINE.name]["searches"]
    few = {n: m["searches"] for n, m in methods.items() if m["searches"] != searches}
    lines = [
        "# Samplers and rungs",
        "",
        f"`{report['command']}`; {report['hardware']}; Optuna {report['versions']['optuna']}. "
        f"{trials} trials, {report['trials_with_rungs']} where rungs or a pruner stop some, in a "
        f"space of {report['candidates']} candidates, of which every one was "
        f"trained with {report['table_seeds']} seeds; {searches} searches a method"
        + (f" ({', '.join(f'{n}: {s}' for n, s in few.items())})" if few else "")
        + ", seed by seed on the same trainings.",
        "",
        f"Regret in percentage points of {report['metric']}. *Sees*: the best of the table with "
        "the search's own seed, less the best complete trial so far. *Gets*: the best mean over "
        "the table's other seeds, less that of the same trial; what looked best on one seed is "
        "seldom the best on others, so it does not come to 0. Before a trial is complete, the "
        "regret is that of a random candidate. In brackets: 95% bootstrap intervals over "
        f"searches, which leave the {report['table_seeds']} table seeds as they are.",
        "",
        f"*Cost to match*: the training seconds at which a method's mean regret is first as low as "
        f"that of random search without rungs after {trials} trials, as a share of what that spent "
        f"(aim: {AIM:g}). *Never*: not within the mean cost of random search, which for random "
        "search itself is so since half of its searches cost more. *Mean* and *median regret* are "
        "at the mean cost of random search, or at a search's end where that comes earlier; *spent* "
        "is by all trials. Ours never trains a candidate "
        "twice, random search included, and looks "
        f"{report['lookahead']} trials ahead; plain Optuna (`create_study`, default pruners) asks "
        "one after the other. *Asking* is asking and telling, a trial (median over searches).",
        "",
        f"![Regret against cost]({picture_name})",
        "",
    ]
    for what, title in TITLES.items():
        lines += [
            f"## Cost to match: {title}",
            "",
            "| method | cost to match | mean regret | median regret | spent | asking, ms |",
            "|---|---|---|---|---|---|",
        ]
        for name, found in methods.items():
            cells = [
                name,
                _shares(found[what]["share_of_cost"]),
                _points(found[what]["by_cost_mean"], -1),
                _points(found[what]["by_cost_median"], -1),
                f"{found['share_spent']:.2f}",
                f"{found['asking_ms']:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        places = [n for n in (5, 10, 20, 50, 100) if n <= trials]
        heads = [f"after {n} trials" for n in places] + [
            f"at {share:g} of the cost" for share in (0.1, 0.2, 0.5)
        ]
        lines += [
            "",
            f"Mean regret, {title}:",
            "",
            f"| method | {' | '.join(heads)} |",
            "|---" * (len(heads) + 1) + "|",
        ]
        for name, found in methods.items():
            cells = [_points(found[what]["by_trials_mean"], n - 1) for n in places]
            last = len(report["costs"]) - 1
            cells += [
                _points(found[what]["by_cost_mean"], round(share * last))
                for share in (0.1, 0.2, 0.5)
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _points(curve: list[list[float]], place: int) -> str:
    middle, low, high = (100 * part[place] for part in curve)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _shares(shares: list[float | None]) -> str:
    middle, low, high = (
        "never" if share is None or not math.isfinite(share) else f"{share:.2f}" for share in shares
    )
    return middle if middle == low == high else f"{middle} ({low} to {high})"


def picture(report: dict[str, Any], file: Path) -> None:
    """Mean regret against cost, with bands: what the search sees, what the user gets."""
    figure = Figure(figsize=(11.5, 4.6))
    with rc_context({"svg.hashsalt": "hybrid-swin", "svg.fonttype": "path"}):
        for column, (what, title) in enumerate(TITLES.items()):
            axes = figure.add_axes((0.06 + 0.5 * column, 0.13, 0.31, 0.76))
            _panel(axes, report, what)
            axes.set_title(f"regret: {title}", fontsize=9, loc="left")
        figure.text(
            0.06,
            0.015,
            "mean over searches with 95% bootstrap bands; dotted: random search without rungs at "
            "its end; grey: the aim; a line ends with the last trial of its longest search",
            fontsize=7.5,
        )
        figure.savefig(file, format="svg", metadata={"Date": None})


def _panel(axes: Axes, report: dict[str, Any], what: str) -> None:
    shares = np.array(report["costs"]) / report["costs"][-1]
    ends = {}
    drawn = {name: colour for name, colour in DRAWN.items() if name in report["methods"]}
    for name, colour in drawn.items():
        found = report["methods"][name]
        mean, low, high = (100 * np.array(part) for part in found[what]["by_cost_mean"])
        inside = shares <= found["most_spent"] + shares[1]
        axes.fill_between(
            shares[inside], low[inside], high[inside], color=colour, alpha=0.13, linewidth=0
        )
        dashes = "--" if name.startswith("Optuna") else "-"
        axes.plot(shares[inside], mean[inside], color=colour, linewidth=1.4, linestyle=dashes)
        ends[name] = float(shares[inside][-1]), float(mean[inside][-1])
    axes.axhline(ends[BASELINE.name][1], color="black", linewidth=0.8, linestyle=":")
    axes.axvline(AIM, color="#b0b0b0", linewidth=0.8)
    least = min(value for _, value in ends.values())
    axes.set_yscale("log")
    axes.set_ylim(max(least / 1.5, 0.01), None)
    axes.set_xlim(0, 1)
    bottom, top = axes.get_ylim()
    axes.set_yticks(
        ticks := [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if bottom <= t <= top],
        [f"{t:g}" for t in ticks],
    )
    axes.minorticks_off()
    axes.set_xlabel("training seconds, as a share of random search's", fontsize=8)
    axes.set_ylabel("percentage points", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _label(axes, ends, drawn)


def _label(axes: Axes, ends: dict[str, tuple[float, float]], drawn: dict[str, str]) -> None:
    """Names beside the panel, in the order of the lines' ends, each led to its line."""
    bottom, top = np.log(axes.get_ylim())
    ordered = sorted(ends, key=lambda name: ends[name][1])
    wanted = [(np.log(max(ends[n][1], np.exp(bottom))) - bottom) / (top - bottom) for n in ordered]
    gap, heights = 0.06, [0.0] * len(ordered)
    for index, height in enumerate(wanted):
        heights[index] = max(height, heights[index - 1] + gap) if index else max(height, 0.0)
    over = max(0.0, heights[-1] - 1)
    for name, height in zip(ordered, heights, strict=True):
        x, y = ends[name]
        axes.annotate(
            name,
            xy=(x, max(y, float(np.exp(bottom)))),
            xytext=(1.04, height - over),
            textcoords="axes fraction",
            fontsize=8,
            color=drawn[name],
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": drawn[name], "linewidth": 0.5, "alpha": 0.6},
        )

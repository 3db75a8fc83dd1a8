"""Tables and picture of what `backbones.py` measured."""

import statistics
from html import escape
from typing import Any

import numpy as np

_MODES = {"forward": "forward", "training": "training step"}
_RESAMPLES = 2000


def relative(times: dict[str, Any], name: str, reference: str, clock: str) -> tuple[float, ...]:
    """Time of one over the reference's, paired by round: median and its 95% bootstrap interval."""
    pairs = zip(times[name][clock], times[reference][clock], strict=True)
    ratios = np.array([own / other for own, other in pairs])
    chosen = np.random.default_rng(0).integers(len(ratios), size=(_RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[chosen], axis=1), (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def tables(report: dict[str, Any], picture_name: str) -> str:
    """The report as Markdown."""
    about = report["about"]
    lines = [
        "# Backbones",
        "",
        f"{about['date']}; {about['device']} ({about['cores']} cores); torch {about['torch']}, "
        f"Python {about['python']}. `python benchmarks/backbones.py` takes turns between the "
        "models in one process. *Time* is a model's over the reference's, paired by round: the "
        "median and, in brackets, its 95% bootstrap interval; above 1 the model is slower than "
        "the reference. *Per MAC* is that time over the ratio of MACs. Images/s: median "
        "(quartiles). Memory: peak beyond the built model, in a process of its own. A training "
        "step is forward and backward.",
        "",
        f"![Time relative to our plain Swin]({picture_name})",
        "",
    ]
    for reason in about["left_out"]:
        lines += [f"- {reason}"]
    for skipped in sorted({s for part in report["settings"].values() for s in part["skipped"]}):
        lines += [f"- Left out: {skipped}."]
    for part in report["settings"].values():
        for condition, timed in part["conditions"].items():
            lines += ["", f"## {part['title']}, {condition}, batch {part['batch']}", ""]
            peak = about["peak_tflops"] if condition.startswith("bf16") else None
            lines += _table(part, timed, peak)
    return "\n".join([*lines, ""])


def _table(part: dict[str, Any], timed: dict[str, Any], peak_tflops: float | None) -> list[str]:
    models, reference = part["models"], part["reference"]
    same = [name for name, model in models.items() if model["same"]]
    lines = []
    if len(same) > 1:
        lines += [
            f"With the same weights, in fp32, outputs of {', '.join(same)} differ by at most "
            f"{timed['largest_difference']:.1e}.",
            "",
        ]
    for mode, title in _MODES.items():
        head = [title, "M parameters", "GMACs", "time", "CPU time", "per MAC", "images/s"]
        head += ["peak MB"] if timed["memory"] else []
        head += ["MFU"] if peak_tflops else []
        lines += [_row(head), "|---" * len(head) + "|"]
        for name, model in models.items():
            group = "same" if name in timed[mode].get("same", {}) else "context"
            times = timed[mode][group]
            wall = relative(times, name, reference, "wall")
            own = relative(times, name, reference, "cpu")
            macs = model["macs"] / models[reference]["macs"]
            rate = [part["batch"] / seconds for seconds in times[name]["wall"]]
            low, middle, high = statistics.quantiles(rate, n=4)
            cells = [
                name,
                f"{model['parameters'] / 1e6:.2f}",
                f"{model['macs'] / 1e9:.3f}",
                "1" if name == reference else _interval(wall),
                "1" if name == reference else _interval(own),
                f"{wall[0] / macs:.2f}",
                f"{_short(middle)} ({_short(low)} to {_short(high)})",
            ]
            if timed["memory"]:
                cells.append(f"{timed['memory'][name][mode]:.0f}")
            if peak_tflops:
                cells.append(f"{100 * utilisation(model, mode, middle, peak_tflops):.1f}%")
            lines.append(_row(cells))
        lines.append("")
    return lines[:-1]


def utilisation(model: dict[str, Any], mode: str, rate: float, peak_tflops: float) -> float:
    """Model FLOP utilisation: FLOPs of the network's products per second, over the GPU's peak.

    A MAC is 2 FLOPs, and a backward pass is 2 forward passes.
    """
    flops = 2 * model["macs"] * (3 if mode == "training" else 1)
    return float(flops * rate / (peak_tflops * 1e12))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(values: tuple[float, ...]) -> str:
    middle, low, high = values
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


# The picture: a panel for each setting, a row for each model, a bar for each mode.
_WIDTH, _LABELS, _RIGHT = 860, 285, 70
_BAR, _ROW, _PANEL = 10, 32, 44
_COLOURS = {
    "ours": {"forward": "#1f5fa8", "training": "#8db4e2"},
    "others": {"forward": "#6b7280", "training": "#c3c8d0"},
}


def picture(report: dict[str, Any]) -> str:
    """Bars of time relative to our plain Swin, as SVG. Mixers are left to the tables."""
    panels = [
        (f"{part['title']}, {condition}", part, timed)
        for part in report["settings"].values()
        for condition, timed in part["conditions"].items()
        if part["reference"].startswith("ours")
    ]
    body: list[str] = []
    y = 62.0
    for title, part, timed in panels:
        y = _panel(body, y, title, part, timed) + _PANEL
    height = y - 14
    where = f"{report['about']['device']}, torch {report['about']['torch']}"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="system-ui, Segoe UI, Helvetica, Arial, '
        'sans-serif" font-size="12" fill="#1f2937">',
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        _text(16, 26, "Time relative to our plain Swin (shorter is faster)", "bold", size=15),
        _text(16, 44, f"{where}; lines are 95% intervals", "grey"),
    ]
    x = _WIDTH - 200
    for mode, title in _MODES.items():
        for shift, kind in enumerate(_COLOURS):
            head.append(_bar(x + 11 * shift, 18, 9, _COLOURS[kind][mode]))
        head.append(_text(x + 26, 26.5, title))
        x += 88
    return "\n".join([*head, *body, "</svg>", ""])


def _panel(
    body: list[str], y: float, title: str, part: dict[str, Any], timed: dict[str, Any]
) -> float:
    """One setting's bars from this height on; the height below them."""
    rows = []
    for name in part["models"]:
        bars = {}
        for mode in _MODES:
            group = "same" if name in timed[mode].get("same", {}) else "context"
            bars[mode] = relative(timed[mode][group], name, part["reference"], "wall")
        rows.append((name, bars))
    longest = max(bar[2] for _, bars in rows for bar in bars.values())
    scale = (_WIDTH - _LABELS - _RIGHT) / max(longest, 1.1)
    body.append(_text(16, y + 12, title, "bold", size=13))
    top, bottom = y + 24, y + 24 + _ROW * len(rows)
    step = 0.25 if longest < 2.5 else 0.5 if longest < 5 else 1.0
    for index in range(int(longest / step) + 1):
        x = _LABELS + scale * step * index
        colour = "#111827" if step * index == 1 else "#e5e7eb"
        body.append(
            f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{colour}"/>'
        )
        body.append(_text(x, bottom + 14, f"{step * index:g}", "grey", "middle", 10))
    for index, (name, bars) in enumerate(rows):
        row = top + _ROW * index + (_ROW - 2 * _BAR) / 2
        kind = "ours" if name.startswith("ours") else "others"
        style = "bold" if name == part["reference"] else ""
        body.append(_text(_LABELS - 10, row + _BAR + 4.5, name, style, "end"))
        for shift, (mode, (middle, low, high)) in enumerate(bars.items()):
            bar_y = row + shift * _BAR
            body.append(_bar(_LABELS, bar_y, scale * middle, _COLOURS[kind][mode]))
            ends = [_LABELS + scale * end for end in (low, high)]
            if name != part["reference"]:
                at = bar_y + _BAR / 2
                body.append(
                    f'<line x1="{ends[0]:.1f}" y1="{at:.1f}" x2="{ends[1]:.1f}" y2="{at:.1f}" '
                    'stroke="#111827" stroke-width="1.2"/>'
                )
            body.append(_text(ends[1] + 5, bar_y + _BAR - 0.5, f"{middle:.2f}", "grey", size=10))
    return bottom


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'


def _text(
    x: float, y: float, text: str, style: str = "", anchor: str = "start", size: float = 12
) -> str:
    weight = ' font-weight="600"' if style == "bold" else ""
    colour = ' fill="#6b7280"' if style == "grey" else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f"{weight}{colour}>{escape(text)}</text>"
    )

"""How the front of a study with several objectives grew."""

from matplotlib.figure import Figure

from search.reporting.figures.study_data import StudyData
from search.reporting.figures.style import BLUE, lay_out
from search.statistics.formatting import count_text, score_text
from search.study.pareto import Direction, Front, Point, hypervolume

_MOST_GROWTHS = 60


def draw_volume(evidence: StudyData, figure: Figure) -> bool:
    """The dominated volume over trials; False, and nothing, where no reference point is known."""
    reference = evidence.reference_point
    if not reference or not evidence.trials:
        return False
    names = list(reference)
    directions: list[Direction] = [evidence.mode if n == evidence.monitor else "min" for n in names]
    volumes, last = _grow(evidence, names, directions)
    count = len(volumes)
    values = ", ".join(_value_text(n, reference[n], evidence.monitor) for n in names)
    (axes,) = lay_out(
        figure,
        f"{evidence.study}: the front grew last with trial {last} of {count}"
        if last
        else f"{evidence.study}: no trial is better than the reference point",
        f"Volume between the front of single runs to their end and the reference point "
        f"({values}): more is better, and only within one study can it be compared.",
    )
    axes.step(range(1, count + 1), volumes, where="post", color=BLUE, linewidth=1.6)
    axes.set_ylim(0, 1.06 * max(volumes) or 1)
    axes.set_xlim(0, count + 1)
    axes.set_xlabel("trials", fontsize=8)
    axes.set_ylabel(f"hypervolume ({' x '.join(_name(n) for n in names)})", fontsize=8)
    return True


def _grow(
    evidence: StudyData, names: list[str], directions: list[Direction]
) -> tuple[list[float], int]:
    """The volume after each trial, and the number of the last one that made it grow.

    Of a front that grew more often than a line can show, it is measured at some of its growths.
    """
    corner = [(evidence.reference_point or {})[name] for name in names]
    fronts: dict[int, list[Point]] = {}  # by the number of the trial that made it grow
    grown = Front(directions)
    for number, (spec, result) in enumerate(evidence.full, 1):
        point = tuple(
            result.score if name == evidence.monitor else spec.cost.get(name) for name in names
        )
        inside = result.state == "complete" and hypervolume([point], corner, directions) > 0
        if inside and point not in grown.items and grown.add(point, point):
            fronts[number] = grown.items
    growths = set(spread(list(fronts), _MOST_GROWTHS))
    volumes = [0.0]
    for number in range(1, len(evidence.trials) + 1):
        last = volumes[-1]
        measured = number in growths
        volumes.append(hypervolume(fronts[number], corner, directions) if measured else last)
    return volumes[1:], max(fronts, default=0)


def spread(numbers: list[int], most: int) -> list[int]:
    """At most so many of the numbers, evenly spread, with both ends."""
    if len(numbers) <= most:
        return numbers
    return [numbers[round(i * (len(numbers) - 1) / (most - 1))] for i in range(most)]


def _name(name: str) -> str:
    return {"macs": "MACs"}.get(name, name.rpartition("/")[2].replace("_", " "))


def _value_text(name: str, value: float, monitor: str) -> str:
    text = score_text(value, monitor) if name == monitor else count_text(value)
    return f"{_name(name)} {text}"

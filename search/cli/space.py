"""The command `space`: what a study's space holds, as a table for people and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from hybrid_swin.spec.values import Range as Allowed
from hybrid_swin.spec.values import check_ranges
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from search.cli.options import SpaceOptions
from search.leaderboard.word_wrapping import Words
from search.settings.study import StudySettings
from search.settings.unused_plugins import unused_plugins
from search.space.budget import limits, matching, over
from search.space.choices import Choice, Range, Tie
from search.space.combinations import Candidate, Number
from search.space.extremes import settings_text, short
from search.space.space import Space
from search.space.survey import Share, Survey, survey
from search.space.templates import Template
from search.study.candidates import checked_candidates

_LIMITS = {"parameters": "parameters", "macs": "MACs"}
_IDLE = "idle values counted one parameter at a time, orders of branches one word at a time"


def print_space(options: SpaceOptions, settings: StudySettings) -> int:
    """Look at a study's space and print what is there.

    Raises InputError for a space that cannot be, or of which nothing fits the budget.
    """
    check_ranges({"--samples": (options.samples, Allowed(10, 1_000_000))})
    with Console(stderr=True).status("looking at the space"):
        space, _ = checked_candidates(settings)
        met = matching(settings.budget, [p.path for p in space.parameters])
        overview = survey(space, limits(settings.budget), options.samples, met)
    notes = list(unused_plugins(settings))
    if options.format == "json":
        print_json({"study": settings.name, **to_dict(overview), "notes": notes})
        return 0
    console = Console()
    console.print(_parameters(overview.space))
    console.print()
    console.print(_facts(overview), highlight=False)
    for note in notes:
        console.print(f"\n{note}", style="yellow", markup=False, highlight=False)
    return 0


# For programs


def to_dict(overview: Survey) -> dict[str, Any]:
    """Everything, with numbers unrounded; null where there is no end."""
    return {
        "parameters": [_described(path, leaf) for path, leaf in _leaves(overview.space)],
        "combinations": overview.space.size,
        "candidates": _number(overview.distinct),
        "parts": [
            {
                "makes": part.kind,
                "parameters": [p.path for p in part.parameters],
                "combinations": part.combinations,
                "looked_at": part.looked_at,
                "exact": part.exact,
                "distinct": _number(part.distinct),
                "makes_none": _share(overview.nothing(part)),
                "refusal": part.refusal,
            }
            for part in overview.parts
        ],
        "budget": dict(overview.limits),
        "fits": _share(overview.fitting),
        "lowest_cost": _candidate(overview, overview.cheapest),
        "highest_cost": _candidate(overview, overview.dearest),
        "never_fits": {name: dict(values) for name, values in overview.never.items()},
        "never_made": dict(overview.unmade),
    }


def _leaves(space: Space) -> Iterator[tuple[str, Any]]:
    """What is not plain: parameters, ties and words with gaps."""
    for path, leaf in space.leaves.items():
        if isinstance(leaf, Choice | Range | Tie | Template):
            yield path, leaf


def _described(path: str, leaf: Any) -> dict[str, Any]:
    if isinstance(leaf, Choice):
        return {"path": path, "kind": "choice", "values": leaf.labels, "number": leaf.size}
    if isinstance(leaf, Tie):
        return {"path": path, "kind": "tie", "source": leaf.source, "factor": leaf.factor}
    if isinstance(leaf, Template):
        return {"path": path, "kind": "word", "word": leaf.text}
    ends = {"from": leaf.low, "to": leaf.high, "step": leaf.step, "log": leaf.log}
    return {"path": path, "kind": "range", **ends, "number": leaf.size}


def _number(number: Number | None) -> dict[str, float] | None:
    if number is None:
        return None
    return {"value": number.value, "standard_error": number.error}


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {
        "share": share.value,
        "low": low,
        "high": high,
        "count": share.count,
        "of": share.of,
        "exact": share.exact,
    }


def _candidate(overview: Survey, candidate: Candidate) -> dict[str, Any]:
    return {
        "params": {p.path: candidate.params[p.path] for p in overview.networks.parameters},
        **candidate.cost.to_dict(),
        "exact": overview.networks.exact,
    }


# For people


def _parameters(space: Space) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("parameter", header_style="dim", overflow="fold")
    table.add_column("kind", header_style="dim")
    table.add_column("values", header_style="dim", overflow="fold")
    table.add_column("number", header_style="dim", justify="right", no_wrap=True)
    for path, leaf in _leaves(space):
        description = _described(path, leaf)
        number = "" if "number" not in description else _count(description["number"])
        style = "" if isinstance(leaf, Choice | Range) else "dim"
        table.add_row(path, description["kind"], Words(_values(leaf)), number, style=style)
    return table


def _values(leaf: Any) -> str:
    if isinstance(leaf, Choice):
        return ", ".join(map(short, leaf.labels))
    if isinstance(leaf, Tie):
        return leaf.source if leaf.factor == 1 else f"{short(leaf.factor)} x {leaf.source}"
    if isinstance(leaf, Template):
        return leaf.text
    steps = f", in steps of {short(leaf.step)}" if leaf.step else ""
    return f"{short(leaf.low)} to {short(leaf.high)}{steps}{', logarithmic' * leaf.log}"


def _facts(overview: Survey) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in _sentences(overview):
        table.add_row(heading, Words(text))
    return table


def _sentences(overview: Survey) -> Iterator[tuple[str, str]]:
    parts, networks = overview.parts, overview.networks
    split = " x ".join(f"{_count(p.combinations)} {p.kind}" for p in parts if p.parameters)
    several = overview.space.size is not None and all(p.parameters for p in parts[1:])
    yield "combinations", _count(overview.space.size) + (f" = {split}" if several else "")
    yield "candidates", _distinct(overview)
    for part in parts:
        nothing = overview.nothing(part)
        if part is networks or nothing.count:
            why = f": {part.refusal.partition(';')[0]}" if part.refusal else ""
            yield "impossible", _share_text(nothing, part.kind) + why
    if overview.unmade:
        drawn = "" if networks.exact else " that was drawn"
        yield "", f"every network with {_listed(overview.unmade)}{drawn}"
    if overview.limits:
        most = " and ".join(f"{v:,} {_LIMITS[name]}" for name, v in overview.limits.items())
        yield "within budget", f"{_share_text(overview.fitting, networks.kind)}: at most {most}"
    for heading, candidate in (
        ("lowest cost", overview.cheapest),
        ("highest cost", overview.dearest),
    ):
        costs = ", ".join(
            f"{getattr(candidate.cost, name):,} {label}"
            for name, label in (
                ("macs", "MACs"),
                ("parameters", "parameters"),
                ("activations", "activations"),
            )
        )
        dear = " (exceeds the budget)" if over(candidate.cost, overview.limits) else ""
        yield heading, costs + dear + ("" if networks.exact else " (found by descent)")
        if networks.parameters:
            yield "", settings_text(candidate.params, networks.parameters)
    descent = "" if networks.exact else " (none found by descent)"
    for name, values in overview.never.items():
        yield "never fits", f"{name} with {_listed(values)}{descent}"


def _listed(values: Mapping[str, list[Any]]) -> str:
    return ", ".join(f"{path}={short(v)}" for path, some in values.items() for v in some)


def _distinct(overview: Survey) -> str:
    number = overview.distinct
    if number is None:
        return "without end: a parameter has a value between any two"
    if all(part.exact for part in overview.parts):
        return f"{number.value:,.0f} distinct, all counted"
    return f"about {number.value:,.0f} distinct, standard error {number.error:,.0f}; {_IDLE}"


def _share_text(share: Share, kind: str) -> str:
    if share.exact:
        some = f"{share.value:.1%}, {share.count:,}" if share.count else "none"
        return f"{some} of {share.of:,} {kind}"
    low, high = share.interval
    return f"{share.value:.1%} [{low:.1%}, {high:.1%}] of {share.of:,} {kind} drawn at random"


def _count(number: int | None) -> str:
    return "no end" if number is None else f"{number:,}"

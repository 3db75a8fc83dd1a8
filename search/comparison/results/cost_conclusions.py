"""What a comparison says of costs: how nearly they are equal, and which signs survive."""

from collections.abc import Iterator, Sequence

from search.comparison.design.arms import SIZE
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus, survives

_OTHER = {"parameters": "macs", "macs": "parameters"}
_WORDS = {"macs": "MACs", "parameters": "parameters", "latency": "latency"}


def cost_conclusions(comparison: Comparison) -> list[str]:
    """How nearly costs are equal, and which ways of matching were tried."""
    sentences = []
    for matching in comparison.matchings:
        spans = {
            name: [r.residuals[name] for r in comparison.results
                   if r.matching == matching and name in r.residuals and not _dearer(r, comparison)]
            for name in ("macs", "parameters", "latency")
        }  # fmt: skip
        costs = ", ".join(f"{_WORDS[n]} {_span(shares)}" for n, shares in spans.items() if shares)
        if not costs:
            continue
        if matching == "none":
            sentences.append(
                "Costs were not matched, so size may explain any difference; against the baseline: "
                f"{costs}."
            )
        elif matching == "control":
            sentences.append(
                f"Widths were kept, and each arm compared with the baseline plus a pointwise "
                f"branch of its cost; against what they are compared with: {costs}."
            )
        else:
            sentences.append(f"Matched by {_WORDS[matching]}; against the baseline: {costs}.")
    tried = {name for name in comparison.matchings if name in _OTHER}
    if len(tried) == 1:
        (only,) = tried
        sentences.append(
            f"Only matching by {_WORDS[only]} was tried; whether signs survive matching by "
            f"{_WORDS[_OTHER[only]]} is not known."
        )
    return sentences


def survival_conclusions(comparison: Comparison) -> list[str]:
    """Whether signs survive the other way of matching.

    Of differences to the baseline, and of those to controls that are shown at all.
    """
    if not {*_OTHER} <= {*comparison.matchings}:
        return []
    groups: dict[str, list[str]] = {}
    for cell, arm, by_parameters, by_macs in _twins(comparison):
        only, cause = _only(by_parameters, by_macs), by_parameters.cause
        kind = "one" if only else survives(by_parameters, by_macs)
        if kind == "not shown" and cause:
            continue
        inside = ", ".join(filter(None, (cell, only)))
        beyond = f"{arm} beyond its size" if cause == SIZE else f"{cause} in {arm}"
        named = beyond if cause else arm
        groups.setdefault(kind, []).append(f"{named} ({inside})" if inside else named)
    words = {
        "survives": "Shown with the same sign under matching by parameters and by MACs: {}.",
        "reverses": "The sign turns around between matching by parameters and by MACs: {}.",
        "one": "Shown under one of the two ways of matching only: {}.",
        "not shown": "Not shown under either way of matching: {}.",
    }
    return [text.format(", ".join(groups[key])) for key, text in words.items() if key in groups]


def _twins(comparison: Comparison) -> Iterator[tuple[str, str, Versus, Versus]]:
    """Cell, arm, and one difference by parameters and by MACs; all four sides may be spoken of."""
    by_place = {(r.cell, r.matching, r.arm): r for r in comparison.results}
    for (cell, matching, arm), result in by_place.items():
        other = by_place.get((cell, "macs", arm))
        if matching != "parameters" or other is None:
            continue
        twins = {(v.cause, v.against): v for v in (other.versus, *other.controls) if v is not None}
        for versus in (result.versus, *result.controls):
            twin = twins.get((versus.cause, versus.against)) if versus is not None else None
            if versus is None or twin is None:
                continue
            if comparison.speaks_of(result, versus) and comparison.speaks_of(other, twin):
                yield cell, arm, versus, twin


def _only(by_parameters: Versus, by_macs: Versus) -> str:
    """Which way of matching alone shows it."""
    differs = [v.verdict in ("better", "worse") for v in (by_parameters, by_macs)]
    if differs[0] == differs[1]:
        return ""
    return "by parameters" if differs[0] else "by MACs"


def _dearer(result: ArmResult, comparison: Comparison) -> bool:
    """Whether it is a counterpart, which costs more than the baseline by design."""
    return result.matching == "control" and result.against == comparison.baseline


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if f"{low:+.1%}" == f"{high:+.1%}":
        return f"{low:+.1%}"
    return f"{low:+.1%} to {high:+.1%}"

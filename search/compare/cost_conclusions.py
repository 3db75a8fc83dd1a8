"""What a comparison says of costs: how nearly they are equal, and which signs survive."""

from collections.abc import Sequence

from search.compare.arm_result import ArmResult
from search.compare.differences import Versus, survives
from search.compare.results import Comparison

_OTHER = {"parameters": "macs", "macs": "parameters"}
_WORDS = {"macs": "MACs", "parameters": "parameters", "latency": "latency"}


def cost_conclusions(comparison: Comparison) -> list[str]:
    """How nearly costs are equal, and whether signs survive the other way of matching."""
    said = []
    for matching in comparison.matchings:
        spans = {
            name: [r.residuals[name] for r in comparison.results
                   if r.matching == matching and name in r.residuals and not _dearer(r, comparison)]
            for name in ("macs", "parameters", "latency")
        }  # fmt: skip
        told = ", ".join(f"{_WORDS[n]} {_span(found)}" for n, found in spans.items() if found)
        if not told:
            continue
        if matching == "none":
            said.append(
                "Costs were not matched, so size may explain any difference; against the baseline: "
                f"{told}."
            )
        elif matching == "control":
            said.append(
                f"Widths were kept, and each arm compared with the baseline plus a pointwise "
                f"branch of its cost; against what they are compared with: {told}."
            )
        else:
            said.append(f"Matched by {_WORDS[matching]}; against the baseline: {told}.")
    tried = {name for name in comparison.matchings if name in _OTHER}
    if len(tried) == 1:
        (only,) = tried
        said.append(
            f"Only matching by {_WORDS[only]} was tried; whether signs survive matching by "
            f"{_WORDS[_OTHER[only]]} is not known."
        )
    return said + (_survival(comparison) if len(tried) == 2 else [])


def _survival(comparison: Comparison) -> list[str]:
    """Differences to the baseline and to controls, over usable results only.

    Controls are told where a difference to them is shown at all.
    """
    by_place = {(r.cell, r.matching, r.arm): r for r in comparison.results}
    groups: dict[str, list[str]] = {}
    for (cell, matching, arm), result in by_place.items():
        other = by_place.get((cell, "macs", arm))
        if matching != "parameters" or other is None:
            continue
        for versus in filter(None, (result.versus, *result.controls)):
            twin = next((v for v in (other.versus, *other.controls) if _asks(v, versus)), None)
            sides = [result, other]
            sides += [by_place[cell, r.matching, versus.against] for r in sides]
            if twin is not None and all(side.usable for side in sides):
                kind = _kind(versus, twin)
                if kind != "neither" or not versus.cause:
                    what = f"{versus.cause} in {arm}" if versus.cause else arm
                    only = f" ({'; '.join(filter(None, (cell, _only(versus, twin))))})"
                    groups.setdefault(kind, []).append(what + only * (only != " ()"))
    words = {
        "survives": "Shown with the same sign under matching by parameters and by MACs: {}.",
        "reverses": "The sign turns around between matching by parameters and by MACs: {}.",
        "one": "Shown under one of the two ways of matching only: {}.",
        "neither": "Not shown under either way of matching: {}.",
    }
    return [text.format(", ".join(groups[key])) for key, text in words.items() if key in groups]


def _asks(one: Versus | None, other: Versus) -> bool:
    return one is not None and (one.cause, one.against) == (other.cause, other.against)


def _kind(by_parameters: Versus, by_macs: Versus) -> str:
    survival = survives(by_parameters, by_macs)
    if survival != "not shown":
        return survival
    return "one" if _only(by_parameters, by_macs) else "neither"


def _only(by_parameters: Versus, by_macs: Versus) -> str:
    """Which way of matching alone shows it."""
    shown = [v.verdict in ("better", "worse") for v in (by_parameters, by_macs)]
    if shown[0] == shown[1]:
        return ""
    return "by parameters" if shown[0] else "by MACs"


def _dearer(result: ArmResult, comparison: Comparison) -> bool:
    """Whether it is a counterpart, which costs more than the baseline by design."""
    return result.matching == "control" and result.against == comparison.baseline


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if f"{low:+.1%}" == f"{high:+.1%}":
        return f"{low:+.1%}"
    return f"{low:+.1%} to {high:+.1%}"

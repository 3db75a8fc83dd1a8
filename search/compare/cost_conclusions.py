"""What a comparison says of costs: how nearly they are equal, and which signs survive."""

from collections.abc import Sequence

from search.compare.results import Comparison

_OTHER = {"parameters": "macs", "macs": "parameters"}
_WORDS = {"macs": "MACs", "parameters": "parameters", "latency": "latency"}


def cost_conclusions(comparison: Comparison) -> list[str]:
    """How nearly costs are equal, and whether signs survive the other way of matching."""
    said = []
    for matching in comparison.matchings:
        spans = {
            name: [r.residuals[name] for r in comparison.results
                   if r.matching == matching and name in r.residuals]
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
    """Arm by arm, over usable results only."""
    by_place = {(r.cell, r.matching, r.arm): r for r in comparison.results}
    groups: dict[str, list[str]] = {}
    for (cell, matching, arm), result in by_place.items():
        other = by_place.get((cell, "macs", arm))
        if matching != "parameters" or result.versus is None or other is None:
            continue
        sides = [result, other]
        sides += [by_place[r.cell, r.matching, r.against] for r in sides]
        if all(side.usable for side in sides):
            survival = comparison.sign_survives(cell, arm)
            groups.setdefault(survival, []).append(f"{arm} ({cell})" if cell else arm)
    words = {
        "survives": "Shown with the same sign under matching by parameters and by MACs: {}.",
        "reverses": "The sign turns around between matching by parameters and by MACs: {}.",
        "not shown": "Not shown under both matching by parameters and by MACs: {}.",
    }
    return [text.format(", ".join(groups[key])) for key, text in words.items() if key in groups]


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if f"{low:+.1%}" == f"{high:+.1%}":
        return f"{low:+.1%}"
    return f"{low:+.1%} to {high:+.1%}"

"""A comparison as tables: for a terminal and in Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hybrid_swin.errors.plain_text import markdown, unbroken
from hybrid_swin.system.console import Console
from search.comparison.report.claims import claim_heads, claim_lines, claim_table
from search.comparison.report.effects import effects_listing, effects_note, effects_table
from search.comparison.report.rows import MARKS, Line, heads_of, interval_note, lines_of
from search.comparison.results.answer import answer
from search.comparison.results.comparison import Comparison
from search.comparison.results.conclusions import conclusions
from search.leaderboard.end.layout import left_out_text, listing, table_for
from search.statistics.formatting import unit

_NARROW, _WIDE = 120, 140  # below so many columns, some are left to the files
_FROM = {"better": _WIDE, "parameters": _NARROW, "macs": _NARROW, "rate": _WIDE}
LEFT = ("place", "arm", "marks")


def render(comparison: Comparison, width: int = 120) -> Group:
    """Table and sentences for a console of ``width`` columns."""
    lines = lines_of(comparison)
    heads = heads_of(comparison, lines)
    heads.pop("place", None)
    gone = [heads.pop(name) for name, least in _FROM.items() if name in heads and width < least]
    breaks = (re.sub(r" (?=to |\()", "\n", head) for head in heads.values())
    table = table_for(title_of(comparison), breaks)
    place = None
    for line in lines:
        if line.place != place:
            if place is not None:
                table.add_section()
            place = line.place
            if place:
                table.add_row(Text(place, style="italic"), *[""] * (len(heads) - 1))
        cells = {name: getattr(line, name) for name in heads} | {"arm": arm_text(line)}
        table.add_row(*cells.values(), style=line.style)
    used = [f"{m} {text}" for m, text in MARKS.items() if any(m in line.marks for line in lines)]
    notes = [";  ".join(used), interval_note(comparison, "better" in heads)]
    notes.append(left_out_text(gone, _WIDE))
    return Group(
        *(Text(answer(comparison), style="bold"), Text()),
        *claim_table(comparison),
        table,
        *(Text(f"  {note}", style="dim") for note in notes if note),
        *_effects_below(comparison),
        *(Text(), listing("-", conclusions(comparison))),
    )


def _effects_below(comparison: Comparison) -> Iterator[RenderableType]:
    effects = list(effects_listing(comparison))
    if effects:
        yield Text()
        yield from effects[:-1]
        yield Text(f"  {effects_note(comparison)}", style="dim")


def arm_text(line: Line) -> Text:
    """The first cell of a line in a terminal."""
    return Text(("  against " if line.control else "") + unbroken(line.arm))


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print to a console, by default the terminal."""
    console = console or Console()
    console.print(render(comparison, console.width))


def to_markdown(comparison: Comparison) -> str:
    """Table and sentences as Markdown."""
    lines = lines_of(comparison)
    heads = written_heads(comparison, lines)
    rows = [[markdown(value) for value in row] for row in written_rows(lines, heads)]
    table = [
        f"**{markdown(title_of(comparison))}**",
        "",
        f"| {' | '.join(markdown(head) for head in heads.values())} |",
        "|" + "|".join("---" if name in LEFT else "--:" for name in heads) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    items = [f"- {markdown(sentence)}" for sentence in conclusions(comparison)]
    legend = legend_of(lines)
    marks = [f"Marks: {markdown(legend)}", ""] if legend else []  # not a list, though it has "+"
    note = [markdown(interval_note(comparison, True)), ""]
    return (
        "\n".join(
            [*_published(comparison), *table, "", *note, *marks, *_effects(comparison), *items]
        )
        + "\n"
    )


def _published(comparison: Comparison) -> list[str]:
    """The table of published differences as Markdown; nothing if there are none."""
    lines = claim_lines(comparison)
    heads = claim_heads(lines)
    rows = [[markdown(getattr(line, name)) for name in heads] for line in lines]
    return [
        f"**{markdown(comparison.name)}: published differences beside these**",
        "",
        f"| {' | '.join(heads.values())} |",
        "|" + "|".join("--:" if name in ("published", "own") else "---" for name in heads) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ] * bool(lines)


def _effects(comparison: Comparison) -> list[str]:
    """The table of effects of factors, where there are factors."""
    head, *rows = effects_table(comparison) or [[]]
    if not rows:
        return []
    return [
        f"| {' | '.join(map(markdown, head))} |",
        f"|---|{'--:|' * (len(head) - 2)}---|",
        *(f"| {' | '.join(map(markdown, row))} |" for row in rows),
        "",
        markdown(effects_note(comparison)),
        "",
    ]


def written_heads(comparison: Comparison, lines: Sequence[Line]) -> dict[str, str]:
    """The columns of Markdown and LaTeX; that of places has no head."""
    heads = heads_of(comparison, lines)
    return heads | ({"place": ""} if "place" in heads else {})


def written_rows(lines: Sequence[Line], names: Iterable[str]) -> list[list[str]]:
    """The cells of Markdown and LaTeX: a place stands where it begins."""
    rows, place = [], None
    for line in lines:
        own = {"place": line.place if line.place != place else ""}
        if line.control:
            own["arm"] = f"against {line.arm} ({line.cause})"
        place = line.place
        rows.append([own.get(name, getattr(line, name)) for name in names])
    return rows


def title_of(comparison: Comparison) -> str:
    """What the table of arms shows."""
    metric = comparison.monitor.rpartition("/")[2]
    given = ", given these learning rates" if comparison.given_rates else ""
    return (
        f"{comparison.name}: {metric} over {comparison.seeds} paired seeds with intervals, "
        f"differences in{unit(comparison.monitor) or ' ' + metric}{given}"
    )


def legend_of(lines: Sequence[Line]) -> str:
    """What the marks of these lines mean."""
    used = "".join(line.marks for line in lines)
    return "; ".join(f"{mark} {text}" for mark, text in MARKS.items() if mark in used)

"""A comparison in LaTeX (booktabs): its arms, what is published, the effects of factors."""

from collections.abc import Iterable, Iterator, Sequence

from hybrid_swin.errors.plain_text import latex, visible
from search.comparison.report.claims import claim_heads, claim_lines
from search.comparison.report.effects import effects_note, effects_table
from search.comparison.report.rows import interval_note, lines_of
from search.comparison.report.tables import LEFT, legend_of, title_of, written_heads, written_rows
from search.comparison.results.comparison import Comparison

_MIDRULE = r"\midrule"


def to_latex(comparison: Comparison) -> str:
    r"""One table below the other, those of which there is anything; needs \usepackage{booktabs}."""
    makers = _arms, _published, _effects
    tables = ("\n".join(make(comparison)) for make in makers)
    return "\n\n".join(filter(None, tables)) + "\n"


def _arms(comparison: Comparison) -> Iterator[str]:
    lines = lines_of(comparison)
    heads = written_heads(comparison, lines)
    body = []
    place = None
    for line, row in zip(lines, written_rows(lines, heads), strict=True):
        if place not in (None, line.place):
            body.append(_MIDRULE)
        place = line.place
        body.append(_row(row))
    columns = [("l" if name in LEFT else "r", head) for name, head in heads.items()]
    yield from _table(title_of(comparison), columns, body, interval_note(comparison, True))
    yield _comment(legend_of(lines))


def _published(comparison: Comparison) -> Iterator[str]:
    """Published differences beside the comparison's own; where they can be read as comments."""
    lines = claim_lines(comparison)
    if not lines:
        return
    heads = claim_heads(lines)
    columns = [("r" if name in ("published", "own") else "l", head) for name, head in heads.items()]
    body = [_row(getattr(line, name) for name in heads) for line in lines]
    yield from _table(f"{comparison.name}: published differences beside these", columns, body)
    urls = {one.claim.source: one.claim.url for one in comparison.published if one.claim.url}
    yield from (_comment(f"{source}: {url}") for source, url in urls.items())


def _effects(comparison: Comparison) -> Iterator[str]:
    head, *rows = effects_table(comparison) or [[]]
    if not rows:
        return
    sides = ["l", *"r" * (len(head) - 2), "l"]
    columns, body = list(zip(sides, head, strict=True)), map(_row, rows)
    title = f"{comparison.name}: effects of factors"
    yield from _table(title, columns, body, effects_note(comparison))


def _table(
    title: str, columns: Sequence[tuple[str, str]], body: Iterable[str], note: str = ""
) -> Iterator[str]:
    """Lines of a table; ``columns`` are alignments and heads."""
    yield _comment(title)
    yield r"% needs \usepackage{booktabs}"
    yield rf"\begin{{tabular}}{{{''.join(side for side, _ in columns)}}}"
    yield r"\toprule"
    yield _row(head for _, head in columns)
    yield _MIDRULE
    yield from body
    yield r"\bottomrule"
    if note:
        cell = rf"{{p{{.9\linewidth}}}}{{\footnotesize {latex(note)}}}"
        yield rf"\multicolumn{{{len(columns)}}}{cell} \\"
    yield r"\end{tabular}"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"


def _comment(text: str) -> str:
    return f"% {visible(' '.join(text.split()))}"

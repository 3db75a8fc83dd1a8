"""The command `cost`: what variants cost, as a table for people and as CSV or JSON for programs."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from hybrid_swin.cost.padding import padding_notes
from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.variant_sources import OF_WORDS, is_block_word
from hybrid_swin.spec.idle_fields import idle_fields
from hybrid_swin.system.answer import print_json, print_text
from hybrid_swin.system.console import Console
from search.cli.cost.rows import CostRow, Question, counted, matched, named_variants
from search.leaderboard.row_table import RowTable
from search.leaderboard.word_wrapping import Words

_COUNTS = ("parameters", "macs", "activations")
_ANY_WIDTH = 1000  # columns
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")  # in a file's name


@dataclass(frozen=True)
class Answer:
    """All rows, and what they were measured with, in words; empty where nothing was measured."""

    question: Question
    rows: tuple[CostRow, ...]
    measured_with: str = ""


def print_costs(question: Question) -> int:
    """Answer a question on the terminal."""
    waits = question.measure or question.by == "latency"
    with Console(stderr=True).status("measuring") if waits else nullcontext() as status:
        costs = answer(question, status.update if status else lambda _: None)
    if question.save is not None:
        save_variants(costs, Path(question.save))
    if question.format == "json":
        print_json(to_dict(costs))
    elif question.format == "csv":
        print_text(to_csv(costs))
    else:
        _print_tables(costs)
    return 0


def answer(question: Question, progress: Callable[[str], object]) -> Answer:
    """Count, match and measure. Raises InputError for what the user must fix."""
    by_clock = question.by == "latency"
    if question.match is None and by_clock:
        raise InputError("--by latency says what --match shall meet; give --match as well")
    named = named_variants(question)
    rows: list[CostRow] = []
    if not by_clock:
        rows = counted(named) if question.match is None else matched(named, question)
    if not by_clock and not question.measure:
        return Answer(question, tuple(rows))
    from search.cli.cost.measured import matched_by_clock, measured, setup_of

    setup = setup_of(question)
    if by_clock:
        rows = matched_by_clock(named, question, setup, progress)
    if question.measure:
        rows = measured(rows, question, setup, progress)
    return Answer(question, tuple(rows), setup.label)


# For programs


def to_dict(costs: Answer) -> dict[str, Any]:
    """Everything, with each variant's fields."""
    rows = [
        {**_flat(row), "adjuster": row.adjuster, "variant": row.variant.to_dict()}
        for row in costs.rows
    ]
    return {"measured_with": costs.measured_with, "rows": rows}


def to_csv(costs: Answer) -> str:
    """One line a variant; numbers unrounded."""
    lines = [
        _flat(row) | {"adjuster": row.adjuster, "measured_with": costs.measured_with}
        for row in costs.rows
    ]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    rows = [{key: line.get(key) for key in columns} for line in lines]
    return RowTable(columns, rows, visible_columns=()).to_csv()


def _flat(row: CostRow) -> dict[str, Any]:
    """A row's numbers under one name each."""
    height, width = row.variant.image_size
    flat: dict[str, Any] = {"name": row.name, "id": row.variant.id, "image": f"{height}x{width}"}
    flat |= row.cost.to_dict()
    flat |= {f"{name}_relative": share for name, share in row.relative.items()}
    if row.measured:
        for work, timing in (
            ("forward", row.measured.forward),
            ("training", row.measured.training),
        ):
            flat |= {f"{work}_{name}": value for name, value in asdict(timing).items()}
        flat |= {"forward_mb": row.measured.forward_mb, "training_mb": row.measured.training_mb}
    return flat


def save_variants(costs: Answer, folder: Path) -> None:
    """Write each variant as YAML. Raises InputError where a file says something else already."""
    texts: dict[Path, str] = {}
    for row in costs.rows:
        says = f", matched by {costs.question.by} to {costs.question.match}" if row.adjuster else ""
        plain = Path(row.name).stem if row.name.endswith((".yaml", ".yml")) else row.name
        name = _UNSAFE.sub("-", plain).strip("-")
        file = folder / f"{name}.yaml"
        if file in texts:
            raise InputError(f"--save: two variants would be written to {str(file)!r}; rename one")
        texts[file] = f"# {row.name}{says}\n{row.variant.to_yaml()}"
    try:
        for file, text in texts.items():
            if file.exists() and file.read_text(encoding="utf-8") != text:
                raise InputError(f"{str(file)!r} is there already; name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--save {str(folder)!r} cannot be written: {error}") from error


# For people


def _print_tables(costs: Answer) -> None:
    console = Console()
    table = _cost_table(costs)
    wide = console.options.update(max_width=_ANY_WIDTH)
    if console.measure(table, options=wide).maximum > console.width:
        table = _cost_table(costs, with_id=False)  # rather than numbers that nobody can read
    console.print(table)
    for line in _remarks(costs):
        console.print(line, style="dim", highlight=False)
    if costs.question.measure:
        console.print()
        console.print(_time_table(costs))
        for line in (
            f"{costs.measured_with}; {costs.question.rounds} rounds, variants in turn.",
            "Median (interquartile range); ratio: to the first, in the same round. Training: "
            "forward, backward and AdamW.",
            "Memory: the peak of a step beside the weights, in a process of its own.",
        ):
            console.print(line, style="dim", highlight=False)


def _cost_table(costs: Answer, with_id: bool = True) -> Table:
    compared = any(row.relative for row in costs.rows)
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("variant", header_style="dim", overflow="fold")
    for heading in ("parameters", "MACs", "activations"):
        table.add_column(heading, header_style="dim", justify="right", no_wrap=True)
        if compared:
            table.add_column("", style="dim", justify="right", no_wrap=True)
    if with_id:
        table.add_column("id", header_style="dim", no_wrap=True)
    for row in costs.rows:
        cells: list[str] = []
        for name in _COUNTS:
            cells.append(f"{getattr(row.cost, name):,}")
            if compared:
                cells.append(_percent(row.relative.get(name)))
        table.add_row(Words(row.name), *cells, *([row.variant.id] if with_id else []))
    return table


def _remarks(costs: Answer) -> Iterator[str]:
    question, rows = costs.question, costs.rows
    sizes = {"x".join(map(str, row.variant.image_size)) for row in rows}
    image = f"one {sizes.pop()} image" if len(sizes) == 1 else "one image of each one's size"
    yield f"MACs and activations for {image}, matrix products and convolutions only."
    if words := [row for row in rows if is_block_word(row.name)]:
        swin_t = f"{OF_WORDS}, {words[0].variant.num_classes:,} classes"
        yield f"{few(row.name for row in words)}: as all blocks of a Swin-T ({swin_t})."
    for row in rows:
        notes = *idle_fields([row.variant]), *padding_notes(row.variant)
        yield from (f"{row.name}: {note}." for note in notes)
    if question.match is None:
        if len(rows) > 1:
            yield f"Percent: above {rows[0].name}."
        return
    yield (
        f"Percent: above {question.match}. Matched by {question.by}, within "
        f"{question.nearness:.2%}:"
    )
    for row in rows:
        if row.adjuster:
            yield f"  {row.name}: {row.adjuster}"


def _time_table(costs: Answer) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("variant", header_style="dim", overflow="fold")
    for heading in ("forward ms", "ratio", "training ms", "ratio", "forward MB", "training MB"):
        table.add_column(heading, header_style="dim", justify="right")
    for row in costs.rows:
        if row.measured:
            forward, training = row.measured.forward, row.measured.training
            table.add_row(
                Words(row.name),
                _spread(forward.median_ms, forward.iqr_ms),
                _spread(forward.ratio, forward.ratio_iqr),
                _spread(training.median_ms, training.iqr_ms),
                _spread(training.ratio, training.ratio_iqr),
                f"{row.measured.forward_mb:,.1f}",
                f"{row.measured.training_mb:,.1f}",
            )
    return table


def _spread(value: float, iqr: float) -> str:
    """Three or four digits of the value and two of its spread."""
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    spread = f"{iqr:,.0f}" if iqr >= 10 else f"{iqr:.2g}"
    return f"{value:,.{digits}f} ({spread})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}" if abs(share) < 10 else f"x{share + 1:.0f}"

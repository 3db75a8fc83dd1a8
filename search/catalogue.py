"""What there is to build with, what it costs, and whether a user's own part keeps the contract."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hybrid_swin import registry
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.registry import Entry, Kind

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("branch", "Branches: token mixers, joined by + in a block word"),
    ("fusion", "Fusions: how branches join, after : in a block word"),
    ("data source", "Data sources: data.source in a study"),
)


def print_catalogue(plugins: Sequence[str]) -> int:
    """List all parts with their options."""
    for plugin in plugins:
        registry.add_plugin(plugin)
    console = Console()
    for kind, title in _KINDS:
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0)
        )
        for heading in ("name", "what it is", "options"):
            table.add_column(heading, header_style="dim")
        for name in registry.names(kind):
            entry = registry.describe(kind, name)
            own = " (plug-in)" if entry.plugin_hash else ""
            table.add_row(escape(name + own), escape(entry.summary), escape(_options(entry)))
        console.print(table)
        console.print()
    console.print(
        "A word: conv(kernel=7)+w_msa:gate. Where no fusion is named, branches are summed.",
        highlight=False,
    )
    return 0


def check_plugins(plugins: Sequence[str]) -> int:
    """Run the contract tests on a user's own parts. Returns 0 where all hold, else 1."""
    if not plugins:
        raise InputError("--check tests plug-ins; name at least one with --plugin FILE")
    entries = [registry.add_plugin(plugin) for plugin in plugins]
    failures = 0
    for entry in entries:
        if entry.kind == "data source":
            raise InputError(
                f"{entry.file.name}: only branches and fusions have contract tests; "
                "a data source is checked by `run --dry-run`"
            )
        failures += _check(entry, Console())
    return 1 if failures else 0


def _check(entry: Entry, console: Console) -> int:
    from hybrid_swin.contract import CHECKS, words_with

    words = list(words_with(entry.kind, entry.name))
    console.print(
        f"{entry.kind} [bold]{escape(entry.name)}[/bold]: {len(CHECKS)} checks on "
        f"{len(words)} block words",
        highlight=False,
    )
    failures = 0
    for check in CHECKS:
        found = ""
        for word in words:
            try:
                check(word)
            except Exception as error:  # whatever the user's code raises is a finding
                found = f"{word}: {type(error).__name__}: {error}"
                break
        failures += bool(found)
        mark = "[red]fails[/red]" if found else "[green]holds[/green]"
        console.print(
            f"  {mark}  {check.__name__.replace('_', ' ')}"
            + (f"\n         {escape(found)}" if found else ""),
            highlight=False,
        )
    return failures


def print_costs(names: Sequence[str], plugins: Sequence[str]) -> int:
    """Parameters, MACs and activations of variants, side by side."""
    from hybrid_swin.cost import count_cost
    from hybrid_swin.published import names as published_names
    from hybrid_swin.variant import Variant

    for plugin in plugins:
        registry.add_plugin(plugin)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("variant", "image", "parameters", "MACs", "activations", "id"):
        table.add_column(
            heading,
            header_style="dim",
            justify="left" if heading in ("variant", "id", "image") else "right",
        )
    for name in names:
        variant: Variant = _variant(name, published_names())
        cost = count_cost(variant)
        table.add_row(
            escape(name),
            "x".join(map(str, variant.image_size)),
            f"{cost.parameters:,}",
            f"{cost.macs:,}",
            f"{cost.activations:,}",
            variant.id,
        )
    console = Console()
    console.print(table)
    console.print(
        "MACs and activations for one image, matrix products and convolutions only.",
        style="dim",
        highlight=False,
    )
    return 0


def _variant(name: str, published_names: list[str]) -> Any:
    from dataclasses import replace

    from hybrid_swin.factory import resolve_variant
    from hybrid_swin.published import published

    if name in published_names or name.endswith((".yaml", ".yml")):
        return resolve_variant(name)
    swin_t = published("swin_t")
    try:
        return replace(
            swin_t, stages=tuple(replace(stage, blocks=(name,)) for stage in swin_t.stages)
        )
    except InputError as error:
        if name.isidentifier() and name not in registry.names("branch"):
            raise unknown(
                "variant or branch", name, [*published_names, *registry.names("branch")]
            ) from None
        raise error


def _options(entry: Entry) -> str:
    return "; ".join(
        f"{o.name}={'required' if o.required else str(o.default).lower()}"
        + (f" ({o.allowed})" if o.choices else "")
        for o in entry.options.values()
    )

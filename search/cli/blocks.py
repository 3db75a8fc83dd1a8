"""What there is to build with, and whether a user's own part keeps the contract."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.registry import PartInfo, PartKind
from hybrid_swin.system.console import Console
from search.cli.options import BlocksOptions

_KINDS: tuple[tuple[PartKind, str], ...] = (
    ("branch", "Branches: token mixers, joined by + in a block word"),
    ("fusion", "Fusions: how branches join, after : in a block word"),
    ("data source", "Data sources: data.source in a study"),
    ("inspection", "Inspections: inspect --only NAME"),
)

_CHECKED_BY = {
    "data source": "a data source is checked by `run --dry-run`",
    "inspection": "an inspection is checked by `inspect --plugin FILE --only NAME`",
}


def run(options: BlocksOptions) -> int:
    """List all parts, or check the user's own. Returns the exit code."""
    return check_plugins(options.plugin) if options.check else print_catalogue(options.plugin)


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
            table.add_row(name + own, entry.summary, _options(entry))
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
        if entry.kind in _CHECKED_BY:
            raise InputError(
                f"{entry.file.name}: only branches and fusions have contract tests; "
                f"{_CHECKED_BY[entry.kind]}"
            )
        failures += _check(entry, Console())
    return 1 if failures else 0


def _check(entry: PartInfo, console: Console) -> int:
    from hybrid_swin.network.contract import CHECKS, words_with

    words = list(words_with(entry.kind, entry.name))
    console.print(
        Text.assemble(
            f"{entry.kind} ",
            (entry.name, "bold"),
            f": {len(CHECKS)} checks on {len(words)} block words",
        )
    )
    reported: dict[str, str] = {}  # by what is wrong, the check that has said it
    for check in CHECKS:
        fault = ""
        for word in words:
            try:
                check(word)
            except Exception as error:  # whatever the user's code raises is a finding
                fault = f"{word}: {type(error).__name__}: {error}"
                break
        title = check.__name__.replace("_", " ")
        same = reported.setdefault(fault, title) if fault else title
        console.print(
            Text.assemble(
                "  ",
                ("fails", "red") if fault else ("holds", "green"),
                f"  {title}",
                f" (for the same reason as: {same})" * (same != title),
                f"\n         {fault}" * (bool(fault) and same == title),
            )
        )
    return len(reported)


def _options(entry: PartInfo) -> str:
    return "; ".join(
        f"{o.name}={'required' if o.required else str(o.default).lower()}"
        + (f" ({o.allowed})" if o.choices else "")
        for o in entry.options.values()
    )

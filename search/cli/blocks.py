"""What there is to build with, and whether a user's own part keeps the contract."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import described
from hybrid_swin.spec import registry
from hybrid_swin.spec.options import spell
from hybrid_swin.spec.registry import PartInfo, PartKind
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from search.cli.options import BlocksOptions

_KINDS: tuple[tuple[PartKind, str], ...] = (
    (
        "branch",
        "Branches: token mixers, joined by + in a block word; window_size=7 or 7x9 with those that "
        "have windows",
    ),
    (
        "fusion",
        "Fusions: how branches join, after : in a block word; gate=se, eca or grn with any of them",
    ),
    ("data source", "Data sources: data.source in a study"),
    ("inspection", "Inspections: inspect --only NAME"),
    ("augmentation", "Augmentations: recipe.augmentations, a list of words"),
    ("optimizer", "Optimizers: recipe.optimizer"),
    ("schedule", "Schedules of the learning rate: recipe.schedule"),
)

_CHECKED_BY = {
    "data source": "a data source is checked by `run --dry-run`",
    "inspection": "an inspection is checked by `inspect --plugin FILE --only NAME`",
    **dict.fromkeys(
        ("augmentation", "optimizer", "schedule"), "a part of a recipe is checked by a training"
    ),
}


def run(options: BlocksOptions) -> int:
    """List all parts, or check the user's own. Returns the exit code."""
    as_json = options.format == "json"
    if options.check:
        return check_plugins(options.plugin, as_json)
    for plugin in options.plugin:
        registry.add_plugin(plugin)
    if as_json:
        print_json({"parts": _parts()})
    else:
        print_catalogue()
    return 0


def _parts() -> list[dict[str, Any]]:
    """All parts with their options, for programs."""
    entries = [registry.describe(kind, name) for kind, _ in _KINDS for name in registry.names(kind)]
    return [
        {
            "kind": entry.kind,
            "name": entry.name,
            "summary": entry.summary,
            "plugin_hash": entry.plugin_hash or None,
            "options": [
                {
                    "name": option.name,
                    "required": option.required,
                    "default": option.default,
                    "allowed": option.allowed,
                }
                for option in entry.options.values()
            ],
        }
        for entry in entries
    ]


def print_catalogue() -> None:
    """List all parts with their options."""
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


def check_plugins(plugins: Sequence[str], as_json: bool = False) -> int:
    """Run the contract tests on a user's own parts. Returns 0 where all hold, else 1."""
    if not plugins:
        raise InputError("--check tests plug-ins; name at least one with --plugin FILE")
    entries = [registry.add_plugin(plugin) for plugin in plugins]
    checked: list[dict[str, Any]] = []
    for entry in entries:
        if entry.kind in _CHECKED_BY:
            raise InputError(
                f"{entry.file.name}: only branches and fusions have contract tests; "
                f"{_CHECKED_BY[entry.kind]}"
            )
        checked.append({"kind": entry.kind, "name": entry.name, "checks": _check(entry, Console())})
    if as_json:
        print_json({"checked": checked})
    return 0 if all(check["holds"] for part in checked for check in part["checks"]) else 1


def _check(entry: PartInfo, console: Console) -> list[dict[str, Any]]:
    """Run and print each check; gives what they find."""
    from hybrid_swin.network.contract import CHECKS, words_with

    words = list(words_with(entry.kind, entry.name))
    console.print(
        Text.assemble(
            f"{entry.kind} ",
            (entry.name, "bold"),
            f": {len(CHECKS)} checks on {len(words)} block words",
        )
    )
    findings: list[dict[str, Any]] = []
    reported: dict[str, str] = {}  # by what is wrong, the check that has said it
    for check in CHECKS:
        fault = ""
        for word in words:
            try:
                check(word)
            except Exception as error:  # whatever the user's code raises is a finding
                fault = f"{word}: {described(error)}"
                break
        title = check.__name__.replace("_", " ")
        same = reported.setdefault(fault, title) if fault else title
        findings.append({"check": title, "holds": not fault, "fault": fault or None})
        console.print(
            Text.assemble(
                "  ",
                ("fails", "red") if fault else ("holds", "green"),
                f"  {title}",
                f" (for the same reason as: {same})" * (same != title),
                f"\n         {fault}" * (bool(fault) and same == title),
            )
        )
    return findings


def _options(entry: PartInfo) -> str:
    return "; ".join(
        f"{o.name}={'required' if o.required else spell(o.default).lower()}"
        + (f" ({o.allowed})" if o.choices else "")
        for o in entry.options.values()
        if o.name not in entry.common
    )

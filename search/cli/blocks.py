"""What there is to build with, and whether a user's own part keeps the contract."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_swin.errors import InputError, unknown, with_article
from hybrid_swin.errors.plain_text import described
from hybrid_swin.spec import registry
from hybrid_swin.spec.options import spell
from hybrid_swin.spec.registry import PartInfo, PartKind
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
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

# The command that uses a part next, behind the door's name; it checks what has no contract tests.
_NEXT: dict[PartKind, str] = {
    "branch": "cost w_msa+{name}{plugin}",
    "fusion": "cost w_msa+mdta:{name}{plugin}",
    "data source": "run --data.source {name}{plugin} --dry-run",
    "inspection": "inspect swin_t --data noise --only {name}{plugin}",
    "augmentation": "run --recipe.augmentations '[{name}]'{plugin} --dry-run",
    "optimizer": "run --recipe.optimizer {name}{plugin} --dry-run",
    "schedule": "run --recipe.schedule {name}{plugin} --dry-run",
}
_HAVE_TESTS: tuple[PartKind, ...] = ("branch", "fusion")


def run(options: BlocksOptions) -> int:
    """List all parts or those named, or check them. Returns the exit code."""
    as_json = options.format == "json"
    own = [registry.add_plugin(plugin) for plugin in options.plugin]
    if options.check:
        named = [part for name in options.names for part in _parts_called(name)]
        return check_parts([*own, *named], as_json)
    names = options.names or None
    parts = _all_parts() if names is None else [p for name in names for p in _parts_called(name)]
    if as_json:
        print_json({"parts": _for_programs(parts)})
    else:
        print_catalogue(parts, named=names is not None)
    return 0


def _all_parts() -> list[PartInfo]:
    return [registry.describe(kind, name) for kind, _ in _KINDS for name in registry.names(kind)]


def _parts_called(name: str) -> list[PartInfo]:
    """The parts of a name, such as the branch and the schedule ``linear``.

    Raises InputError if there are none.
    """
    parts = _all_parts()
    if name.endswith(".py"):
        raise InputError(f"{name!r} is a file, not a name; give it as --plugin {name}")
    if name not in {part.name for part in parts}:
        raise unknown("part", name, {part.name for part in parts})
    return [part for part in parts if part.name == name]


def _for_programs(parts: Sequence[PartInfo]) -> list[dict[str, Any]]:
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
        for entry in parts
    ]


def print_catalogue(parts: Sequence[PartInfo], named: bool = False) -> None:
    """List parts with their options; of those that the user named, say what to do next."""
    console = Console()
    for kind, title in _KINDS:
        of_kind = [part for part in parts if part.kind == kind]
        if not of_kind:
            continue
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0)
        )
        for heading in ("name", "what it is", "options"):
            table.add_column(heading, header_style="dim")
        for entry in of_kind:
            own = " (plug-in)" if entry.plugin_hash else ""
            table.add_row(entry.name + own, entry.summary, _options(entry))
        console.print(table)
        for entry in of_kind if named else ():
            console.say(f"next: {_next_command(entry)}", style="dim")
        console.print()
    if not named:
        console.print(
            "A word: conv(kernel=7)+w_msa:gate. Where no fusion is named, branches are summed.",
            highlight=False,
        )


def _next_command(part: PartInfo) -> str:
    here, file = Path.cwd(), part.file
    given = file.relative_to(here) if file.is_relative_to(here) else file
    plugin = f" --plugin {shlex.quote(str(given))}" if part.plugin_hash else ""
    return f"{door()} {_NEXT[part.kind].format(name=part.name, plugin=plugin)}"


def check_parts(parts: Sequence[PartInfo], as_json: bool = False) -> int:
    """Run the contract tests on branches and fusions. Returns 0 where all hold, else 1.

    Raises InputError for no parts, and for a part that has no such tests.
    """
    if not parts:
        raise InputError("--check tests a part; give its name, or your own file by --plugin FILE")
    tested = [part for part in parts if part.kind in _HAVE_TESTS]
    for part in parts:
        if part.name in {one.name for one in tested}:
            continue
        raise InputError(
            f"{part.name} is {with_article(part.kind)}, and only branches and fusions have "
            f"contract tests; a training checks it: {_next_command(part)}"
        )
    checked: list[dict[str, Any]] = [
        {"kind": part.kind, "name": part.name, "checks": _check(part, Console())} for part in tested
    ]
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

"""What a comparison would do, before it does it: trainings, time, costs, and what it can show."""

import dataclasses
import tempfile

from rich.table import Table

from hybrid_swin.system.console import Console
from search.comparison.design.plan import ComparisonPlan, PlannedArm
from search.execution.workers import start_workers
from search.launch.comparison import check, prepare, say_cells, say_unused_plugins
from search.launch.pilot import print_resolution, run_pilots, shortened
from search.records.looks import read_looks
from search.records.runs import RunResult, RunSpec
from search.records.study_folder import check_folder
from search.reporting.terminal import duration
from search.settings.comparison import ComparisonSettings
from search.statistics.undertraining import FEWEST_EPOCHS
from search.study.looks import level_at, seeds_looked_at

_WIDE = 110  # columns of a terminal that leave room for what was moved


def rehearse(settings: ComparisonSettings, console: Console) -> None:
    """Print what a comparison would train, its time by timed pilots, and what it could show.

    Nothing is left behind.

    Raises:
        InputError: what the comparison itself would refuse.
    """
    check_folder(settings)
    plan, _ = check(settings)
    with tempfile.TemporaryDirectory(prefix="hybrid-swin-") as temporary:
        rehearsal = dataclasses.replace(
            plan, settings=dataclasses.replace(settings, folder=temporary)
        )
        rehearsal.settings.path.mkdir()
        with start_workers(settings=rehearsal.settings) as executor:
            prepared = prepare(rehearsal)
            say_cells(prepared.data, console)
            say_unused_plugins(settings, console)
            print_arms(plan, console)
            _print_trainings(plan, console)
            pilots = _pilots(rehearsal)
            console.print(f"timing {len(pilots)} pilot trainings ...", style="dim")
            results = run_pilots(rehearsal.settings, executor, prepared.job_settings, pilots)
        _print_time(plan, pilots, results, executor.slots, console)
    images = [data["independent"]["test"] for data in prepared.data.values() if data]
    grouped = any(data and data["groups"] for data in prepared.data.values())
    questions = len({pair for entry in plan.entries for pair in _questions(plan, entry)})
    short = sorted({r.epochs for e in plan.entries for r in e.recipes if r.epochs < FEWEST_EPOCHS})
    if short:
        console.print(
            f"epochs     {short[0]} do not tell whether training had ended, so nothing would be "
            f"concluded; give recipe.epochs at least {FEWEST_EPOCHS}",
            style="yellow",
            highlight=False,
        )
    looked = seeds_looked_at(read_looks(settings.path), plan.seeds)
    print_resolution(
        plan.seeds,
        "seeds",
        min(images, default=None),
        console,
        questions,
        monitor=settings.objective.monitor,
        level=level_at(plan.planned or settings.looks, looked),
        grouped=grouped,
    )


def print_arms(plan: ComparisonPlan, console: Console) -> None:
    """The matched networks of the first cell: what its factors change, others change alike."""
    first = plan.entries[0].cell.name
    if len(plan.cells) > 1:
        console.print(f"in the first of {len(plan.cells)} cells, {first}:", highlight=False)
    for matching in plan.settings.match.by:
        table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
        table.add_column(f"matched by {matching}", overflow="fold")
        for name in ("parameters", "", "MACs", ""):
            table.add_column(name, justify="right", no_wrap=True)
        if console.width >= _WIDE:
            table.add_column("moved")
        for entry in plan.entries:
            if (entry.cell.name, entry.matching) == (first, matching):
                table.add_row(*_cells(entry)[: len(table.columns)])
        console.print(table)


def _cells(entry: PlannedArm) -> tuple[str, ...]:
    return (
        entry.arm,
        f"{entry.cost.parameters:,}",
        _percent(entry.residuals.get("parameters")),
        f"{entry.cost.macs:,}",
        _percent(entry.residuals.get("macs")),
        entry.adjuster,
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"


def _print_trainings(plan: ComparisonPlan, console: Console) -> None:
    chosen, final = plan.trainings()
    rates = ", ".join(f"{recipe.learning_rate:g}" for recipe in plan.entries[0].recipes)
    anew = "once" if plan.settings.choose_rate == "once" else "anew for each seed"
    choice = f"{chosen} to choose learning rates ({rates}) {anew}, then " if chosen else ""
    console.print(
        f"trainings  {choice}{final} over {plan.seeds} paired seeds: {chosen + final} in "
        f"all, for {len({e.arm for e in plan.entries})} arms in {len(plan.cells)} cell(s)",
        highlight=False,
    )


def _pilots(plan: ComparisonPlan) -> list[RunSpec]:
    """The networks of the lowest and the highest cost, by MACs."""
    by_macs = sorted(plan.entries, key=lambda entry: entry.cost.macs)
    chosen = {e.candidates[0]: e for e in (by_macs[0], by_macs[-1])}
    return [shortened(plan.final(entry, 0, 0)) for entry in chosen.values()]


def _print_time(
    plan: ComparisonPlan,
    pilots: list[RunSpec],
    results: list[RunResult],
    slots: int,
    console: Console,
) -> None:
    """Pilot seconds, scaled by each network's MACs and epochs."""
    rates = [
        r.seconds["fit"] / r.epochs / s.cost["macs"] for s, r in zip(pilots, results, strict=True)
    ]
    around = max(r.seconds["total"] - r.seconds["fit"] for r in results)
    total, seen = 0.0, set()
    for entry in plan.entries:
        for rate, candidate in enumerate(entry.candidates):
            if candidate in seen:
                continue
            seen.add(candidate)
            runs = len(plan.selections(entry, rate)) + plan.seeds / len(entry.recipes)
            one = max(rates) * entry.cost.macs * entry.recipes[rate].epochs + around
            total += runs * one
    console.print(
        f"time       about {duration(total / slots)} on {slots} workers, by the slower of "
        f"{len(pilots)} pilots",
        highlight=False,
    )


def _questions(plan: ComparisonPlan, entry: PlannedArm) -> list[tuple[str, ...]]:
    """The differences that are asked of an entry, as pairs of candidates."""
    here = {
        other.arm: other.candidates[0]
        for other in plan.entries
        if (other.cell.name, other.matching) == (entry.cell.name, entry.matching)
    }
    others = [*([entry.against] if entry.against else []), *entry.controls.values()]
    return [(entry.candidates[0], here[name]) for name in others]

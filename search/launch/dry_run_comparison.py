"""What a comparison would do, before it does it: trainings, time, costs, and what it can show."""

import dataclasses
from typing import Any

from rich.table import Table

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from search.comparison.design.matched_arms import PlannedArm
from search.comparison.design.plan import ComparisonPlan
from search.launch.comparison import (
    check,
    notes_of,
    prepare,
    say_cells,
    say_notes,
)
from search.launch.hours.comparison import (
    comparison_work,
    pilots_pace,
    questions_of,
    split_sizes_of,
)
from search.launch.hours.pilots import pilot_workers
from search.launch.resolution import print_resolution
from search.launch.starts.comparison import start_lines
from search.launch.starts.first_weights import normalised_as_weights
from search.records.looks import read_looks
from search.records.study_folder import check_folder
from search.settings.comparison import ComparisonSettings
from search.statistics.formatting import count_text, counted, seconds_text
from search.statistics.undertraining import FEWEST_EPOCHS
from search.study.looks import level_at, seeds_looked_at

_WIDE = 110  # columns of a terminal that leave room for what was moved


def rehearse(settings: ComparisonSettings, console: Console) -> dict[str, Any]:
    """Print what a comparison would train, its time by timed pilots, and what it could show.

    Gives the same for programs. Nothing is left behind. Raises InputError for what the comparison
    itself would refuse.
    """
    settings = normalised_as_weights(settings)
    check_folder(settings)
    plan, _ = check(settings)
    with pilot_workers(settings, console, keep_images=False) as workers:
        prepared = prepare(dataclasses.replace(plan, settings=workers.settings))
        say_cells(prepared.data, console)
        say_notes(plan, console)
        for line in start_lines(plan):
            console.print(f"start      {line}", highlight=False)
        print_arms(plan, console)
        bundled = _bundled(plan)
        if bundled:
            console.print(f"recipes    {bundled}", highlight=False)
        _print_trainings(plan, console)
        pace = pilots_pace(prepared, workers)
    work = comparison_work(plan, pace, split_sizes_of(prepared))
    seconds = work.seconds(plan.seeds, pace.slots)
    console.print(
        f"time       about {seconds_text(seconds)} on {counted(pace.slots, 'worker')}, by timed "
        "pilots",
        highlight=False,
    )
    images = [data["independent"]["test"] for data in prepared.data.values() if data]
    grouped = any(data and data["groups"] for data in prepared.data.values())
    questions = questions_of(plan)
    short = sorted({r.epochs for e in plan.entries for r in e.recipes if _leaves_open(r)})
    notes = [*notes_of(plan), *([f"recipes: {bundled}"] if bundled else [])]
    if short:
        note = (
            f"{short[0]} do not tell whether training had ended, so nothing would be concluded; "
            f"give recipe.epochs at least {FEWEST_EPOCHS}"
        )
        notes.append(f"epochs: {note}")
        console.print(f"epochs     {note}", style="yellow", highlight=False)
    looked = seeds_looked_at(read_looks(settings.path), plan.seeds)
    resolution = print_resolution(
        plan.seeds,
        "seeds",
        min(images, default=None),
        console,
        questions,
        monitor=settings.objective.monitor,
        level=level_at(plan.planned or settings.looks, looked),
        grouped=grouped,
    )
    chosen, final = plan.trainings()
    return {
        "kind": "comparison",
        "name": settings.name,
        "folder": str(settings.path),
        "images": prepared.data,
        "arms": [_arm(entry) for entry in plan.entries],
        **({"start": start_lines(plan)} if plan.init.file else {}),
        "seeds": plan.seeds,
        "runs": {"rates": chosen, "arms": final, "total": chosen + final},
        "notes": notes,
        "workers": pace.slots,
        "seconds": seconds,
        "resolution": resolution,
    }


def _bundled(plan: ComparisonPlan) -> str:
    """Which values of the recipe differ between cells, if several do: a preset sets many."""
    arm = plan.entries[0].arm
    recipes = [entry.recipes[0].to_dict() for entry in plan.entries if entry.arm == arm]
    names = list(dict.fromkeys(name for recipe in recipes for name in recipe))
    differing = [n for n in names if any(r.get(n) != recipes[0].get(n) for r in recipes)]
    if len(differing) < 2:
        return ""
    return f"cells differ in {', '.join(differing)}: their effects cannot be told apart"


def _leaves_open(recipe: Recipe) -> bool:
    """Whether it will not be told that training had ended, neither by its curve nor by its rule."""
    return recipe.epochs < FEWEST_EPOCHS and not 0 < recipe.early_stopping < recipe.epochs


def _arm(entry: PlannedArm) -> dict[str, Any]:
    return {
        "cell": entry.cell.name,
        "matching": entry.matching,
        "arm": entry.arm,
        **entry.cost.to_dict(),
        **{f"{name}_relative": share for name, share in entry.residuals.items()},
        "adjuster": entry.adjuster,
    }


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
        f"{count_text(entry.cost.parameters)}",
        _percent(entry.residuals.get("parameters")),
        f"{count_text(entry.cost.macs)}",
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
    arms, cells = len({e.arm for e in plan.entries}), len(plan.cells)
    where = f" in each of {cells} cells" if cells > 1 else ""
    console.print(
        f"trainings  {choice}{final} for {counted(arms, 'arm')}{where} over {plan.seeds} paired "
        f"seeds: {chosen + final} in all",
        highlight=False,
    )

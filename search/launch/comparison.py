"""From settings to a finished comparison: everything is checked before anything is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybrid_swin.cost.at_test_size import notes_at_test_size
from hybrid_swin.spec import registry
from hybrid_swin.spec.augmentation_checks import augmentation_notes
from hybrid_swin.spec.idle_fields import idle_fields
from hybrid_swin.system.console import Console
from search.comparison.design.claims import check_claims
from search.comparison.design.clashes import preset_clashes
from search.comparison.design.latency_match import LatencyMatch
from search.comparison.design.plan import ComparisonPlan, make_plan
from search.comparison.design.plan_file import PLAN_FILE, read_plan_file, write_plan
from search.comparison.older import note_choice
from search.comparison.report.files import write_report
from search.comparison.results.comparison import Comparison
from search.comparison.schedule import Schedule
from search.execution.bound_images import BoundImages
from search.execution.workers import common_job_settings, say_data
from search.launch.hours.time_plan import of_hours
from search.launch.opening import say_opening
from search.launch.session import Prepared, Session, read_images
from search.launch.starts.comparison import arm_follower, check_start, say_start
from search.launch.starts.first_weights import (
    about_first_weights,
    find_first_weights,
    normalised_as_weights,
)
from search.records.identity import derive_seed
from search.records.looks import Look, read_looks, record_look
from search.records.receipt import about_data
from search.records.study_folder import adopt_modules, adopt_plugins, has_begun
from search.settings.comparison import ComparisonSettings
from search.settings.preset_levels import preset_notes
from search.settings.unused_plugins import unused_plugins
from search.statistics.formatting import counted
from search.study.candidates import check_objective
from search.study.deadline import TimePlan
from search.study.looks import next_target, note_older_look


@dataclass(frozen=True)
class PreparedComparison(Prepared):
    """A comparison that can begin."""

    plan: ComparisonPlan  # what it trains
    # by a cell's name what ``about_data`` says; empty for a data module of the user's own. The
    # images themselves are let go of: only workers need them
    data: dict[str, dict[str, Any]]


def check(settings: ComparisonSettings) -> tuple[ComparisonPlan, LatencyMatch | None]:
    """Check all that needs no images, and match costs; by the clock where that is asked for.

    A comparison that has begun keeps the plan that it began with; no clock is needed then. Raises
    InputError for the first thing that cannot work.
    """
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    settings.data.validate()
    first_weights = find_first_weights(settings)
    plan, clock = read_plan_file(settings.path, settings, first_weights), None
    if plan is None:
        clock = LatencyMatch(settings, settings.path) if "latency" in settings.match.by else None
        init = settings.first_weights
        follow = arm_follower(first_weights) if init and init.follow_source else None
        plan = make_plan(settings, clock, first_weights, follow)
    plan = replace(plan, target=next_target(settings.looks, read_looks(settings.path)))
    check_claims(settings, plan.entries)
    check_objective(settings, plan.entries[0].variant.num_classes)
    check_start(plan)
    return plan, clock


def notes_of(plan: ComparisonPlan) -> list[str]:
    """What no arm uses, what is hardly meant, and what an image costs at each size of tests.

    A sentence each. The costs are those of the first arm that is tested at a size.
    """
    idle = idle_fields(entry.variant for entry in plan.entries)
    overdone = (augmentation_notes(entry.variant, entry.recipes[:1]) for entry in plan.entries)
    of_size: dict[int | None, list[str]] = {}
    for entry in plan.entries:
        recipe = entry.recipes[0]
        if recipe.test_image_size not in of_size:
            of_size[recipe.test_image_size] = notes_at_test_size(entry.variant, [recipe])
    return [
        *unused_plugins(plan.settings),
        *preset_notes(plan.settings.recipe, plan.settings.changes),
        *preset_clashes(plan.settings.factors, plan.settings.arms),
        *idle,
        *dict.fromkeys(note for notes in (*overdone, *of_size.values()) for note in notes),
    ]


def say_notes(plan: ComparisonPlan, console: Console) -> None:
    """Print them."""
    for note in notes_of(plan):
        console.say(note, style="yellow")


def prepare(plan: ComparisonPlan) -> PreparedComparison:
    """Read the images of every cell and adopt the plug-ins.

    Raises InputError for images that cannot be used, or a plug-in that changed since it began.
    """
    settings = plan.settings
    plugins = adopt_plugins(settings.plugins, settings.path)
    modules = adopt_modules([cell.data.class_path for cell in plan.cells], settings.path)
    data: dict[str, dict[str, Any]] = {}
    images: list[BoundImages] = []
    hashes = {"init": plan.init.hash} if plan.init.hash else {}
    for cell in plan.cells:
        entry = next(entry for entry in plan.entries if entry.cell.name == cell.name)
        variant, recipes = entry.variant, entry.recipes
        data[cell.name] = about = about_data(read_images(settings, cell.data, variant, recipes))
        images += BoundImages.of(cell.data, variant, about)
        for name in ("data_hash", "split_hash") if about else ():
            hashes[f"{name} {cell.name}".strip()] = about[name]
    job = common_job_settings(settings, plan.entries[0].variant, plugins, modules=modules)
    if plan.init.file:
        job["init_hash"] = plan.init.hash
    return PreparedComparison(hashes, plugins, modules, job, images, plan, data)


def launch_comparison(
    settings: ComparisonSettings,
    console: Console,
    receipt: Mapping[str, Any] | None = None,
    show: Callable[[Comparison], None] = lambda comparison: None,
    time_plan: TimePlan | None = None,
) -> Comparison:
    """Begin a comparison or go on with it; arguments and errors are those of `launch_study`."""
    settings = normalised_as_weights(settings)
    session = Session(settings, console, receipt)
    plan, clock = check(settings)
    folder = settings.path
    with session.opened():
        prepared = prepare(plan)
        note_choice(settings, folder)
        session.bind(prepared, {})
        say_notes(plan, console)
        say_start(plan, console)
        if clock is not None:
            clock.save(folder)
        if not has_begun(folder) or not (folder / PLAN_FILE).exists():
            looked = note_older_look(folder)
            plan = replace(plan, planned=looked or settings.looks)
            plan = replace(plan, target=next_target(settings.looks, read_looks(folder)))
            prepared = replace(prepared, plan=plan)
            write_plan(plan, folder)
        decided = time_plan.limit.seeds if time_plan else 0
        if decided:  # in an earlier start
            plan = replace(plan, target=min(plan.seeds, decided))
        say_opening(settings, next(iter(prepared.data.values())), _words(plan, time_plan), console)
        say_other_cells(prepared.data, console)
        work = session.begin(sum(plan.trainings()), time_plan)
        loop = Schedule(plan, work.dispatcher, work.view, work.slots, work.deadline)

        def write() -> Comparison:
            trained = replace(plan, target=loop.seeds)
            if work.deadline is not None and len(settings.looks) == 1:
                session.settle(replace(settings, seeds=loop.seeds))
            comparison = Comparison.from_folder(folder, trained)
            write_report(comparison, trained, folder)
            if not comparison.pending:
                record_look(folder, Look(trained.seeds, settings.looks[-1], "compare"))
            return comparison

        def about() -> dict[str, Any]:
            return _about(replace(prepared, plan=replace(plan, target=loop.seeds)))

        return session.finish(loop.run, write, about, show)


def _words(plan: ComparisonPlan, time_plan: TimePlan | None) -> str:
    """What is to be trained, in a line."""
    chosen, final = plan.trainings()
    choice = f"{chosen} trainings choose learning rates, " if chosen else ""
    return (
        f"{counted(len({entry.arm for entry in plan.entries}), 'arm')} over {plan.seeds} paired "
        f"seeds: {choice}{chosen + final} trainings in all{of_hours(time_plan)}"
    )


def say_cells(data: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Say what was understood of the images of the first cell; the receipt has those of all."""
    say_data(next(iter(data.values())), console)
    say_other_cells(data, console)


def say_other_cells(data: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Say whether other cells have the images of the first one."""
    (name, first), *others = data.items()
    if not others:
        return
    unlike = [about for _, about in others if not first or _images_of(about) != _images_of(first)]
    if not unlike:
        console.print(f"these are the images of all {len(data)} cells", highlight=False)
        return
    left_out = sum(len(about.get("left_out", ())) for about in unlike)
    which = "the other cell" if len(others) == 1 else f"each of {len(others)} other cells"
    if len(unlike) < len(others):
        which = f"{len(unlike)} of {len(others)} other cells"
    has = "has its own" if len(unlike) == len(others) else "have their own"
    console.print(
        f"these are the images of {name}; {which} {has}"
        + f" ({counted(left_out, 'file')} left out)" * (left_out > 0),
        highlight=False,
    )


def _images_of(about: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes images and splits the same."""
    return about.get("data_hash"), about.get("split_hash")


def _about(prepared: PreparedComparison) -> dict[str, Any]:
    """What the receipt says of a comparison beside what it says of every experiment."""
    settings = prepared.plan.settings
    chosen, final = prepared.plan.trainings()
    return {
        "seeds": {
            "comparison": settings.seed,
            "selection": _selection_seeds(prepared.plan),
            "final": [derive_seed(settings.seed, "final", i) for i in range(prepared.plan.seeds)],
        },
        "data": prepared.data,
        **about_first_weights(settings, prepared.plan.init),
        "trainings": {"for_learning_rates": chosen, "over_seeds": final},
    }


def _selection_seeds(plan: ComparisonPlan) -> list[int]:
    """Of the trainings that choose learning rates, which all arms share."""
    entry = plan.entries[0]
    seeds = [
        spec.seed
        for seed in range(plan.seeds)
        for rate in range(len(entry.recipes))
        for spec in plan.selection(entry, rate, seed)
    ]
    return list(dict.fromkeys(seeds))

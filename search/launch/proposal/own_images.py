"""`--images`: from a folder to settings that fit the hours, by rules and a timed pilot."""

import dataclasses
import shlex

from hybrid_swin.cost import count_cost
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.execution.workers import common_job_settings, image_cache
from search.launch.hours.pilots import SplitSizes, pilot_workers
from search.launch.hours.time_plan import Clock
from search.launch.hours.wall_time import CLOSING, too_long
from search.launch.proposal.begin_file import check_not_edited, write_begin_file
from search.launch.proposal.choice import Kind, choose, least, seconds_of, training_seconds
from search.launch.proposal.content import comparison_content, data_of, study_content
from search.launch.proposal.images import ImageCounts, load_counts, look_at
from search.launch.proposal.network import BASELINES, NetworkSize, network_sizes
from search.launch.proposal.presets import Preset
from search.launch.proposal.recipe import batch_size
from search.launch.proposal.words import COMMANDS, Measured, file_head, reasons, resolution
from search.records.proposal import proposal_of
from search.records.runs import RunSpec
from search.records.time_limit import TimeLimit
from search.settings.experiment import ExperimentSettings
from search.study.deadline import FEWEST_SEEDS, TimePlan

_QUESTIONS = 11  # differences of the default arms to the first one, and to their controls
_NARROWEST = {"study": 16, "comparison": 24}  # below 24, widths are too coarse to match costs


def propose(
    kind: Kind,
    images: str,
    clock: Clock,
    preset: Preset,
    base: ExperimentSettings,
    console: Console,
    command: str,
) -> TimePlan:
    """Look at the images, time a pilot, settle all settings, write and say them; gives the plan.

    ``base`` has the name, folder and workers; ``command`` was typed, for the file's head. Raises
    InputError for images that cannot be used, or hours in which even the least does not fit.
    """
    go_on = f"{door()} {COMMANDS[kind]} --config"
    check_not_edited(base.path, go_on)
    measured = _measure(kind, images, clock, preset, base, console)
    pace = measured.pace
    seconds = seconds_of(kind, pace, measured.counts, preset)
    choice = choose(measured.networks, preset, seconds, clock.to_plan(pace.start))
    if choice is None:
        needed = seconds(least(measured.networks, preset)) + clock.gone
        needed += pace.start + CLOSING
        instead = "--preset quick" if preset.name == "careful" else "a settings file of your own"
        raise too_long(f"a {kind} of these images", needed, clock.hours, instead)
    about = base.name, measured.sizes, measured.counts, choice, preset
    content = study_content(*about, pace.slots) if kind == "study" else comparison_content(*about)
    planned = seconds(choice) + pace.start + CLOSING
    lines = reasons(kind, measured, choice, preset, planned, clock.hours)
    questions = len(BASELINES) + preset.top - 1 if kind == "study" else _QUESTIONS
    lines.append(("resolution", resolution(choice.seeds, measured.counts, questions)))
    head = file_head(kind, base, command, measured, lines)
    proposal = proposal_of(images, base.path, preset.name)
    file = write_begin_file(base.path, content, head, proposal, go_on)
    for heading, text in lines:
        console.say(f"{heading:<11}{text}")
    console.say(
        f"{'settings':<11}{file}; to change some, edit it and go on with "
        f"`{go_on} {shlex.quote(str(file))}`"
    )
    search, final = training_seconds(kind, pace, measured.counts, choice)
    trials = choice.trials if kind == "study" else 0
    return TimePlan(
        TimeLimit(clock.hours, trials, choice.seeds, pace=pace.to_dict()),
        clock.ends,
        planned,
        search,
        final,
        least_trials=min(trials, 2 * pace.slots),
        least_seeds=FEWEST_SEEDS,
    )


def _measure(
    kind: Kind,
    images: str,
    clock: Clock,
    preset: Preset,
    base: ExperimentSettings,
    console: Console,
) -> Measured:
    sizes = look_at(images)
    shape = network_sizes(sizes, 2, preset.largest, preset.widest)[0].image_size
    with pilot_workers(base) as workers:
        cache = image_cache(workers.settings)
        console.print(f"reading the images of {images} ...", style="dim")
        data = DataSettings.from_dict(data_of(sizes))
        counts = load_counts(data, shape, sizes.channels, cache)
        everything = counts.train + counts.validation + counts.test
        data = DataSettings.from_dict(data_of(sizes, everything))
        counts = load_counts(data, shape, sizes.channels, cache)
        found = network_sizes(sizes, counts.classes, preset.largest, preset.widest)
        networks = [n for n in found if n.width >= _NARROWEST[kind]]
        settings = dataclasses.replace(workers.settings, data=data)
        runs = [_pilot(network, counts) for network in (networks[0], networks[-1])]
        split = SplitSizes(counts.train, counts.validation, counts.test)
        console.print("timing pilot trainings ...", style="dim")
        job = common_job_settings(settings, networks[0].variant(), {})
        pace = workers.pace(runs, data, split, job, clock.hours)
    return Measured(sizes, counts, networks, pace)


def _pilot(network: NetworkSize, counts: ImageCounts) -> RunSpec:
    variant, batch = network.variant(), batch_size(counts.train)
    recipe = Recipe(epochs=5, batch_size=batch, warmup_epochs=1)
    return RunSpec(
        study="pilot",
        key="",
        kind="trial",
        stage="search",
        label="pilot",
        variant=variant.to_dict(),
        recipe=recipe.to_dict(),
        variant_id=variant.id,
        candidate_id=variant.id,
        seed=0,
        cost=count_cost(variant).to_dict(),
    )

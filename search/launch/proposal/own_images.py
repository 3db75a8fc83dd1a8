"""`--images`: from a folder to settings that fit the hours, by rules and a timed pilot."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid_swin.cost import count_cost
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from hybrid_swin.system.schema import build_settings
from search.execution.workers import common_job_settings, image_cache
from search.launch.comparison import check
from search.launch.hours.comparison import questions_of
from search.launch.hours.pilots import SplitSizes, pilot_workers
from search.launch.hours.time_plan import Clock
from search.launch.hours.wall_time import CLOSING, too_long
from search.launch.proposal.begin_file import check_not_edited, write_begin_file
from search.launch.proposal.choice import Choice, Kind, choose, least, seconds_of, training_seconds
from search.launch.proposal.content import comparison_content, data_of, study_content
from search.launch.proposal.images import ImageCounts, check_no_others, load_counts, look_at
from search.launch.proposal.network import NetworkSize, network_sizes
from search.launch.proposal.presets import Preset
from search.launch.proposal.recipe import batch_size
from search.launch.proposal.words import Measured, config_command, file_head, go_on, reasons
from search.launch.resolution import resolution_text
from search.records.proposal import proposal_of
from search.records.runs import RunSpec
from search.records.time_limit import TimeLimit
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.study import BudgetSettings, StudySettings
from search.space.budget import limits
from search.study.deadline import FEWEST_SEEDS, TimePlan

_NARROWEST = {"study": 16, "comparison": 24}  # below 24, widths are too coarse to match costs


@dataclass(frozen=True)
class Suggestion:
    """Settings that suit the images and the hours; nothing is written or said yet."""

    kind: Kind
    images: str
    preset: Preset
    measured: Measured  # what it rests on
    choice: Choice  # what the clock decided
    content: dict[str, Any]  # the settings, without those of the command line
    plan: TimePlan

    def write(
        self,
        settings: StudySettings | ComparisonSettings,
        content: Mapping[str, Any],
        command: str,
        plan: TimePlan,
        console: Console,
    ) -> dict[str, Any]:
        """Say what was settled, and write it to the file to go on from; gives all that is said.

        Args:
            settings: the proposal's, with those of the command line.
            content: the same as plain values.
            command: that was typed, for the file's head.
            plan: for the hours.
            console: for the user.
        """
        about = self.choice, self.preset, plan.seconds, plan.limit.hours
        lines = reasons(settings, self.measured, *about)
        lines.append(("resolution", _resolution(settings, self.measured)))
        head = file_head(self.kind, settings, command, self.measured, lines)
        file, changes = write_begin_file(
            settings.path,
            content,
            head,
            proposal_of(self.images, settings.path, self.preset.name),
            config_command(self.kind),
        )
        for heading, text in lines:
            console.say(f"{heading:<11}{text}")
        if changes:
            console.say(f"{'changed':<11}{changes}", style="yellow")
        command = go_on(self.kind, settings)
        console.say(f"{'settings':<11}{file}; to change some, edit it and go on with `{command}`")
        return {
            "kind": self.kind,
            "name": settings.name,
            "folder": str(settings.path),
            "file": str(file),
            "go_on": command,
            "changed": changes or None,
            "reasons": dict(lines),
            "workers": self.measured.pace.slots,
            "seconds": plan.seconds,
            "settings": dict(content),
        }


def propose(
    kind: Kind,
    images: str,
    clock: Clock,
    preset: Preset,
    base: ExperimentSettings,
    given: Mapping[str, Any],
    console: Console,
) -> Suggestion:
    """Look at the images, time a pilot and choose all settings.

    ``base`` has the name, folder and workers; ``given`` are the settings of the command line.

    Raises:
        InputError: images that cannot be used, or hours in which even the least does not fit.
    """
    check_no_others(given)
    check_not_edited(base.path, config_command(kind))
    preset = preset.adapted(given)
    measured = _measure(kind, images, clock, preset, base, given, console)
    pace = measured.pace
    seconds = seconds_of(kind, pace, measured.counts, preset, given)
    choice = choose(measured.networks, preset, seconds, clock.to_plan(pace.start), given)
    if choice is None:
        needed = seconds(least(measured.networks, preset, given)) + clock.gone
        needed += pace.start + CLOSING
        instead = "--preset quick" if preset.name == "careful" else "a settings file of your own"
        raise too_long(f"a {kind} of these images", needed, clock.hours, instead)
    about = base.name, measured.sizes, measured.counts, choice, preset
    content = study_content(*about, pace.slots) if kind == "study" else comparison_content(*about)
    planned = seconds(choice) + pace.start + CLOSING
    search, final = training_seconds(kind, pace, measured.counts, choice)
    trials = choice.trials if kind == "study" else 0
    plan = TimePlan(
        TimeLimit(clock.hours, trials, choice.seeds, pace=pace.to_dict()),
        clock.ends,
        planned,
        search,
        final,
        least_trials=min(trials, 2 * pace.slots),
        least_seeds=FEWEST_SEEDS,
    )
    return Suggestion(kind, images, preset, measured, choice, content, plan)


def _resolution(settings: StudySettings | ComparisonSettings, measured: Measured) -> str:
    counts = measured.counts
    unit = "groups of test images" if counts.groups else "test images"
    if isinstance(settings, StudySettings):
        arms = 2 if settings.sampler.random_search else 1
        seeds = max(settings.finalists.looks)
        questions = len(settings.baselines) + arms * settings.finalists.top - 1
    else:
        seeds, questions = max(settings.looks), questions_of(check(settings)[0])
    return resolution_text(seeds, counts.tested, questions, unit=unit)


def _measure(
    kind: Kind,
    images: str,
    clock: Clock,
    preset: Preset,
    base: ExperimentSettings,
    given: Mapping[str, Any],
    console: Console,
) -> Measured:
    sizes = look_at(images)
    shape = _given_shape(given)
    wanted = dataclasses.replace(sizes, size=shape, fixed=True) if shape else sizes
    shape = network_sizes(wanted, 2, preset.largest, preset.widest)[0].image_size
    sizes = sizes.fitted(shape)
    with pilot_workers(base, console) as workers:
        cache = image_cache(workers.settings)
        console.print(f"reading the images of {images} ...", style="dim")
        data = DataSettings.from_dict(data_of(sizes))
        counts = load_counts(data, shape, sizes.channels, cache)
        everything = counts.train + counts.validation + counts.test
        data = DataSettings.from_dict(data_of(sizes, everything))
        counts = load_counts(data, shape, sizes.channels, cache)
        networks = network_sizes(wanted, counts.classes, preset.largest, preset.widest)
        networks = [n for n in networks if n.width >= _NARROWEST[kind]]
        if isinstance(base, StudySettings) and "budget" in given:
            within = limits(build_settings(BudgetSettings, given["budget"]))
            networks = [n for n in networks if n.fits(within)] or networks[-1:]
        settings = dataclasses.replace(workers.settings, data=data)
        runs = [_pilot(network, counts) for network in (networks[0], networks[-1])]
        split = SplitSizes(counts.train, counts.validation, counts.test)
        job = common_job_settings(settings, networks[0].variant(), {})
        pace = workers.pace(runs, data, split, job, clock.hours)
    return Measured(sizes, counts, networks, pace)


def _given_shape(given: Mapping[str, Any]) -> tuple[int, int] | None:
    """The network's image size of the command line."""
    match given.get("variant", {}).get("image_size"):
        case int(side):
            return side, side
        case [int(height), int(width)]:
            return height, width
    return None


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

"""The size of the network and the numbers of steps, trials and seeds that fit the time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

from search.launch.hours.pace import Pace
from search.launch.hours.wall_time import ComparisonWork, StudyWork
from search.launch.proposal.images import ImageCounts
from search.launch.proposal.network import BASELINES, NetworkSize
from search.launch.proposal.presets import Preset, Span
from search.launch.proposal.recipe import Schedule, schedule
from search.settings.study import RungSettings, SamplerSettings, StudySettings
from search.study.expected_runs import full_trainings

Kind = Literal["study", "comparison"]

ARMS = 6  # of a comparison that names none
_SHARES = (0.25, 0.5, 0.75, 1.0)  # of the way from wanted to most


@dataclass(frozen=True)
class Choice:
    """What a proposal settles by the clock."""

    network: NetworkSize  # its size
    steps: int  # of one training
    trials: int  # of a study
    seeds: int  # of each finalist or arm
    given: Mapping[str, Any] = field(default_factory=dict)  # settings of the command line

    def schedule(self, train: int) -> Schedule:
        """How long a training on so many images is."""
        return schedule(train, self.steps, self.given)


Seconds = Callable[[Choice], float]


def rungs_of(epochs: int, preset: Preset) -> RungSettings:
    """Trials are first judged after a ninth of their epochs, then after a third.

    Source: A System for Massively Parallel Hyperparameter Tuning, 2018,
    https://arxiv.org/abs/1810.05934 (a factor of 3 or 4)
    """
    return RungSettings(first=max(2, epochs // 9), factor=3, audit=preset.audit)


def sampler_of(trials: int, slots: int, preset: Preset) -> SamplerSettings:
    """Twice as many trials under way as workers, so that none waits; a third of all at random.

    Where few trials are known when the next is asked for, a sampler can learn little.
    """
    return SamplerSettings(
        startup_trials=min(SamplerSettings.startup_trials, max(2, trials // 3)),
        lookahead=2 * slots,
        random_search=preset.random_search,
    )


def training_seconds(
    kind: Kind, pace: Pace, counts: ImageCounts, choice: Choice
) -> tuple[float, float]:
    """What a training of the search takes, and one of a finalist or arm."""
    plan, network = choice.schedule(counts.train), choice.network
    macs = network.most_macs if kind == "study" else network.macs
    size = plan.epochs, plan.epoch_images, counts.validation
    return pace.training(macs, *size), pace.training(macs, *size, counts.test)


def seconds_of(
    kind: Kind, pace: Pace, counts: ImageCounts, preset: Preset, given: Mapping[str, Any]
) -> Seconds:
    """What a study or comparison takes from its first training to its last, by its numbers.

    ``given`` are the settings of the command line, which say how many baselines or arms there are.
    """
    baselines = len(given.get("baselines", BASELINES))
    cells = prod(len(levels) for levels in given.get("factors", {}).values())
    ways = len(given.get("match", {}).get("by", ("macs",)))
    arms = len(given.get("arms") or range(ARMS)) * cells * ways

    def of_study(choice: Choice) -> float:
        trial, final = training_seconds(kind, pace, counts, choice)
        epochs = choice.schedule(counts.train).epochs
        settings = StudySettings(rungs=rungs_of(epochs, preset))
        work = StudyWork(
            trial=trial,
            baselines=baselines * trial,
            final=final,
            final_baselines=baselines * final,
            worth=lambda trials: full_trainings(settings, trials, epochs),
            audits=preset.audit,
            arms=2 if preset.random_search else 1,
            top=preset.top,
            means=preset.random,
        )
        return work.seconds(choice.trials, choice.seeds, pace.slots)

    def of_comparison(choice: Choice) -> float:
        train, final = training_seconds(kind, pace, counts, choice)
        rates = len(preset.learning_rates)
        selection = rates * train if rates > 1 else 0.0
        work = ComparisonWork(once=0.0, per_seed=arms * (selection + final), longest=final)
        return work.seconds(choice.seeds, pace.slots)

    return of_study if kind == "study" else of_comparison


def choose(
    networks: Sequence[NetworkSize],
    preset: Preset,
    seconds: Seconds,
    time: float,
    given: Mapping[str, Any],
) -> Choice | None:
    """The largest network that fits with the wanted numbers; then the numbers that fit it.

    Where none fits, the smallest one with fewer trials, then fewer seeds, then fewer steps. What
    time is left goes to seeds, trials and steps in turn: a network of another size would be another
    question, more of these are a better answer. None if even the least does not fit.

    ``networks`` stand from the largest down; ``seconds`` says what a choice takes; ``given`` are
    the settings of the command line.
    """
    wanted = [
        Choice(network, preset.steps.wanted, preset.trials.wanted, preset.seeds.wanted, given)
        for network in networks
    ]
    fitting = next((choice for choice in wanted if seconds(choice) <= time), None)
    if fitting is None:
        return _shrunk(wanted[-1], preset, seconds, time)
    for share in _SHARES:
        for name in ("seeds", "trials", "steps"):
            more = _with(fitting, name, _between(getattr(preset, name), share))
            if seconds(more) <= time:
                fitting = more
    return fitting


def least(networks: Sequence[NetworkSize], preset: Preset, given: Mapping[str, Any]) -> Choice:
    """The smallest network with the least numbers."""
    return Choice(networks[-1], preset.steps.least, preset.trials.least, preset.seeds.least, given)


def _shrunk(choice: Choice, preset: Preset, seconds: Seconds, time: float) -> Choice | None:
    for name in ("trials", "seeds", "steps"):
        span = getattr(preset, name)
        for value in _downwards(span):
            choice = _with(choice, name, value)
            if seconds(choice) <= time:
                return choice
    return None


def _with(choice: Choice, name: str, value: int) -> Choice:
    return replace(choice, **{name: value})  # type: ignore[arg-type]  # a number each


def _downwards(span: Span) -> list[int]:
    """Some numbers from the wanted to the least."""
    steps = [round(span.wanted + (span.least - span.wanted) * share) for share in _SHARES]
    return list(dict.fromkeys(steps))


def _between(span: Span, share: float) -> int:
    return round(span.wanted + (span.most - span.wanted) * share)

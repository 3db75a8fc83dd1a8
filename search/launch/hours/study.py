"""Fits the trials of a study to the hours."""

import itertools
import math
import statistics
from dataclasses import replace

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.system.console import Console
from search.launch.hours.ended_work import EndedWork, ended_work
from search.launch.hours.pace import Pace
from search.launch.hours.pilots import SplitSizes, pilot_folder, pilot_workers, split_sizes
from search.launch.hours.time_plan import Clock, check_place
from search.launch.hours.wall_time import CLOSING, StudyWork, shorter_settings, what_takes
from search.launch.starts.first_weights import normalised_as_weights
from search.launch.study import check, prepare
from search.records.looks import read_looks
from search.records.runs import RunSpec
from search.records.study_folder import check_folder, has_begun
from search.records.time_limit import TimeLimit, read_time_limit
from search.settings.study import StudySettings
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.deadline import FEWEST_SEEDS, TimePlan
from search.study.expected_runs import expected_runs, full_trainings
from search.study.looks import next_target
from search.study.sampling.draws import Draw
from search.study.sampling.samplers import sample_params

_DRAWS = 40  # random candidates that stand for the space


def plan_study(
    settings: StudySettings, clock: Clock, console: Console
) -> tuple[StudySettings, TimePlan]:
    """The settings with the trials that fit the hours, and the plan.

    The settings' own number is the most, as Optuna's ``n_trials`` is beside its ``timeout``. A
    study that has begun with these hours keeps what was planned then; one that has begun with
    others is fitted anew at the pace that was measured then. Raises InputError if even the least
    number of trials does not fit.
    """
    check_place(settings)
    settings = normalised_as_weights(settings)
    check_folder(settings)
    space, candidates = check(settings)
    known = read_time_limit(settings.path) if has_begun(settings.path) else None
    pace, sizes = _measure(settings, space, candidates, clock, known, console)
    begun = has_begun(settings.path)
    done = ended_work(settings.path, pace, lambda spec: sizes) if begun else EndedWork()
    work = replace(study_work(settings, space, candidates, pace, sizes), past_seconds=done.seconds)
    limit = known
    if limit is None or limit.hours != clock.hours:
        seeds = next_target(settings.finalists.looks, read_looks(settings.path))
        trials = clock.fit(
            what_takes("study", done.runs),
            lambda count: work.seconds(count, seeds, pace.slots),
            (min(settings.trials, max(least_trials(settings), done.trials)), settings.trials),
            pace,
            shorter_settings(settings, seeds, "finalists.seeds", done.runs),
        )
        limit = TimeLimit(clock.hours, trials, seeds, pace=pace.to_dict())
    settings = replace(settings, trials=min(settings.trials, limit.planned_trials))
    looks = len(settings.finalists.looks) > 1  # planned ones are kept
    seeds = limit.planned_seeds
    plan = TimePlan(
        limit,
        clock.ends,
        work.seconds(settings.trials, seeds, pace.slots) + pace.start + CLOSING,
        work.trial,
        work.final,
        least_trials(settings),
        seeds if looks else min(seeds, FEWEST_SEEDS),
    )
    return settings, plan


def _measure(
    settings: StudySettings,
    space: Space,
    candidates: Candidates,
    clock: Clock,
    known: TimeLimit | None,
    console: Console,
) -> tuple[Pace, SplitSizes]:
    """The pace of an earlier start, or of pilots; and the sizes of the splits."""
    if known is not None:
        with pilot_folder(settings) as rehearsal:
            data = prepare(rehearsal, space, candidates).data
            return Pace(**known.pace), split_sizes(data, settings.data)
    with pilot_workers(settings, console, settings.sampler.lookahead) as workers:
        prepared = prepare(workers.settings, space, candidates)
        sizes = split_sizes(prepared.data, settings.data)
        runs = pilot_runs(settings, space, candidates)
        job = prepared.job_settings
        return workers.pace(runs, settings.data, sizes, job, clock.hours), sizes


def least_trials(settings: StudySettings) -> int:
    """So few trials that a search is still one: as many as are under way at once, or finalists."""
    return min(settings.trials, max(settings.finalists.top, settings.sampler.lookahead))


def pilot_runs(settings: StudySettings, space: Space, candidates: Candidates) -> list[RunSpec]:
    """Runs that stand for all of a study: what may be trained, or else what stands first."""
    runs = [*candidates.baselines, *_drawn(settings, space, candidates)]
    return runs or [candidates.trial(Draw(0, 0, space.default()), {})]


def _drawn(settings: StudySettings, space: Space, candidates: Candidates) -> list[RunSpec]:
    """Random candidates that may be trained, and the first values."""
    drawn = itertools.islice(sample_params(space, settings.seed + 1), _DRAWS)
    looked = [candidates.look_at(params) for params in (space.default(), *drawn)]
    return [spec for spec in looked if isinstance(spec, RunSpec)]


def study_work(
    settings: StudySettings, space: Space, candidates: Candidates, pace: Pace, sizes: SplitSizes
) -> StudyWork:
    """Seconds of a study's trainings at a pace."""

    def seconds(spec: RunSpec, test: int = 0) -> float:
        epochs = Recipe.from_dict(spec.recipe or {}).epochs
        return pace.training(spec.cost["macs"], epochs, sizes.epoch, sizes.validation, test)

    drawn = _drawn(settings, space, candidates) or candidates.baselines
    counts = expected_runs(settings, candidates, sizes.epoch)
    most = sizes.epoch if settings.rungs.over == "images" else candidates.epochs
    fewest = math.inf if candidates.combinations is None else candidates.combinations
    return StudyWork(
        trial=statistics.fmean([seconds(spec) for spec in drawn] or [0.0]),
        baselines=sum(seconds(spec) for spec in candidates.baselines),
        final=statistics.fmean([seconds(spec, sizes.test) for spec in drawn] or [0.0]),
        final_baselines=sum(seconds(spec, sizes.test) for spec in candidates.baselines),
        worth=lambda trials: full_trainings(settings, int(min(trials, fewest)), max(1, most)),
        audits=counts.audits,
        arms=2 if settings.sampler.random_search else 1,
        top=settings.finalists.top,
        means=counts.means,
    )

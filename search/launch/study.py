"""From settings to a finished study: everything is checked before anything is trained."""

import itertools
import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybrid_swin.cost import count_cost
from hybrid_swin.data.loading import LoadedData
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import described
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.execution.bound_images import BoundImages
from search.execution.workers import common_job_settings
from search.launch.hardly_meant import hardly_meant, some_candidates
from search.launch.hours.time_plan import of_hours
from search.launch.imports.request import ImportRequest, read_import
from search.launch.opening import say_opening, training_words
from search.launch.session import Prepared, Session, read_images
from search.launch.starts.first_weights import (
    about_first_weights,
    find_first_weights,
    follower,
    normalised_as_weights,
)
from search.launch.starts.study import check_start, start_lines
from search.leaderboard.board import Leaderboard
from search.records.identity import derive_seed
from search.records.imported import write_imported
from search.records.looks import read_looks
from search.records.receipt import about_data
from search.records.runs import RunSpec
from search.records.study_folder import adopt_modules, adopt_plugins, check_kind
from search.records.time_limit import TimeLimit
from search.settings.contradictions import without_effect
from search.settings.study import SamplerName, StudySettings
from search.space import budget
from search.space.extremes import no_fit_message
from search.space.space import Space
from search.study.candidates import Candidates, checked_candidates
from search.study.coordinator import Coordinator
from search.study.deadline import TimePlan
from search.study.expected_runs import RunCounts, expected_runs
from search.study.looks import next_target
from search.study.objectives import reference_point
from search.study.random_candidates import RandomCandidates
from search.study.sampling.samplers import choose_sampler, sample_params
from search.study.sampling.study import OptunaStudy

_DRAWS_TO_FIND_ONE = 300
_DRAWS_FOR_DEAREST = 300


@dataclass(frozen=True)
class PreparedStudy(Prepared):
    """A study that can begin: what it may train, and on what."""

    settings: StudySettings
    space: Space
    candidates: Candidates
    sampler: tuple[SamplerName, str]  # which, and why
    data: LoadedData | None  # None for a data module of the user's own, which only workers make

    @property
    def reference(self) -> dict[str, float]:
        """The point that hypervolumes are measured from; empty for one objective."""
        settings = self.settings
        drawn = itertools.islice(sample_params(self.space, settings.seed), _DRAWS_FOR_DEAREST)
        outcomes = [self.candidates.look_at(p) for p in drawn] if settings.objective.against else []
        specs = [s for s in outcomes if isinstance(s, RunSpec)] or self.candidates.baselines
        variant, _ = self.space.resolve(self.space.default())
        return reference_point(
            settings.objective,
            variant.num_classes,
            budget.limits(settings.budget),
            [spec.cost for spec in specs] or [count_cost(variant).to_dict()],
        )

    @property
    def hardly_meant(self) -> list[str]:
        """What networks and recipes ask for that is, as far as draws show it."""
        images = self.settings.data.epoch_images or (
            len(self.data.splits.train) if self.data else None
        )
        return hardly_meant(self.space, self.candidates, self.settings.seed, images)


def check(settings: StudySettings) -> tuple[Space, Candidates]:
    """Check all that needs neither images nor a folder: plug-ins, space, budget, database.

    Raises InputError for the first thing that cannot work.
    """
    first = find_first_weights(settings)
    space, candidates = checked_candidates(settings, first, follower(settings, first))
    check_start(settings, space, candidates)
    if settings.trials:
        choose_sampler(settings, space)
        _check_budget(settings, space, candidates)
    if settings.storage is not None:
        from search.study.sampling.database import check_database  # SQLAlchemy: slow to import

        check_database(settings.storage)
    return space, candidates


def _check_budget(settings: StudySettings, space: Space, candidates: Candidates) -> None:
    """Raise InputError where, as far as can be seen, no candidate may be trained."""
    reasons: dict[str, None] = {}
    for params in itertools.islice(sample_params(space, settings.seed), _DRAWS_TO_FIND_ONE):
        refusal = candidates.judge(params)
        if refusal is None or refusal.excess is None:
            return
        reasons[refusal.reason] = None
    raise InputError(
        no_fit_message(space, budget.limits(settings.budget))
        or f"of {_DRAWS_TO_FIND_ONE} random candidates none may be trained, for example: "
        f"{min(reasons, key=len)}; raise the budget or change the space"
    )


def prepare(settings: StudySettings, space: Space, candidates: Candidates) -> PreparedStudy:
    """Read the images and adopt the plug-ins.

    Raises InputError for images that cannot be used, or a plug-in that changed since the study
    began.
    """
    variant, _ = space.resolve(space.default())
    plugins = adopt_plugins(settings.plugins, settings.path)
    modules = adopt_modules([settings.data.class_path], settings.path)
    recipes = [recipe for _, recipe in some_candidates(space, settings.seed)]
    data = read_images(settings, settings.data, variant, recipes)
    if data is not None:
        _check_image_rungs(settings, data)
    measure = "latency" in settings.objective.against
    job = common_job_settings(settings, variant, plugins, measure, modules)
    hashes = data.hashes if data else {}
    first = candidates.first
    if first.file:
        job["init_hash"] = first.hash
        hashes |= {"init": first.hash}
    sampler = choose_sampler(settings, space)
    images = BoundImages.of(settings.data, variant, hashes)
    return PreparedStudy(
        hashes, plugins, modules, job, images, settings, space, candidates, sampler, data
    )


def _check_image_rungs(settings: StudySettings, data: LoadedData) -> None:
    rungs, images = settings.rungs, len(data.splits.train)
    if (
        rungs.over == "images"
        and rungs.first
        and not len(data.class_counts) <= rungs.first < images
    ):
        raise InputError(
            f"rungs.first {rungs.first} must be from {len(data.class_counts)} (one image a class) "
            f"to below {images} (the whole train split) where rungs.over is images"
        )


def launch_study(
    settings: StudySettings,
    console: Console,
    receipt: Mapping[str, Any] | None = None,
    show: Callable[[Leaderboard], None] = lambda leaderboard: None,
    time_plan: TimePlan | None = None,
    request: ImportRequest | None = None,
) -> Leaderboard:
    """Begin a study or go on with it, to its end.

    ``receipt`` is of a study that is repeated: what differs from it is told first. ``show`` gets
    the result before anything is waited for. ``time_plan`` is what fits into the hours, if any.
    ``request`` names known candidates with which the study begins.

    Raises:
        InputError: something that the user must fix; what has been finished is kept.
        KeyboardInterrupt: after everything has been put in order.
    """
    check_kind(settings)
    settings = normalised_as_weights(settings)
    space, candidates = check(settings)  # a misspelt name is not another setting of a begun study
    session = Session(settings, console, receipt)
    folder = settings.path
    given = read_import(request, settings, space, candidates, time_plan is not None)
    with session.opened(settings.sampler.lookahead):
        prepared = prepare(settings, space, candidates)
        imported = given.candidates_for(settings, prepared)
        if imported is not None:
            write_imported(folder, imported)
        resolved = session.bind(
            prepared,
            {
                "sampler": list(prepared.sampler),
                "reference_point": prepared.reference,
                "owner": secrets.token_hex(8),
            },
            imported.hash if imported else "",
        )
        sampler, why = resolved["sampler"]
        if settings.sampler.name == "auto" and settings.trials:
            console.say(f"sampler {sampler}: {why}")
        if not settings.trials:
            session.say("trials 0: nothing is searched; the baselines alone are trained")
        for note in [*without_effect(settings, candidates.epochs, sampler), *prepared.hardly_meant]:
            session.say(note)
        about_images = about_data(prepared.data)
        for line in start_lines(settings, candidates):
            console.say(line)
        given.say(imported, console)
        taken_over = len(imported.taken_over) if imported else 0
        study = OptunaStudy(
            settings,
            space,
            folder,
            sampler,
            owner=resolved["owner"],
            say=session.say,
            given=[candidate.params for candidate in imported.candidates] if imported else (),
            known_results=taken_over,
        )
        session.keep_folder()
        train_images = len(prepared.data.splits.train) if prepared.data else 0
        seeds = next_target(settings.finalists.looks, read_looks(folder))
        counts = expected_runs(settings, candidates, train_images, seeds, taken_over)
        say_opening(settings, about_images, _plan(counts, time_plan), console)
        work = session.begin(counts.total, time_plan)
        coordinator = Coordinator(
            settings,
            folder,
            candidates,
            RandomCandidates(settings, space, candidates),
            study,
            work.dispatcher,
            train_images=train_images,
            reference=resolved["reference_point"],
            view=work.view,
            deadline=work.deadline,
            imported=imported,
        )

        def write() -> Leaderboard:
            if work.deadline is not None:
                session.settle(_as_decided(settings, work.deadline.limit))
            leaderboard = Leaderboard.from_folder(folder)
            leaderboard.record_looks("run")
            leaderboard.write(folder)
            return leaderboard

        def about() -> dict[str, Any]:
            about = about_study(settings, space, prepared.data, study.summary(), seeds)
            start = about_first_weights(settings, candidates.first) if candidates.first.file else {}
            return about | start

        def draw_and_show(leaderboard: Leaderboard) -> None:
            _draw(folder, console)
            show(leaderboard)

        return session.finish(coordinator.run, write, about, draw_and_show)


def _plan(counts: RunCounts, time_plan: TimePlan | None) -> str:
    """What is to be trained, in a line."""
    return f"{training_words(counts)} trainings{of_hours(time_plan)}"


def _as_decided(settings: StudySettings, limit: TimeLimit) -> StudySettings:
    """The settings with the trials, finalists and seeds for which there was time."""
    trials = min(settings.trials, limit.trials or settings.trials)
    finalists = settings.finalists
    if limit.seeds and len(finalists.looks) == 1:
        finalists = replace(finalists, seeds=min(limit.seeds, finalists.looks[0]))
    if limit.top:
        finalists = replace(finalists, top=min(limit.top, finalists.top))
    return replace(settings, trials=trials, finalists=finalists)


def _draw(folder: Path, console: Console) -> None:
    """The figures, which must never cost a study."""
    from search.reporting.figures.writing import write_study_figures

    try:
        write_study_figures(folder)
    except Exception as error:
        console.print(
            f"the figures could not be drawn ({described(error)}); nothing else is "
            f"lost, and `{door()} figures {shlex.quote(str(folder))}` tries again",
            style="yellow",
            soft_wrap=True,
        )


def about_study(
    settings: StudySettings,
    space: Space,
    data: LoadedData | None,
    draws: Mapping[str, int],
    seeds: int | None = None,
) -> dict[str, Any]:
    """What the receipt says of a study beside what it says of every experiment."""
    return {
        "seeds": {
            "study": settings.seed,
            "search": derive_seed(settings.seed, "search"),
            "final": [
                derive_seed(settings.seed, "final", index)
                for index in range(seeds or max(settings.finalists.looks))
            ],
        },
        "data": about_data(data),
        "space": {"parameters": [p.path for p in space.parameters], "combinations": space.size},
        "draws": dict(draws),
    }

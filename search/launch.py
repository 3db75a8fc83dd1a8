"""From settings to a finished study: everything is checked before anything is trained."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape

from hybrid_swin import registry
from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.hardware import resolve_accelerator, resolve_precision
from hybrid_swin.loading import LoadedData, load_data
from search.candidates import Candidates, check_objective
from search.coordinator import Coordinator
from search.dispatcher import Dispatcher
from search.executors.local import LocalExecutor, cpu_workers
from search.leaderboard import Leaderboard
from search.progress import Terminal
from search.receipt import code_hash, write_receipt
from search.settings import StudySettings
from search.space import Space
from search.study import Study, sample_params
from search.study_folder import adopt_plugins, claim, locked
from search.wandb_board import WandbBoard

# How long the end of a study, or its interruption, waits for its mirror.
_WANDB_SECONDS, _WANDB_SECONDS_WHEN_CUT_OFF = 120.0, 5.0

_DRAWS_TO_FIND_ONE = 300


@dataclass(frozen=True)
class Prepared:
    """A study that can begin: what it may train, and on what."""

    settings: StudySettings
    space: Space
    candidates: Candidates
    data: LoadedData | None  # None for a data module of the user's own, which only workers make
    plugins: dict[str, str]  # source hash of each copy by its path

    @property
    def hashes(self) -> dict[str, str]:
        """Which images and which split; empty where we cannot know."""
        if self.data is None:
            return {}
        return {"data_hash": self.data.data_hash, "split_hash": self.data.splits.hash}

    @property
    def job_settings(self) -> dict[str, Any]:
        """What a job needs to know beside its run."""
        workers, objective = self.settings.workers, self.settings.objective
        variant = self.space.resolve(self.space.default())[0]
        device = resolve_accelerator(workers.accelerator)
        return {
            "plugins": list(self.plugins),
            "data": self.settings.data.to_dict(),
            "variant": variant.to_dict(),
            # Once for all, so that rows do not differ in it because they differ in size.
            "precision": resolve_precision("auto", device, count_cost(variant).macs),
            "objective": {"monitor": objective.monitor, "mode": objective.mode},
            "cache": str(_cache(self.settings).resolve()),
            "accelerator": workers.accelerator,
            "devices": workers.devices,
            "checkpoint_seconds": workers.checkpoint_seconds,
            "code_hash": code_hash(),
        }


def check(settings: StudySettings) -> tuple[Space, Candidates]:
    """Check all that needs neither images nor a folder: plug-ins, space, baselines, budget.

    Raises:
        InputError: the first thing that cannot work.
    """
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    space = Space(settings.variant, settings.recipe)
    variant, _ = space.resolve(space.default())
    settings.data.validate()
    check_objective(settings, variant.num_classes)
    candidates = Candidates(settings, space)
    if settings.trials:
        _check_budget(settings, space, candidates)
    return space, candidates


def _check_budget(settings: StudySettings, space: Space, candidates: Candidates) -> None:
    """Raise InputError where, as far as can be seen, no candidate may be trained."""
    reasons: dict[str, None] = {}
    for params in sample_params(space, _DRAWS_TO_FIND_ONE, settings.seed):
        refusal = candidates.judge(params)
        if refusal is None or refusal.excess is None:
            return
        reasons[refusal.reason] = None
    raise InputError(
        f"of {_DRAWS_TO_FIND_ONE} random candidates none may be trained, for example: "
        f"{min(reasons, key=len)}; raise the budget or change the space"
    )


def prepare(settings: StudySettings, space: Space, candidates: Candidates) -> Prepared:
    """Read the images and adopt the plug-ins.

    Raises:
        InputError: images that cannot be used, or a plug-in that changed since the study began.
    """
    plugins = adopt_plugins(settings.plugins, settings.path)
    data = None
    if settings.data.class_path is None:
        variant, _ = space.resolve(space.default())
        cache = _cache(settings)
        data = load_data(settings.data, variant.image_size, variant.in_channels, cache)
        data.check_classes(variant.num_classes)
    return Prepared(settings, space, candidates, data, plugins)


def run_study(settings: StudySettings, console: Console) -> Leaderboard:
    """Begin a study or go on with it, to its end.

    Raises:
        InputError: something that the user must mend; what has been finished is kept.
        KeyboardInterrupt: after everything has been put in order.
    """
    begin = time.monotonic()
    space, candidates = check(settings)
    with locked(settings.path), start_workers(settings) as executor:
        prepared = prepare(settings, space, candidates)
        job_settings = prepared.job_settings
        plugins = {Path(copy).name: source for copy, source in prepared.plugins.items()}
        precision = claim(settings, plugins, prepared.hashes, job_settings["precision"])
        _say_left_out(prepared, console)
        study = Study(settings, space, settings.path)
        if study.repaired:
            console.print(
                f"the Optuna journal ended in a torn line, as after a kill: its last "
                f"{study.repaired} bytes were cut off; nothing finished is lost",
                style="yellow",
                highlight=False,
            )
        board = WandbBoard(settings.path)
        objective = settings.objective
        terminal = Terminal(
            console,
            count_runs(settings, candidates),
            objective.monitor,
            objective.mode,
            executor.slots,
        )
        coordinator = Coordinator(
            settings,
            settings.path,
            candidates,
            study,
            Dispatcher(
                settings.path,
                executor,
                settings.workers,
                job_settings | {"precision": precision},
                terminal,
            ),
            split_hash=prepared.hashes.get("split_hash", ""),
            on_finished=lambda spec: board.notify(spec.key),
            view=terminal,
        )
        patience = _WANDB_SECONDS_WHEN_CUT_OFF
        try:
            with terminal:
                coordinator.run()
            patience = _WANDB_SECONDS
        finally:
            executor.close()
            try:
                leaderboard = Leaderboard.from_folder(settings.path)
                leaderboard.write(settings.path)
                seconds = time.monotonic() - begin
                write_receipt(settings, space, prepared.data, study.summary(), seconds)
            finally:
                board.close(patience)
    return leaderboard


def count_runs(settings: StudySettings, candidates: Candidates) -> int:
    """How many runs the study comes to, if every trial can be drawn."""
    baselines, seeds = len(candidates.baselines), settings.finalists.seeds
    top = min(settings.finalists.top, settings.trials)
    references = 1 if settings.data.class_path is None else 0
    return baselines + settings.trials + references + (baselines + top) * seeds


@contextmanager
def start_workers(settings: StudySettings) -> Iterator[LocalExecutor]:
    """Workers, started before anything else since they take seconds to import."""
    workers = settings.workers
    if workers.devices > 1:
        raise InputError(
            f"workers.devices {workers.devices}: a training uses one device; more "
            "workers use more devices"
        )
    gpus = visible_gpus() if resolve_accelerator(workers.accelerator) == "cuda" else []
    automatic = len(gpus) // workers.devices if gpus else cpu_workers(workers.threads)
    count = automatic if workers.count == "auto" else int(workers.count)
    if settings.sampler.lookahead < 2 * count and workers.count != "auto":
        raise InputError(
            f"sampler.lookahead {settings.sampler.lookahead} is too small for "
            f"{count} workers, which would wait for each other; give at least "
            f"{2 * count}"
        )
    count = max(1, min(count, settings.sampler.lookahead // 2))
    executor = LocalExecutor(count, workers.threads, settings.path / "logs", gpus)
    try:
        yield executor
    finally:
        executor.close()


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names that its workers must be given.

    Where CUDA_VISIBLE_DEVICES is set (a scheduler's, a user's), GPU 0 is the first one named there.
    """
    count = torch.cuda.device_count()
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    named = [name.strip() for name in given.split(",") if name.strip()]
    return (named or [str(index) for index in range(count)])[:count]


def _cache(settings: StudySettings) -> Path:
    return Path(settings.folder).expanduser() / ".images"


def _say_left_out(prepared: Prepared, console: Console) -> None:
    """Name the first images that could not be used, and say how many there are."""
    left_out = prepared.data.images.left_out if prepared.data else ()
    for name, reason in left_out[:5]:
        console.print(f"left out {escape(str(name))}: {escape(reason)}", style="yellow")
    if left_out:
        console.print(
            f"{len(left_out)} images were left out; the receipt names all of them", style="yellow"
        )

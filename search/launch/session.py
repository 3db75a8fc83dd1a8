"""What a start of a study and one of a comparison share, from the lock to the receipt.

A launch says only what differs: what it checks, reads, prints, trains and writes. ::

    session = Session(settings, console, receipt)
    ...                                           # check all that needs no images
    with session.opened():                        # the folder is locked, workers are started
        prepared = ...                            # read the images
        settled = session.bind(prepared, ...)     # tie the folder to settings, code and data
        work = session.begin(total)               # what its loop needs: dispatcher, view, mirror
        return session.finish(loop.run, write, about, show)
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hybrid_swin.cost import count_cost
from hybrid_swin.data.loading import LoadedData, at_test_size, load_data
from hybrid_swin.data.pixel_values import check_scale, check_values
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console
from search.execution.agents.mailbox import agents_in
from search.execution.bound_images import BoundImages
from search.execution.dispatcher import Dispatcher
from search.execution.job import node_of
from search.execution.view import View
from search.execution.workers import (
    WANDB_SECONDS,
    WANDB_SECONDS_WHEN_CUT_OFF,
    image_cache,
    start_workers,
)
from search.records.receipt import differences_from, write_receipt
from search.records.settings import write_settings
from search.records.study_folder import bind_settings, check_folder, locked
from search.reporting.status.progress_file import ProgressFile
from search.reporting.status.progress_writer import ProgressWriter
from search.reporting.terminal import Terminal
from search.reporting.wandb.board import WandbBoard
from search.settings.experiment import ExperimentSettings
from search.study.deadline import Deadline, TimePlan

Result = TypeVar("Result")
_BATCH_TO_CHECK = 2  # images
_LOOK = 1.0  # seconds between two writings of why nothing begins


@dataclass(frozen=True)
class Prepared:
    """A study or comparison that can begin."""

    hashes: dict[str, str]  # of images, split and first weights, as far as they can be known
    plugins: dict[str, str]  # source hash of each plug-in's copy by its path
    modules: dict[str, str]  # source hash of each data module of the user's own by its class path
    job_settings: dict[str, Any]  # what a job needs to know beside its run
    images: list[BoundImages]  # those that every machine must have, as far as they can be known


@dataclass(frozen=True)
class Work:
    """What the loop of a study or comparison is given."""

    dispatcher: Dispatcher  # runs what is submitted
    view: View  # what watches
    slots: int  # trainings at once
    deadline: Deadline | None


class Session:
    """One start of a study or comparison, to its end.

    ``receipt`` is of one that is repeated: what differs from it is told first. Raises InputError if
    the folder is of other settings, or of the other kind.
    """

    def __init__(
        self, settings: ExperimentSettings, console: Console, receipt: Mapping[str, Any] | None
    ) -> None:
        self._begin = time.monotonic()
        self._settings, self._folder = settings, settings.path
        self._console, self._receipt = console, receipt
        check_folder(settings)

    def say(self, text: str) -> None:
        """Print a line that the user should see."""
        self._console.say(text, style="yellow")

    @contextmanager
    def opened(self, lookahead: int | None = None) -> Iterator[None]:
        """Hold the folder, and workers, which take seconds to start: the images are read meanwhile.

        A start that ends before its work begins leaves nothing (see `locked`), unless agents wait
        in the folder. Raises InputError as `locked` and `start_workers`.
        """
        with locked(self._folder, self.say) as self._hold:
            try:
                with start_workers(self._settings, lookahead, self._console.print) as executor:
                    self._executor = executor
                    self._progress = ProgressWriter(self._folder, executor, "its images are read")
                    yield
            finally:
                if agents_in(self._folder):
                    self._hold.keep()

    def bind(
        self, prepared: Prepared, automatic: Mapping[str, Any], imported: str = ""
    ) -> dict[str, Any]:
        """Tie the folder to what results depend on; gives what was resolved when it began.

        ``automatic`` is what ``auto`` stands for today, beside the precision; ``imported`` the hash
        of the candidates that a study begins with. Raises InputError as `bind_settings`, or if
        workers cannot start.
        """
        while not self._executor.wait_until_ready(_LOOK):
            self._progress.look()
        self._common, self._images = dict(prepared.job_settings), prepared.images
        if self._executor.hardware is not None:  # not this machine trains
            macs = count_cost(Variant.from_dict(self._common["variant"])).macs
            self._common["precision"] = self._executor.hardware.precision(macs)
        plugins = {Path(copy).name: source for copy, source in prepared.plugins.items()}
        automatic = {"precision": self._common["precision"], **automatic}
        resolved = bind_settings(
            self._settings,
            plugins,
            prepared.hashes,
            automatic,
            self.say,
            prepared.modules,
            imported,
        )
        self._common["precision"] = resolved["precision"]
        precision = self._settings.recipe.get("precision", "auto")
        if precision == "auto":
            precision = resolved["precision"]
        self._executor.require(str(precision))
        for line in differences_from(self._receipt or {}, self._folder):
            self.say(f"not as in the receipt: {line}")
        return resolved

    def keep_folder(self) -> None:
        """Let what is in the folder stay from now on, as once a database relies on it."""
        self._hold.keep()

    def begin(self, total: int, time_plan: TimePlan | None) -> Work:
        """Start the mirror, the display and the clock; ``total`` runs are expected."""
        self.keep_folder()
        slots, objective = self._executor.slots, self._settings.objective
        self._board = WandbBoard(self._folder)
        executor, workers = self._executor, self._settings.workers
        self._terminal = Terminal(
            self._console, total, objective.monitor, objective.mode, lambda: executor.slots
        )
        view = ProgressFile(self._terminal, self._progress, self._board.notify)
        dispatcher = Dispatcher(
            self._folder,
            executor,
            workers,
            self._common,
            view,
            lambda worker: node_of(worker, executor.nodes),
            self._images,
        )
        deadline = Deadline(time_plan, self._folder, slots) if time_plan else None
        if deadline is not None:
            deadline.begin()
        return Work(dispatcher, view, slots, deadline)

    def settle(self, settings: ExperimentSettings) -> None:
        """Write the settings as the clock has decided them; the receipt has them, too."""
        if settings != self._settings:
            self._settings = settings
            write_settings(self._folder, settings)

    def finish(
        self,
        loop: Callable[[], None],
        write: Callable[[], Result],
        about: Callable[[], Mapping[str, Any]],
        show: Callable[[Result], None],
    ) -> Result:
        """Run the loop to its end, and put everything in order, whatever ended it.

        The order: workers end, the result (``write``, from the folder) and the receipt (with what
        is ``about`` this kind) are written, the result is shown if the loop came to its end, and
        the mirror is waited for last.
        """
        whole = False
        results: list[Result] = []

        def conclude() -> None:
            result = write()
            write_receipt(self._settings, time.monotonic() - self._begin, **about())
            results.append(result)
            if whole:
                self._board.finish()
                show(result)

        def mirror() -> None:
            patience = WANDB_SECONDS if whole else WANDB_SECONDS_WHEN_CUT_OFF
            self._board.close(patience, self._console.print)

        with closing(lambda: self._executor.close(whole), conclude, mirror):
            with self._terminal:
                loop()
            whole = True
        return results[0]


def read_images(
    settings: ExperimentSettings, data: DataSettings, variant: Variant, recipes: Iterable[Recipe]
) -> LoadedData | None:
    """The images for a network; None for a data module of the user's own, which workers make.

    It is made here as each recipe needs it, so that what is wrong with it shows before the folder
    is claimed. Raises InputError for images that cannot be used.
    """
    if data.class_path is None:
        cache = image_cache(settings)
        loaded = load_data(data, variant.image_size, variant.in_channels, cache)
        loaded.check_classes(variant.num_classes)
        recipes = list(recipes)
        for size in dict.fromkeys(recipe.test_image_size for recipe in recipes):
            at_test_size(loaded, data, size, cache)
        check_values(loaded, recipes)
        check_scale(loaded, data)
        return loaded
    from hybrid_swin.data.datamodule import make_datamodule  # Lightning: seconds to import

    names = "repeats", "sampling", "test_image_size"
    for values in dict.fromkeys(tuple(getattr(r, name) for name in names) for r in recipes):
        of_recipe: dict[str, Any] = dict(zip(names, values, strict=True))
        make_datamodule(data, variant, _BATCH_TO_CHECK, settings.seed, **of_recipe)
    return None


@contextmanager
def closing(*steps: Callable[[], object]) -> Iterator[None]:
    """Take every step after the body, also those after one that failed.

    Raises:
        Exception: what the body raised, and only if it raised nothing, what the first step that
            failed did: on a full disk all of them fail, and the first failure is the one to tell.
    """
    failures: list[Exception] = []
    try:
        yield
    except BaseException:
        _take(steps, failures)
        raise
    _take(steps, failures)
    if failures:
        raise failures[0]


def _take(steps: tuple[Callable[[], object], ...], failures: list[Exception]) -> None:
    for step in steps:
        try:
            step()
        except Exception as error:
            failures.append(error)

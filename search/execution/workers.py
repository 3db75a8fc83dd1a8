"""Where an experiment's trainings happen: workers, what their jobs must know, kept images."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hybrid_swin.cost import count_cost
from hybrid_swin.data.summary import summary_lines
from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import expanded
from hybrid_swin.training.hardware import resolve_accelerator, resolve_precision
from search.execution.agents.agents import Agents
from search.execution.agents.joined import Joined
from search.execution.devices import check_devices
from search.execution.job import Place
from search.records.versions import code_hash
from search.settings.comparison import ComparisonSettings
from search.settings.executor import executor_module, executor_options
from search.settings.experiment import ExperimentSettings
from search.settings.wandb import check_environment

# How long the end of an experiment, or its interruption, waits for its mirror.
WANDB_SECONDS, WANDB_SECONDS_WHEN_CUT_OFF = 120.0, 5.0


def common_job_settings(
    settings: ExperimentSettings,
    variant: Variant,
    plugins: Mapping[str, str],
    measure_latency: bool = False,
    modules: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What every job needs to know beside its run.

    Args:
        settings: the experiment.
        variant: the network that stands for all of them.
        plugins: source hashes by the paths of their copies.
        measure_latency: of every network, not only of retrained ones.
        modules: source hashes of the user's data modules by class path.
    """
    workers, objective = settings.workers, settings.objective
    device = resolve_accelerator(workers.accelerator)
    return {
        # by which name its readings of the test split are written down
        "command": "compare" if isinstance(settings, ComparisonSettings) else "study",
        "plugins": dict(plugins),
        "modules": dict(modules or {}),
        "data": settings.data.to_dict(),
        "variant": variant.to_dict(),
        # Once for all, so that rows do not differ in it because they differ in size.
        "precision": resolve_precision("auto", device, count_cost(variant).macs),
        "objective": {"monitor": objective.monitor, "mode": objective.mode},
        "cache": str(image_cache(settings).resolve()),
        "accelerator": workers.accelerator,
        "devices": workers.devices,
        "checkpoint_seconds": workers.checkpoint_seconds,
        "code_hash": code_hash(),
        "measure_latency": measure_latency,
    }


@contextmanager
def start_workers(
    settings: ExperimentSettings,
    lookahead: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Joined]:
    """Workers, started before anything else since they take seconds to import.

    Args:
        settings: the experiment.
        lookahead: of a study, which feeds half as many workers; none if nothing waits.
        say: is told what a person should know of them, such as that there are fewer.

    Raises:
        InputError: more workers than the lookahead can feed, devices that cannot be had, or a
            variable of the environment that the mirror cannot use.
    """
    check_environment(settings.wandb)
    workers = settings.workers
    check_devices(workers)
    if lookahead is not None and workers.count != "auto" and lookahead < 2 * int(workers.count):
        raise InputError(
            f"sampler.lookahead {lookahead} is too small for "
            f"{workers.count} workers, which would wait for each other; give at least "
            f"{2 * int(workers.count)}"
        )
    most = None if lookahead is None else max(1, lookahead // 2)
    agents = Agents(settings.path, workers, say)
    place = Place(settings.path, workers, most, say, agents)
    module = executor_module(settings.executor["name"])
    own = module.start(executor_options(settings.executor), place)
    with closing(Joined(own, agents)) as executor:
        yield executor


def image_cache(settings: ExperimentSettings) -> Path:
    """Where decoded images are kept, beside the experiments of one folder."""
    return expanded(settings.folder) / ".images"


def say_data(about: Mapping[str, Any], console: Console) -> None:
    """Say what was understood of the images, of which ``about_data`` says more."""
    if not about:
        console.print("images     of the data module named; they are not looked at here")
        return
    for heading, text in summary_lines(about, "the receipt of the run"):
        style = "yellow" if heading in ("left out", "note") else None
        line = f"{heading:<11}{text}"
        console.say(line, style=style)

"""A proposal in words: what was settled and why, on the terminal and at the file's head."""

import math
import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_swin.system.program import door
from hybrid_swin.system.yaml_files import to_yaml
from hybrid_swin.training.hardware import device_name, resolve_accelerator
from search.launch.hours.pace import Pace
from search.launch.opening import study_words
from search.launch.proposal.begin_file import BEGIN_FILE
from search.launch.proposal.choice import Choice, Kind
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import NetworkSize
from search.launch.proposal.presets import Preset
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.study import StudySettings
from search.space.budget import limits
from search.statistics.formatting import count_text, counted, seconds_text

COMMANDS: dict[Kind, str] = {"study": "run", "comparison": "compare"}
_SEEN = 1.005  # times the proportions, from which a change is said
_COLOURS = {1: "grey", 3: "colour"}


@dataclass(frozen=True)
class Measured:
    """What a proposal rests on."""

    sizes: ImageSizes  # of the images in their files
    counts: ImageCounts  # of classes and splits
    networks: list[NetworkSize]  # that suit the images, from the highest cost down
    pace: Pace  # of this machine


def reasons(
    settings: StudySettings | ComparisonSettings,
    measured: Measured,
    choice: Choice,
    preset: Preset,
    seconds: float,
    hours: float,
) -> list[tuple[str, str]]:
    """What was settled and why, as headings and texts; all of it is to take so many seconds."""
    time = f"about {seconds_text(seconds)} of {seconds_text(hours * 3600)}"
    workers = counted(measured.pace.slots, "worker")
    numbers = plan_text(settings)
    return [
        ("images", _images(settings, measured.sizes, measured.counts)),
        ("network", _network(settings, choice)),
        ("training", _training(settings, measured.counts)),
        ("plan", f"{preset.name}: {numbers}; {time} on {workers}, fewer if these are slower"),
    ]


def plan_text(settings: StudySettings | ComparisonSettings) -> str:
    """How many trainings of which kind, of a study or of a comparison's arms."""
    if isinstance(settings, ComparisonSettings):
        return f"{_arms(settings)} over {max(settings.looks)} paired seeds{_varied(settings)}"
    finalists = settings.finalists
    return study_words(
        settings.trials,
        len(settings.baselines),
        finalists.top,
        max(finalists.looks),
        settings.sampler.random_search,
    )


def _arms(settings: ComparisonSettings) -> str:
    if not settings.arms:
        return "plain Swin, +conv, +mdta and their controls"
    names = [arm.name for arm in settings.arms]
    return f"{counted(len(names), 'arm')} ({', '.join(names)})"


def _varied(settings: ComparisonSettings) -> str:
    varied = [f"{name} ({len(levels)} levels)" for name, levels in settings.factors.items()]
    return f", for each {' and '.join(varied)}" if varied else ""


def _images(
    settings: StudySettings | ComparisonSettings, sizes: ImageSizes, counts: ImageCounts
) -> str:
    few, many = f"{counts.least:,}", f"{counts.most:,}"
    each = many if few == many else f"{few} to {many}"
    how = f"{', '.join(counts.given)} given" if counts.given else "drawn"
    groups = f", {counts.groups:,} groups" if counts.groups else ""
    some = f"; {counts.left_out:,} file{'s' * (counts.left_out > 1)} left out"
    colour = _COLOURS.get(sizes.channels, f"{sizes.channels} channels")
    return (
        f"{counts.classes:,} classes of {each} images; median {sizes.size[0]} x {sizes.size[1]} "
        f"pixels, {colour}{_resized(settings, sizes)}; train "
        f"{counts.train:,}, validation {counts.validation:,}, test {counts.test:,} ({how}"
        f"{groups}){some * (counts.left_out > 0)}"
    )


def _resized(settings: StudySettings | ComparisonSettings, sizes: ImageSizes) -> str:
    """What becomes of them on the way to the network's images."""
    size = settings.variant["image_size"]
    if sizes.fixed or not isinstance(size, int | list | tuple):
        return ""
    height, width = (size, size) if isinstance(size, int) else size
    change, to = sizes.change((height, width)), f"{height} x {width}"
    resize = settings.data.options.get("resize", "crop") if change >= _SEEN else ""
    if resize == "squash":
        return f", squeezed to {to} (proportions change up to {change:.3g} times; nothing is cut)"
    if resize == "pad":
        return f", scaled into {to} and padded"
    if resize == "crop":
        return f", scaled to {to} and cropped: up to {1 - 1 / change:.0%} of each image"
    return f", scaled to {to}" if sizes.size != (height, width) else ""


def _network(settings: StudySettings | ComparisonSettings, choice: Choice) -> str:
    variant, network = settings.variant, choice.network
    size = variant["image_size"]
    height, width = size if isinstance(size, list) else (size, size)
    text = (
        f"{height} x {width} pixels, patch {_values(variant['patch_size'])}, window "
        f"{_values(variant['window_size'])}, first width {_values(variant['stages'][0]['width'])}"
    )
    if isinstance(settings, ComparisonSettings):
        cost = f"; {count_text(network.macs)} MACs in each arm"
    else:
        most = limits(settings.budget).get("macs")
        fits = ", with which every block fits" * (most == network.most_macs)
        cost = f"; at most {count_text(most)} MACs{fits}" if most else ""
    if "variant" in choice.given:
        return text + cost * isinstance(settings, StudySettings)
    return f"{text}{cost}: the largest for which there is time"


def _values(value: Any) -> str:
    """A setting, or what it is chosen from: ``32 or 48``."""
    values = value.get("choose") if isinstance(value, dict) else value
    if not isinstance(values, list | tuple):
        return f"{values:g}" if isinstance(values, int | float) else to_yaml(value, True).strip()
    *others, last = (f"{one:g}" if isinstance(one, int | float) else str(one) for one in values)
    return f"{', '.join(others)} or {last}" if others else last


def _training(settings: StudySettings | ComparisonSettings, counts: ImageCounts) -> str:
    recipe = settings.recipe
    images = min(counts.train, settings.data.epoch_images or counts.train)
    which = f"all {images:,}" if images == counts.train else f"{images:,}"
    epochs, batch = recipe["epochs"], recipe["batch_size"]
    known = isinstance(epochs, int) and isinstance(batch, int)
    steps = f": {epochs * math.ceil(images / batch):,} steps" if known else ""
    rates = getattr(settings, "learning_rates", ()) or recipe["learning_rate"]
    return (
        f"{_values(epochs)} epochs of {which} images, {_values(batch)} a step{steps}; learning "
        f"rate {_values(rates)}"
    )


def go_on(kind: Kind, settings: ExperimentSettings) -> str:
    """The command that begins or continues with the file.

    Plug-ins are named in it: once a study has begun, what its folder names is not run unasked.
    """
    plugins = [word for plugin in settings.plugins for word in ("--plugin", plugin)]
    return f"{config_command(kind)} {shlex.join([str(settings.path / BEGIN_FILE), *plugins])}"


def config_command(kind: Kind) -> str:
    """The command that a file of settings is given to, up to its name."""
    return f"{door()} {COMMANDS[kind]} --config"


def file_head(
    kind: Kind,
    settings: ExperimentSettings,
    command: str,
    measured: Measured,
    lines: Sequence[tuple[str, str]],
) -> list[str]:
    """The comment at the top of the file: command, machine, and what was measured."""
    pace = measured.pace
    device = device_name(resolve_accelerator(settings.workers.accelerator))
    return [
        f"A {kind} of your own images, proposed by",
        "",
        f"  {command}",
        "",
        "Edit what you like, then",
        "",
        f"  {go_on(kind, settings)}",
        "",
        f"Machine: {device}, {platform.system()} {platform.machine()}, "
        f"{counted(pace.slots, 'worker')}.",
        f"Measured: {pace.per_epoch:.2g} s for each epoch, {1e3 * pace.per_image:.2g} ms for each "
        f"image and {1e12 * pace.per_mac:.2g} ms for each GMAC of a training step, "
        f"{pace.around:.1f} s around a training, {pace.start:.1f} s to start.",
        *(f"{heading}: {text}" for heading, text in lines),
        "The rules and their sources: docs/own_images.md.",
        "",
    ]

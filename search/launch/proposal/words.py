"""A proposal in words: what was settled and why, on the terminal and at the file's head."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hybrid_swin.system.program import door
from hybrid_swin.training.hardware import device_name, resolve_accelerator
from search.launch.hours.pace import Pace
from search.launch.proposal.begin_file import BEGIN_FILE
from search.launch.proposal.choice import Choice, Kind
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import NetworkSize
from search.launch.proposal.presets import Preset
from search.launch.proposal.recipe import learning_rate, schedule
from search.settings.experiment import ExperimentSettings
from search.statistics.formatting import seconds_text
from search.statistics.power import detectable_difference

COMMANDS: dict[Kind, str] = {"study": "run", "comparison": "compare"}
_SPREADS = (0.005, 0.02)  # standard deviations between seeds, as shares of 1
_CHANGED = (0.02, 0.1)  # shares of the test images on which two rows differ
_LEVEL = 0.05
_COLOURS = {1: "grey", 3: "colour"}


@dataclass(frozen=True)
class Measured:
    """What a proposal rests on."""

    sizes: ImageSizes  # of the images in their files
    counts: ImageCounts  # of classes and splits
    networks: list[NetworkSize]  # that suit the images, from the highest cost down
    pace: Pace  # of this machine


def reasons(
    kind: Kind,
    measured: Measured,
    choice: Choice,
    preset: Preset,
    seconds: float,
    hours: float,
) -> list[tuple[str, str]]:
    """What was settled and why, as headings and texts; all of it is to take so many seconds."""
    time = f"about {seconds_text(seconds)} of {seconds_text(hours * 3600)}"
    workers = f"{measured.pace.slots} worker{'s' * (measured.pace.slots > 1)}"
    numbers = _numbers(kind, choice, preset)
    return [
        ("images", _images(measured.sizes, measured.counts)),
        ("network", _network(kind, choice.network)),
        ("training", _training(kind, measured.counts, choice, preset)),
        ("plan", f"{preset.name}: {numbers}; {time} on {workers}, fewer if these are slower"),
    ]


def resolution(seeds: int, counts: ImageCounts, questions: int) -> str:
    """The smallest difference that so many seeds and test images find, over what is usual.

    The first step of Holm's level is for one of the ``questions`` asked at once.
    """
    least = [
        detectable_difference(seeds, counts.tested, spread, changed**0.5, _LEVEL / questions)
        for spread, changed in product(_SPREADS, _CHANGED)
    ]
    what = f"{seeds} seeds and {counts.tested:,} test {'groups' if counts.groups else 'images'}"
    if min(least) >= 1:
        return f"{what} show no difference, however large: more test images are needed"
    low, high = 100 * min(least), min(100.0, 100 * max(least))
    return (
        f"{what} find, four times in five, a difference of {low:.0f} to {high:.0f} points, by how "
        f"much seeds and images vary, among {questions}"
    )


def _images(sizes: ImageSizes, counts: ImageCounts) -> str:
    few, many = f"{counts.least:,}", f"{counts.most:,}"
    each = many if few == many else f"{few} to {many}"
    how = f"{', '.join(counts.given)} given" if counts.given else "drawn"
    groups = f", {counts.groups:,} groups" if counts.groups else ""
    some = f"; {counts.left_out:,} file{'s' * (counts.left_out > 1)} left out"
    colour = _COLOURS.get(sizes.channels, f"{sizes.channels} channels")
    return (
        f"{counts.classes:,} classes of {each} images; median {sizes.size[0]} x {sizes.size[1]} "
        f"pixels, {colour}; train {counts.train:,}, validation {counts.validation:,}, test "
        f"{counts.test:,} ({how}{groups}){some * (counts.left_out > 0)}"
    )


def _network(kind: Kind, network: NetworkSize) -> str:
    height, width = network.image_size
    if kind == "study":
        widths = " or ".join(map(str, network.widths))
        cost = f"at most {network.most_macs:,} MACs, with which every block fits"
    else:
        widths, cost = str(network.width), f"{network.macs:,} MACs in each arm"
    return (
        f"{height} x {width} pixels, patch {network.patch}, window {network.window}, first width "
        f"{widths}; {cost}: the largest for which there is time"
    )


def _training(kind: Kind, counts: ImageCounts, choice: Choice, preset: Preset) -> str:
    plan = schedule(counts.train, choice.steps)
    images = f"all {plan.epoch_images:,}" if plan.whole else f"{plan.epoch_images:,}"
    several = kind == "study" or len(preset.learning_rates) > 1
    return (
        f"{plan.epochs} epochs of {images} images, {plan.batch} a step: {plan.steps:,} steps; "
        f"learning rate {learning_rate(plan.batch):g}{', half or twice of it' * several}"
    )


def _numbers(kind: Kind, choice: Choice, preset: Preset) -> str:
    if kind == "study":
        return (
            f"{choice.trials} trials, then baselines and the best {preset.top} over "
            f"{choice.seeds} seeds"
        )
    return f"plain Swin, +conv, +mdta and their controls over {choice.seeds} seeds"


def file_head(
    kind: Kind,
    base: ExperimentSettings,
    command: str,
    measured: Measured,
    lines: Sequence[tuple[str, str]],
) -> list[str]:
    """The comment at the top of the file: command, machine, and what was measured."""
    pace = measured.pace
    device = device_name(resolve_accelerator(base.workers.accelerator))
    return [
        f"A {kind} of your own images, proposed by",
        "",
        f"  {command}",
        "",
        "Edit what you like, then",
        "",
        f"  {door()} {COMMANDS[kind]} --config {base.path / BEGIN_FILE}",
        "",
        f"Machine: {device}, {platform.system()} {platform.machine()}, {pace.slots} worker(s).",
        f"Measured: {pace.per_epoch:.2g} s for each epoch, {1e3 * pace.per_image:.2g} ms for each "
        f"image and {1e12 * pace.per_mac:.2g} ms for each GMAC of a training step, "
        f"{pace.around:.1f} s around a training, {pace.start:.1f} s to start.",
        *(f"{heading}: {text}" for heading, text in lines),
        "The rules and their sources: docs/own_images.md.",
        "",
    ]

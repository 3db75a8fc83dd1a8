"""What a run says first: its data, its plan, its folder and its mirror, in four lines."""

from collections.abc import Mapping
from typing import Any

from hybrid_swin.data.summary import summary_lines
from hybrid_swin.system.console import Console
from search.records.runs import PLACES, RESULT_FILE
from search.settings.experiment import ExperimentSettings
from search.settings.wandb import place
from search.statistics.formatting import counted
from search.study.expected_runs import RunCounts

_COLOURS = {1: "grey", 3: "colour", 4: "colour with opacity"}
_MIRRORS = {
    "online": "online, project {project}",
    "offline": "offline, in {dir}; `wandb sync` sends it later",
    "disabled": "disabled",
}


def say_opening(
    settings: ExperimentSettings, about: Mapping[str, Any], plan: str, console: Console
) -> None:
    """Print the four lines; then what was left out of the images and what is odd about them.

    ``about`` is what ``about_data`` says of them, ``plan`` what is to be trained, in words.
    """
    lines = [
        ("data", _data(settings, about)),
        ("plan", plan),
        ("folder", _folder(settings)),
        ("W&B", _mirror(settings)),
    ]
    cautions = []
    if about:
        odd = any(about["copies"][name] for name in ("in_two_splits", "under_two_labels"))
        wanted = ("left out", "note", *(["copies"] if odd else []))
        cautions = [line for line in summary_lines(about) if line[0] in wanted]
    for heading, text in [*lines, *cautions]:
        style = None if heading in dict(lines) else "yellow"
        console.say(f"{heading:<11}{text}", style=style)


def study_words(trials: int, baselines: int, top: int, seeds: int, random: bool = False) -> str:
    """What a study trains: once, and then over fresh seeds.

    ``top`` of the trials are retrained; if there is a ``random`` search, as many of that too.
    """
    rows = f"the {f'{baselines} baselines' if baselines > 1 else 'baseline'}" if baselines else ""
    best = f"the best {counted(top, 'trial') if top > 1 else 'trial'}" if top else ""
    if top and random:
        best += " and as many of the random search"
    once = [counted(n, noun) for n, noun in ((trials, "trial"), (baselines, "baseline")) if n]
    again = " and ".join(filter(None, (rows, best)))
    words = f"{' and '.join(once)} trained once" if once else ""
    retrained = f"{again} retrained over {counted(seeds, 'seed')} each" if again else ""
    return ", then ".join(filter(None, (words, retrained)))


def training_words(counts: RunCounts) -> str:
    """Which runs of a study there are to be, kind by kind, and how many: ``...: 52``."""
    random = counts.random_search > 0
    top = counts.top // (2 if random else 1)
    also = {
        f"{counted(counts.references, 'reference')} without a network": counts.references,
        f"up to {counted(counts.audits, 'stopped trial')} trained to the end": counts.audits,
        f"a random search of that cost (about {counted(counts.random_search, 'trial')})": random,
        f"{counted(counts.means, 'random candidate')} trained like a finalist": counts.means,
    }
    more = ", ".join(text for text, some in also.items() if some)
    return (
        f"{study_words(counts.trials, counts.baselines, top, counts.seeds, random)}"
        f"{f'; also {more}' if more else ''}: {counts.words}"
    )


def _data(settings: ExperimentSettings, about: Mapping[str, Any]) -> str:
    data = settings.data
    if not about:
        return f"of the data module {data.class_path}; it is not looked at here"
    options, lines = data.options, dict(summary_lines(about))
    source = options.get("path") or options.get("csv") or data.source
    height, width, channels = about["pixels"]["shape"]
    colour = _COLOURS.get(channels, f"{channels} channels")
    return (
        f"{source}, {height} x {width} pixels, {colour}; classes {lines['classes']}; "
        f"{lines['splits']}"
    )


def _folder(settings: ExperimentSettings) -> str:
    folder = settings.path
    done = sum(1 for kind in PLACES for _ in folder.glob(f"{kind}/{RESULT_FILE}"))
    return f"{folder} ({f'going on: {done} trainings are done' if done else 'new'})"


def _mirror(settings: ExperimentSettings) -> str:
    where = place(settings.wandb, settings.name, settings.path)
    text = _MIRRORS.get(where.mode, where.mode)
    return text.format(project=where.project, dir=where.dir / "wandb")

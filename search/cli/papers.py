"""The command `papers`: published ablations as comparisons that can be run here."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.program import door
from search.cli.options import PapersOptions, TimeBy
from search.comparison.design.factors import short_names, spell_level
from search.settings.claims import ClaimSettings
from search.settings.comparison import ComparisonSettings
from search.settings.config_files import bundled_configs
from search.settings.reading import read_config_as
from search.statistics.formatting import seconds_text

_FOLDER = "papers"
_HOW: dict[TimeBy, str] = {
    "estimate": "estimated from counted MACs and one timed training step of each first arm, "
    "without images, other work, or workers that slow each other down; --time pilots measures",
    "pilots": "by timed pilot trainings",
}
_OWN_IMAGES = (
    "--data '{source: folder, options: {path: FOLDER}}' --variant.image_size S "
    "--variant.in_channels C --variant.num_classes N"
)


@dataclass(frozen=True)
class Paper:
    """A bundled comparison with what a paper claims.

    Args:
        file: its config.
        head: the comment on top, line by line; the first asks the question.
        settings: the comparison.
        seconds: that it takes on this machine; None if unknown.
        fault: why it cannot be measured here; empty if it can.
    """

    file: Path
    head: tuple[str, ...]
    settings: ComparisonSettings
    seconds: float | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        """What it is called: the file's name."""
        return self.file.stem

    @property
    def path(self) -> str:
        """The file as it is given to ``--config``, found from any folder."""
        return f"configs/{_FOLDER}/{self.file.name}"

    @property
    def cells(self) -> int:
        """Comparisons of their own: combinations of factor levels, by ways of matching."""
        levels = math.prod(len(levels) for levels in self.settings.factors.values())
        return levels * len(self.settings.match.by)

    @property
    def trained(self) -> str:
        """What is trained, as arms x cells x seeds."""
        cells = f"{self.cells} x " if self.cells > 1 else ""
        return f"{len(self.settings.arms)} x {cells}{self.settings.looks[-1]}"

    @property
    def baseline(self) -> str:
        """The arm that others stand against."""
        return self.settings.baseline or self.settings.arms[0].name

    @property
    def question(self) -> str:
        """What it asks, and of which paper."""
        return self.head[0].partition(", http")[0] if self.head else ""

    @property
    def claims(self) -> str:
        """What is claimed, in a line; metrics only where they differ."""
        metrics = {claim.metric for claim in self.settings.published}
        return ", ".join(
            self.claim_text(claim) + (f" ({claim.metric})" if len(metrics) > 1 else "")
            for claim in self.settings.published
        )

    def claim_text(self, claim: ClaimSettings) -> str:
        """One claim: ``no shift -1.1``, ``linear against linear alone +2.3``."""
        subject, against = self.sides(claim)
        if claim.order is not None:
            text, _, margin = claim.text.partition(" within ")
            within = f" within {margin}" if margin else ""
            return f"{subject} {text} than {against}{within}"
        if claim.difference == 0:
            return f"{subject} equal to {against} within {claim.margin:g}"
        other = f" against {against}" if claim.arm and against != self.baseline else ""
        return f"{subject}{other} {claim.text}"

    def sides(self, claim: ClaimSettings) -> tuple[str, str]:
        """What a claim compares with what: labels of arms, or levels of a factor."""
        if claim.factor:
            name = short_names(self.settings.factors)[claim.factor]
            first = self.settings.factors[claim.factor][0]
            return f"{name}={spell_level(claim.level)}", f"{name}={spell_level(first)}"
        return claim.arm, claim.against or self.baseline

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "config": self.path,
            "question": self.question,
            "claims": [asdict(claim) for claim in self.settings.published],
            "arms": [arm.name for arm in self.settings.arms],
            "cells": self.cells,
            "seeds": self.settings.looks[-1],
            "data": self.settings.data.to_dict(),
            "hours": None if self.seconds is None else self.seconds / 3600,
            "fault": self.fault or None,
        }


def run(options: PapersOptions) -> int:
    """List the papers, or show one. Returns the exit code.

    Raises InputError for a name that is not among them.
    """
    papers = [read_paper(file) for file in bundled_configs(_FOLDER)]
    if options.name is not None:
        stem = Path(options.name).stem
        chosen = [paper for paper in papers if paper.name == stem]
        if not chosen:
            raise unknown("paper", options.name, [paper.name for paper in papers])
        papers = chosen
    if options.time != "none":
        papers = list(_with_time(papers, options.time))
    if options.format == "json":
        print_json({"time_by": options.time, "papers": [paper.to_dict() for paper in papers]})
    elif options.name is not None:
        _show(papers[0], options.time, Console())
    else:
        _list(papers, options.time, Console())
    return 0


def read_paper(file: Path) -> Paper:
    """A config with its head. Raises InputError if it cannot be read."""
    head = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        head.append(line.removeprefix("#").removeprefix(" "))
    return Paper(file, tuple(head), read_config_as(str(file), ComparisonSettings))


def _with_time(papers: Sequence[Paper], by: TimeBy) -> Iterator[Paper]:
    """With the time that each takes; or why there is none, such as images of an extra."""
    console = Console(stderr=True)
    console.print("finding how long each takes here (--time none leaves it out) ...", style="dim")
    from search.launch.hours.estimate import estimated_seconds, timed_seconds  # PyTorch

    for number, paper in enumerate(papers, start=1):
        where = f"{paper.name}, {number} of {len(papers)}"
        try:
            if by == "pilots":
                console.say(where)
                seconds = timed_seconds(paper.settings, console)
            else:
                with console.status(f"timing a step of {where}"):
                    seconds = estimated_seconds(paper.settings)
        except InputError as error:
            yield replace(paper, fault=str(error))
        else:
            yield replace(paper, seconds=seconds)


def _list(papers: Sequence[Paper], time_by: TimeBy, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("paper", header_style="dim", no_wrap=True)
    table.add_column("question and published differences", header_style="dim", overflow="fold")
    table.add_column("arms x seeds", header_style="dim", justify="right", no_wrap=True)
    if time_by != "none":
        table.add_column("time here", header_style="dim", justify="right", no_wrap=True)
    for paper in papers:
        about = Text.assemble(paper.question, "\n", (paper.claims, "dim"))
        time = [] if time_by == "none" else [seconds_text(paper.seconds)]
        table.add_row(paper.name, about, paper.trained, *time)
    console.print(table)
    for paper in papers:
        if paper.fault:
            console.say(f"{paper.name}: {paper.fault}", style="yellow")
    console.print()
    if time_by != "none":
        console.print(f"time:     {_HOW[time_by]}", highlight=False)
    console.say(f"show one: {door()} papers NAME")
    console.say(f"run one:  {door()} compare --config configs/{_FOLDER}/NAME.yaml")


def _show(paper: Paper, time_by: TimeBy, console: Console) -> None:
    for number, line in enumerate(paper.head):
        console.say(Text(line, "bold" if number == 0 else ""))
    console.print()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("claim", "published", "metric", "source"):
        table.add_column(heading, header_style="dim", overflow="fold")
    for claim in paper.settings.published:
        pair = " against ".join(paper.sides(claim))
        table.add_row(*map(Text, (pair, claim.text, claim.metric, claim.source)))
    console.print(table)
    console.print()
    arms = ", ".join(arm.name for arm in paper.settings.arms)
    rates = len(paper.settings.learning_rates)
    choice = f", each after a choice among {rates} learning rates" if rates > 1 else ""
    console.say(f"arms      {arms}")
    console.say(f"trained   {paper.trained} (arms x seeds){choice}")
    if paper.fault:
        console.say(f"time      {paper.fault}", style="yellow")
    elif paper.seconds is not None:
        console.say(f"time      about {seconds_text(paper.seconds)} here: {_HOW[time_by]}")
    for url in dict.fromkeys(claim.url for claim in paper.settings.published if claim.url):
        console.say(f"source    {url}")
    command = f"{door()} compare --config {paper.path}"
    console.say(f"run       {command}")
    own = "your own images, as S x S pixels of C channels, N classes; without --dry-run it trains:"
    console.say(f"own       {own}")
    console.say(f"          {command} --name mine --dry-run {_OWN_IMAGES}")

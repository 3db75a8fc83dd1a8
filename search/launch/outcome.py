"""Studies and comparisons as Python objects: a snapshot of what their folder holds."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import expanded
from hybrid_swin.system.schema import check_arguments
from search.comparison.design.plan_file import read_plan
from search.comparison.report.end_page import print_end as print_comparison_end
from search.comparison.report.files import json_content
from search.comparison.report.tables import print_comparison
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.leaderboard.board import Leaderboard
from search.leaderboard.end.page import print_end
from search.leaderboard.joint_board import join
from search.leaderboard.row_table import RowTable
from search.leaderboard.rows.row import Row
from search.leaderboard.table import print_leaderboard
from search.records.looks import LOOKS
from search.records.settings import is_comparison

_WIDTH, _WIDTHS = 100, Range(1, 10_000)  # columns of a report


@dataclass(frozen=True, repr=False)
class Study:
    """What a study found so far. Open it again to see what has been added since.

    Args:
        folder: where it lies.
        board: its rows with everything that is known of them.
    """

    folder: Path
    board: Leaderboard

    @property
    def leaderboard(self) -> RowTable:
        """The rows of ``leaderboard.csv`` in their order: ``pandas.DataFrame`` takes them."""
        return self.board.table()

    @property
    def best(self) -> Row | None:
        """The first row, if it was retrained over several seeds: a single run wins nothing."""
        return self.board.best

    @property
    def finalists(self) -> tuple[Row, ...]:
        """The rows that were retrained with fresh seeds, baselines among them, in their order."""
        return tuple(row for row in self.board.rows if row.fidelity == "final")

    def to_dict(self) -> dict[str, Any]:
        """The content of ``leaderboard.json``."""
        return self.board.to_dict()

    def report(self, width: int = _WIDTH, *, full: bool = False) -> str:
        """What the command prints at the end of a study: the answer, its doubt, cautions.

        Args:
            width: columns.
            full: every row and every sentence, as ``leaderboard --all`` prints them.
        """
        check_arguments(self.report, full=full)
        return _printed(width, partial(self.print_report, full=full))

    def print_report(self, console: Console, *, full: bool = False) -> None:
        """Print the report to a console."""
        (print_leaderboard if full else print_end)(self.board, console)

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r}, {len(self.board.rows)} rows)"

    def _repr_html_(self) -> str:
        return self.leaderboard._repr_html_()


@dataclass(frozen=True, repr=False)
class ComparisonStudy:
    """What a comparison found so far. Open it again to see what has been added since.

    Args:
        folder: where it lies.
        comparison: its arms and their differences with everything that is known of them.
    """

    folder: Path
    comparison: Comparison

    @property
    def leaderboard(self) -> RowTable:
        """The rows of ``comparison.csv``: one per difference, and one for each arm without."""
        return self.comparison.table()

    @property
    def best(self) -> ArmResult | None:
        """The arm with the best mean on validation, among those that completed every seed.

        None if there are several cells or matchings. Whether it is better than others is shown by
        the differences, not by this order.
        """
        comparison = self.comparison
        places = {(arm.cell, arm.matching) for arm in comparison.results}
        known = [arm for arm in comparison.results if arm.whole and arm.validation_mean is not None]
        if len(places) != 1 or not known:
            return None
        return max(known, key=lambda arm: comparison.sign * (arm.validation_mean or 0.0))

    @property
    def finalists(self) -> tuple[ArmResult, ...]:
        """All arms: each is trained over the paired seeds and tested."""
        return self.comparison.results

    def to_dict(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        return json_content(self.comparison)

    def report(self, width: int = _WIDTH, *, full: bool = False) -> str:
        """What the command prints at the end of a comparison; arguments are those of a study's."""
        check_arguments(self.report, full=full)
        return _printed(width, partial(self.print_report, full=full))

    def print_report(self, console: Console, *, full: bool = False) -> None:
        """Print the report to a console."""
        if full:
            print_comparison(self.comparison, console)
        else:
            print_comparison_end(self.comparison, self.folder, console)

    def __repr__(self) -> str:
        return f"ComparisonStudy({str(self.folder)!r}, {len(self.finalists)} arms)"

    def _repr_html_(self) -> str:
        return self.leaderboard._repr_html_()


def open_study(
    folder: str | os.PathLike[str], *, plugins: Sequence[str] = (), trust: bool = False
) -> Study | ComparisonStudy:
    """Open the folder of a study or a comparison, finished or not.

    Reading results is a look at the data: it is written into the folder, so that tests stay honest
    if seeds are added later.

    Args:
        folder: for example ``runs/digits``.
        plugins: files of your own blocks that the comparison uses.
        trust: whether the plug-ins that the folder keeps may run.

    Raises InputError if it is not such a folder, or a file in it cannot be read.
    """
    if not isinstance(folder, str | os.PathLike):
        raise InputError(f"folder must be the name of a study's folder; got {quote(folder)}")
    plugins = [plugins] if isinstance(plugins, str) else plugins
    check_arguments(open_study, plugins=plugins, trust=trust)
    place = expanded(os.fsdecode(folder))
    if not is_comparison(place):
        return Study(place, read_board([place]))
    adopt_kept_plugins(place, plugins, trust)
    return ComparisonStudy(place, Comparison.from_folder(place, read_plan(place)))


def read_board(folders: Sequence[Path]) -> Leaderboard:
    """The leaderboard of a study, or of several in one; that it is looked at is written down.

    Raises InputError for a folder of no study, or studies that are not to be compared.
    """
    board = join(folders) if len(folders) > 1 else Leaderboard.from_folder(folders[0])
    for unwritten in board.record_looks("leaderboard"):
        print(
            f"that conclusions are drawn now cannot be written into {unwritten / LOOKS}: if "
            "seeds are added later, count this look yourself",
            file=sys.stderr,
        )
    return board


def _printed(width: int, print_report: Callable[[Console], None]) -> str:
    """A report as text of so many columns. Raises InputError if there cannot be so many."""
    check_arguments(_printed, width=width)
    check_ranges({"width": (width, _WIDTHS)})
    text = io.StringIO()
    print_report(Console(file=text, width=width, force_terminal=False))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"

"""The command `leaderboard`: what a study, several or a comparison have found, by their folders."""

import json
import sys
from pathlib import Path
from typing import Any

from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import json_ready
from search.comparison.design.plan_file import read_plan
from search.comparison.report.end_page import print_end as print_comparison_end
from search.comparison.report.figures import save_differences
from search.comparison.report.files import told
from search.comparison.report.tables import print_comparison
from search.comparison.results.comparison import Comparison
from search.leaderboard.board import Leaderboard
from search.leaderboard.end.page import print_end
from search.leaderboard.joint_board import join
from search.leaderboard.table import print_leaderboard, save_svg
from search.records.looks import LOOKS
from search.records.settings import is_comparison


def run(options: Any) -> int:
    """Print what the folders hold in the format asked for; returns the exit code.

    Raises:
        InputError: a folder is of no study, a file of it cannot be read, or several are not to be
            compared.
    """
    folder, *others = [Path(name) for name in options.studies]
    found: Leaderboard | Comparison
    if others:
        found = join([folder, *others])
    elif is_comparison(folder):
        adopt_kept_plugins(folder, options.plugin, options.trust)
        found = Comparison.from_folder(folder, read_plan(folder))
    else:
        found = Leaderboard.from_folder(folder)
    if isinstance(found, Leaderboard):
        for unwritten in found.record_looks("leaderboard"):
            print(
                f"that conclusions are drawn now cannot be written into {unwritten / LOOKS}: if "
                "seeds are added later, count this look yourself",
                file=sys.stderr,
            )
    if options.format == "csv":
        print(found.to_csv(), end="")
    elif options.format == "json":
        content = told(found) if isinstance(found, Comparison) else found.to_dict()
        print(json.dumps(json_ready(content), indent=1))
    elif isinstance(found, Comparison):
        if options.all:
            print_comparison(found, Console())
        else:
            print_comparison_end(found, folder, Console())
    else:
        (print_leaderboard if options.all else print_end)(found, Console())
    if options.svg:
        if isinstance(found, Comparison):
            save_differences(found, Path(options.svg))
        else:
            save_svg(found, Path(options.svg))
    return 0

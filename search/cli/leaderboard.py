"""The command `leaderboard`: what a study, several or a comparison have found, by their folders."""

from pathlib import Path

from hybrid_swin.system.answer import print_json, print_text
from hybrid_swin.system.console import Console
from search.cli.options import LeaderboardOptions
from search.comparison.report.figures import save_differences
from search.launch.outcome import ComparisonStudy, Study, open_study, read_board
from search.leaderboard.table import save_svg


def run(options: LeaderboardOptions) -> int:
    """Print what the folders hold in the format asked for; returns the exit code.

    Raises InputError if a folder is of no study, a file of it cannot be read, or several are not to
    be compared.
    """
    folders = [Path(name) for name in options.studies]
    study: Study | ComparisonStudy
    if len(folders) > 1:
        study = Study(folders[0], read_board(folders))
    else:
        study = open_study(folders[0], plugins=options.plugin, trust=options.trust)
    if options.svg:
        if isinstance(study, ComparisonStudy):
            save_differences(study.comparison, Path(options.svg))
        else:
            save_svg(study.board, Path(options.svg))
    if options.format == "csv":
        print_text(study.leaderboard.to_csv())
    elif options.format == "json":
        print_json(study.to_dict())
    else:
        study.print_report(Console(), full=options.all)
    return 0

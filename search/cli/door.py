"""Where ``python search.py`` and ``hybrid-swin`` come in: first the import path, then the rest."""

import sys

from hybrid_swin.errors.failed_imports import check_installed
from hybrid_swin.system.processes import arrange_imports, end_if_interrupted


def main() -> int:
    """Run the command of the command line; returns the exit code."""
    arrange_imports()
    end_if_interrupted()
    check_installed()
    if _trains(sys.argv[1:]):
        from search.execution.forked_workers import server

        server()  # imports while this process reads settings and images
    from hybrid_swin.system.program import end_with
    from search.cli.main import main as run

    return end_with(run())


def _trains(arguments: list[str]) -> bool:
    """Whether a command starts workers; said by its words alone, before anything is imported."""
    named = not arguments or arguments[0].startswith("-") or arguments[0] in ("run", "compare")
    return named and not {"-h", "--help", "--print_config"} & set(arguments)

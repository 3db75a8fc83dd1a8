"""Where ``python search.py`` and ``hybrid-swin`` come in: first the import path, then the rest."""

from hybrid_swin.system.processes import arrange_imports


def main() -> int:
    """Run the command of the command line; returns the exit code."""
    arrange_imports()
    from search.cli.main import main as run

    return run()

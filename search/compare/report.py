"""What a person reads at the end of a comparison."""

from pathlib import Path
from typing import Any

from rich.console import Console


def print_report(comparison: Any, folder: Path, console: Console) -> None:
    """To be completed by tables, conclusions and figures."""
    console.print(f"results: {folder}", highlight=False)

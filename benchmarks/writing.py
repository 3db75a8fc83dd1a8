"""Keeps what a benchmark measured: JSON for programs, Markdown for readers, printed as well."""

from pathlib import Path
from typing import Any

from hybrid_swin.system.files import write_json_atomically


def write_report(out: Path, report: dict[str, Any], text: str) -> None:
    """Write ``out``.json and ``out``.md, and print the latter."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(out.with_suffix(".json"), report)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)

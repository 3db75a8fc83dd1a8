"""One W&B run from a folder of inspections: its numbers, and its figures only where asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.errors.plain_text import described
from hybrid_swin.system.files import read_json
from search.reporting.wandb.content import harmless
from search.reporting.wandb.run import start_run
from search.settings.wandb import WandbSettings, place


def send(folder: Path, log_images: bool, names: Sequence[str]) -> str:
    """Write a run; returns a sentence for the terminal. What fails is said and stops nothing.

    Args:
        folder: with its ``index.json``.
        log_images: send the figures as well, which may show something of the user's images.
        names: of the inspections to send; what lies beside them in the folder stays.
    """
    try:
        return _send(folder, log_images, names)
    except Exception as error:  # a mirror: whatever W&B raises must cost nobody the results
        return f"W&B: nothing was sent ({described(error)})"


def _send(folder: Path, log_images: bool, names: Sequence[str]) -> str:
    index = read_json(folder / "index.json")
    where = place(WandbSettings(), folder.name, folder)
    if where.mode == "disabled":
        return "W&B is disabled by WANDB_MODE; nothing was sent"
    run = start_run(
        where,
        name=f"inspect {folder.name}",
        job_type="inspect",
        config=harmless(index["subject"]),
    )
    import wandb

    logged: dict[str, Any] = {}
    try:
        for name in names:
            entry = index["inspections"][name]
            if not entry["numbers"]:
                continue
            columns, rows = table_of(read_json(folder / entry["numbers"])["rows"])
            logged[name] = wandb.Table(columns, rows, allow_mixed_types=True)
            if log_images and (entry["figure"] or "").endswith(".png"):
                logged[f"{name}/figure"] = wandb.Image(str(folder / entry["figure"]))
            elif log_images and entry["figure"]:
                logged[f"{name}/figure"] = wandb.Html((folder / entry["figure"]).read_text("utf-8"))
        run.log(logged)
    finally:
        run.finish()
    figures = sum(name.endswith("/figure") for name in logged)
    kept = "" if log_images else "; the figures stay here (--log_images true sends them)"
    return f"W&B ({where.mode}): {len(logged) - figures} tables, {figures} figures{kept}"


def table_of(rows: list[dict[str, Any]]) -> tuple[list[str | int], list[list[Any]]]:
    """Rows as a table of single values; maps, which may show an image, are left out."""
    names = [
        name
        for name in dict.fromkeys(key for row in rows for key in row)
        if not any(isinstance(row.get(name), list | dict) for row in rows)
    ]
    return [*names], [[row.get(name) for name in names] for row in rows]

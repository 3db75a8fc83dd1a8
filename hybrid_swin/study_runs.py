"""What a run of a study was asked to train, read from its ``run.json``: its variant and recipe."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.recipe import Recipe
from hybrid_swin.variant import Variant

_RUN, TRAINED = "run.json", "attempt-*/final.ckpt"  # what a run was asked, and its weights


def names_run(path: str | Path) -> bool:
    """Whether a path means a run of a study: its folder or ``run.json``; or a study itself."""
    path = Path(path)
    return path.name == _RUN or os.path.isfile(path / _RUN) or is_study(path)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study or comparison."""
    return os.path.isdir(folder / "trials")  # unlike Path's, of inline YAML too


def run_variant(path: str | Path) -> Variant:
    """The network of a run. Raises InputError where a path means none, or one without network."""
    return Variant.from_dict(_read(path)["variant"])


def run_recipe(path: str | Path) -> Recipe:
    """The recipe of a run. Raises InputError likewise."""
    return Recipe.from_dict(_read(path)["recipe"])


def with_recipes_of_runs(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with the run behind each ``--recipe`` replaced by what it was."""
    given = list(arguments)
    for index, argument in enumerate(given):
        before = given[index - 1] if index else ""
        name, equals, path = argument.partition("=")
        if name == "--recipe" and equals and names_run(path):
            given[index] = f"--recipe={_recipe_text(path)}"
        elif before == "--recipe" and names_run(argument):
            given[index] = _recipe_text(argument)
    return given


def refuse_study(path: Path) -> None:
    """Raise InputError, which names a run, where a path is a study."""
    if is_study(path):
        example = _example(path)
        such = f", such as {example!r}" if example else ""
        raise InputError(f"{str(path)!r} is a study; give the folder of one of its runs{such}")


def refuse_reading(folder: Path) -> None:
    """Raise InputError, which says what to do, where what is to be tested is a study or of one.

    A study has read its splits itself, under rules of its own.
    """
    run = next((f for f in (folder, folder.parent) if os.path.isfile(f / _RUN)), None)
    if is_study(folder):
        study, what, network = folder, "a study", _example(folder) or "RUN"
    elif run is not None:
        up = [".." for _ in Path(str(_content(run / _RUN).get("key", ""))).parts]
        study, what, network = run.joinpath(*up), "a run of a study", str(run)
    else:
        return
    raise InputError(
        f"{str(folder)!r} is {what}, which has read its splits itself: `python search.py "
        f"leaderboard {os.path.normpath(study)}` shows what it found; `python -m hybrid_swin fit "
        f"--variant {network} --recipe {network} --folder NEW` trains a network of it anew"
    )


def _recipe_text(path: str) -> str:
    return json.dumps(run_recipe(path).to_dict())


def _read(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    refuse_study(path)
    file = path if path.name == _RUN else path / _RUN
    content = _content(file)
    if not all(isinstance(content.get(name), dict) for name in ("variant", "recipe")):
        raise InputError(f"{str(file)!r} is of no network; give a trial, baseline or finalist")
    return content


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"run file {str(file)!r} cannot be read: {error}") from error
    return content if isinstance(content, dict) else {}


def _example(study: Path) -> str:
    """A trained run of a study, a finalist where there is one; empty where there is none."""
    for place in ("finalists/*/*", "trials/*"):
        for found in sorted(study.glob(f"{place}/{TRAINED}")):
            return str(found.parents[1])
    return ""

"""What a run of a study trained, read from its ``run.json``: its variant, recipe and data."""

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.own_code.kept_plugins import recorded_hashes, recorded_of, study_of
from hybrid_swin.spec.own_code.module_sources import check_data_code, class_paths_in
from hybrid_swin.spec.recipe import Recipe, with_defaults
from hybrid_swin.spec.recipe_presets import PRESET, read_preset
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.file_names import BOARD_FILE, FINAL, RUN_FILE
from hybrid_swin.system.files import read_json
from hybrid_swin.system.program import door

_NAME = re.compile(r"[a-z][a-z0-9_]*")  # of a preset; a file has an ending
STARTS = "weight_init", "zero_init_residual"  # what a recipe says of first weights
TRAINED = f"attempt-*/{FINAL}"  # the weights of a run
WORKING_FOLDER = "working_folder"  # its name in study.json, receipts and the settings of a fit
_NAMES = ("path", "paths", "file", "files", "folder", "root", "dir", "directory")
_ENDS = tuple(f"_{name}" for name in _NAMES)


def names_run(path: str | Path) -> bool:
    """Whether a path means a run of a study: its folder or ``run.json``; or a study itself."""
    path = Path(path)
    return path.name == RUN_FILE or os.path.isfile(path / RUN_FILE) or is_study(path)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study or comparison."""
    return os.path.isdir(folder / "trials")  # unlike Path's, of inline YAML too


def run_variant(path: str | Path) -> Variant:
    """The network of a run. Raises InputError where a path means none, or one without network."""
    return Variant.from_dict(_read(path)["variant"])


def run_folder(path: str | Path) -> Path:
    """The folder of a run, of which the path may be the ``run.json``."""
    path = Path(path)
    return path.parent if path.name == RUN_FILE else path


def run_recipe(path: str | Path) -> Recipe:
    """The recipe of a run, with the precision that its study settled on. Raises likewise."""
    content = _read(path)
    recipe = Recipe.from_dict(content["recipe"])
    precision = _resolved(content).get("precision")
    if recipe.precision == "auto" and precision is not None:
        recipe = replace(recipe, precision=precision)
    return recipe


def run_start(path: str | Path) -> dict[str, Any]:
    """How a run's network starts, by its recipe: arguments of ``HybridSwin``. Raises likewise."""
    recipe = _read(path)["recipe"]
    return {name: recipe[name] for name in STARTS if name in recipe}


def run_seed(path: str | Path) -> int:
    """The seed of a run. Raises likewise."""
    seed = _read(path).get("seed")
    return seed if isinstance(seed, int) else 0


def run_data(path: str | Path) -> dict[str, Any]:
    """The data of a run, as plain settings.

    Raises InputError for no run, or one of a version that did not write its data down.
    """
    content = _read(path)
    data = content.get("data") or _resolved(content).get("data")
    if not isinstance(data, dict):
        raise InputError(
            f"{str(path)!r} does not say what it was trained on; give --data.source and "
            "--data.options as in the settings.yaml of its study"
        )
    settings: dict[str, Any] = with_paths_found(data, began_in(path))
    return settings


def run_first_weights(path: str | Path) -> dict[str, str]:
    """The options by which a training starts from the weights that a run started from; of none {}.

    Raises likewise.
    """
    content = _read(path)
    if not content.get("init"):
        return {}
    options = {"init": str(content["init"])}
    if content.get("weights_prefix") is not None:
        options["weights_prefix"] = str(content["weights_prefix"])
    if content.get("init_strict") is False:
        options["init_strict"] = "false"
    study = study_of(path)
    hashes = recorded_of(study).get("data") if study else None
    if isinstance(hashes, Mapping) and hashes.get("init"):
        options["init_hash"] = str(hashes["init"])
    return options


def with_runs(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with each run put in its place.

    ``--run RUN`` becomes ``--variant RUN --recipe RUN --data RUN``, with the ``--init`` that it
    started from, and the run behind ``--recipe`` and ``--data`` its recipe and its data. A preset
    behind ``--recipe`` becomes a mapping with its name. Raises InputError if it is not such a run,
    or its data are a module's that nobody asked to run.
    """

    def data_of(path: str) -> dict[str, Any]:
        data, study = run_data(path), study_of(path)
        recorded = recorded_hashes(study, "modules") if study else {}
        trust = "--trust" in arguments
        named = values_of("--data.class_path", arguments)  # in the place of the run's own
        for class_path in named or class_paths_in({"data": data}):
            check_data_code(class_path, recorded, f"the run {path!r}", trust or bool(named))
        return data

    read = {"--recipe": lambda path: with_defaults(run_recipe(path).to_dict()), "--data": data_of}
    given: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, path = argument.partition("=")
        if name not in ("--run", "--recipe.preset", *read):
            given.append(argument)
            continue
        path = path if equals else next(rest, "")
        if name == "--recipe.preset":
            given += ["--recipe", _preset(path)]
        elif name == "--run":
            if not names_run(path):
                raise InputError(f"--run {path!r} is not a run of a study; give the folder of one")
            given += ["--variant", path]
            for option, settings in read.items():
                given += [option, json.dumps(settings(path))]
            if not values_of("--init", arguments):
                given += [f"--{name}={value}" for name, value in run_first_weights(path).items()]
        elif path:
            value = json.dumps(read[name](path)) if names_run(path) else path
            if name == "--recipe" and _NAME.fullmatch(path) and not names_run(path):
                value = _preset(path)
            given += [f"{name}={value}"] if equals else [name, value]
        else:  # which the parser refuses
            given.append(argument)
    return given


def _preset(name: str) -> str:
    """A recipe that names a preset. Raises InputError for an unknown one."""
    read_preset(name)
    return json.dumps({PRESET: name})


def values_of(option: str, arguments: Sequence[str]) -> list[str]:
    """What an option is given on a command line, before it is read."""
    given = [word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")]
    return given + [value for name, value in pairwise(arguments) if name == option]


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
    run = next((f for f in (folder, folder.parent) if os.path.isfile(f / RUN_FILE)), None)
    if is_study(folder):
        study, what, network = folder, "a study", _example(folder) or "RUN"
    elif run is not None:
        up = [".." for _ in Path(str(_content(run / RUN_FILE).get("key", ""))).parts]
        study, what, network = run.joinpath(*up), "a run of a study", str(run)
    else:
        return
    raise InputError(
        f"{str(folder)!r} is {what}, which has read its splits itself: `{door()} "
        f"leaderboard {shlex.quote(os.path.normpath(study))}` shows what it found; `python -m "
        f"hybrid_swin fit --run {shlex.quote(network)} --folder NEW` trains a network of it anew"
    )


def _read(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    refuse_study(path)
    file = path if path.name == RUN_FILE else path / RUN_FILE
    content = _content(file)
    if not all(isinstance(content.get(name), dict) for name in ("variant", "recipe")):
        raise InputError(f"{str(file)!r} is of no network; give a trial, baseline or finalist")
    return content


def _resolved(content: dict[str, Any]) -> dict[str, Any]:
    settings = content.get("settled")
    return settings if isinstance(settings, dict) else {}


def _content(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except InputError as error:
        raise InputError(f"run file {str(file)!r} cannot be read: {error}") from error


def study_winner(study: Path) -> tuple[Path, str]:
    """The run of a study's first row, and a sentence that says which it is.

    Its networks of several seeds are trained alike; that of the first seed is taken. Raises
    InputError for a comparison, which has arms and no winner, or a study without an answer yet.
    """
    first = _first_row(study)
    if first is None:
        example = _example(study)
        such = f", such as {example!r}" if example else ""
        raise InputError(
            f"{str(study)!r} is a study without a winner that can be used (a comparison has none, "
            f"nor has a search before its finalists are trained); give the folder of a run{such}"
        )
    folder, row, ties = first
    tied = f"; {ties} other row(s) may be as good" if ties else ""
    of_seeds = f"(seed 1 of {len(row['keys'])})"
    return folder, f"{row['label']}, the first row of {study.name} {of_seeds}{tied}"


def _first_row(study: Path) -> tuple[Path, Mapping[str, Any], int] | None:
    """The first row with a network that was retrained, its run, and how many may be as good."""
    try:
        rows = read_json(study / BOARD_FILE)["rows"]
        row = next(row for row in rows if row["variant_id"] and row["fidelity"] == "final")
        folder = study / str(row["keys"][0])
        ties = sum(bool(other.get("may_be_best")) for other in rows if other is not row)
        has_label = isinstance(row["label"], str) and isinstance(row["keys"], list)
        return (folder, row, ties) if has_label and any(folder.glob(TRAINED)) else None
    except (InputError, KeyError, TypeError, StopIteration, IndexError, AttributeError):
        return None


def _example(study: Path) -> str:
    """A trained run of a study: of its first row, else a finalist; empty where there is none."""
    if (first := _first_row(study)) is not None:
        return str(first[0])
    for place in ("finalists/*/*", "trials/*"):
        for file in sorted(study.glob(f"{place}/{TRAINED}")):
            return str(file.parents[1])
    return ""


# Paths of images in settings that a study or a training left. What a user gives is kept as it was
# given, relative to the folder where the work began, and that folder is recorded beside it. Whoever
# reads such settings looks there first: in the working folder a path of the same name may lead to
# other images.


def working_folder() -> str:
    """The folder that relative paths are meant from; empty where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def began_in(place: str | Path) -> str:
    """Where the study of a run, a checkpoint or a folder was begun; empty if unknown."""
    study = study_of(place)
    return str(recorded_of(study).get(WORKING_FOLDER) or "") if study else ""


def with_paths_found(data: Any, began: str) -> Any:
    """Data settings whose relative paths are found from the folder where the work began.

    Those of a source's ``options`` or a module's ``init_args``. What is not there, or if the folder
    is unknown, is left as it was given.
    """
    if not isinstance(data, Mapping):  # who reads the settings says so
        return data
    settings = dict(data)
    if began == working_folder():
        return settings
    for name in ("options", "init_args"):
        options = settings.get(name)
        if isinstance(options, Mapping):
            settings[name] = {
                key: _existing_path(key, value, began) for key, value in options.items()
            }
    return settings


def with_weights_found(init: Any, began: str) -> Any:
    """The same of first weights: a path, or a mapping that holds it as ``weights``."""
    if isinstance(init, Mapping):
        return {**init, "weights": with_weights_found(init.get("weights"), began)}
    return init if began == working_folder() else _existing_path("path", init, began)


def _existing_path(name: str, value: Any, began: str) -> Any:
    if not began or not _is_path(name, value):
        return value
    place = os.path.normpath(os.path.join(began, value))
    return place if os.path.exists(place) else value


def _is_path(name: str, value: Any) -> bool:
    named = str(name) in _NAMES or str(name).endswith(_ENDS)
    return named and isinstance(value, str) and bool(value) and not value.startswith("~")

"""What `inspect` looks into: the network that is meant, and where it was trained."""

import dataclasses
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.interop.trained import load_trained
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.interop.weights.source.files import find_checkpoint
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.spec import published
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins, recorded_hashes, study_of
from hybrid_swin.spec.own_code.module_sources import check_data_code
from hybrid_swin.spec.run_reference import WORKING_FOLDER, began_in, with_paths_found
from hybrid_swin.system.files import given_path
from hybrid_swin.system.yaml_files import read_yaml
from search.cli.inspect.options import InspectQuestion
from search.records.runs import RUN_FILE, RunSpec, read_spec
from search.records.settings import SETTINGS_FILE, read_data
from search.settings.kinds import read_variant

_LEVELS = 6  # from a checkpoint up to the folder of its study


@dataclass(frozen=True, eq=False)
class TargetNetwork:
    """The network that is meant."""

    name: str  # short, fit for a folder
    model: HybridSwin  # with its weights, or with random ones
    checkpoint: Path | None = None  # where the weights come from; None for random ones
    # how images became what the network has learned from, where known
    normalisation: Normalisation | None = None
    # of the images that it has learned from, where known
    class_names: tuple[str, ...] | None = None
    # the folder with the settings that it was trained by, where there is one
    home: Path | None = None
    run: RunSpec | None = None  # what its run was asked to do, where it is one of a study
    # of the images that it has learned from, where known
    identity: Mapping[str, Any] = field(default_factory=dict)

    def test_side(self, split: str) -> int | None:
        """Pixels per side in which the training read a split, if not the variant's."""
        side: int | None = self.identity.get("recipe", {}).get("test_image_size")
        return None if split == "train" or (side, side) == self.model.variant.image_size else side

    def about(self) -> dict[str, Any]:
        """What `index.json` says of the network."""
        variant = self.model.variant
        digest = None
        if self.checkpoint is not None:
            with self.checkpoint.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()[:10]
        return {
            "variant_id": variant.id,
            "variant": variant.to_dict(),
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "checkpoint_hash": digest,
            "trained": self.checkpoint is not None,
        }


def find_target(question: InspectQuestion) -> TargetNetwork:
    """Build or load the network.

    Raises InputError if there is nothing of that name, or a file cannot be used.
    """
    named, path = question.target, given_path(question.target)
    if named in published.names() or named.endswith((".yaml", ".yml")):
        variant = resolve_variant(named) if named in published.names() else read_variant(named)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(question.seed)
            model = HybridSwin(variant)
        return TargetNetwork(Path(named).stem, model)
    if path is None or not path.exists():
        error = unknown("network", named, published.names())
        raise InputError(
            f"{error}; or give a YAML file, the folder of a training or a checkpoint that exists"
        )
    checkpoint = find_checkpoint(path)
    home = _home(checkpoint)
    adopt_kept_plugins(checkpoint, question.plugin, question.trust)
    trained = load_trained(checkpoint)
    return TargetNetwork(
        _short_name(path, checkpoint, home),
        trained.model,
        checkpoint,
        trained.normalisation,
        trained.class_names,
        home,
        None if home is None else _run_of(checkpoint, home),
        trained.identity,
    )


def _home(checkpoint: Path) -> Path | None:
    """The nearest folder above a checkpoint whose settings say what it was trained on.

    One whose settings are damaged is it as well: who needs them is told.
    """
    for folder in list(checkpoint.resolve().parents)[:_LEVELS]:
        try:
            if read_data(folder) is not None:
                return folder
        except InputError:
            return folder
    return None


def _settings_in(folder: Path) -> dict[str, Any]:
    """The settings in a folder, also of a training; empty where they cannot be read."""
    with suppress(InputError):
        content = read_yaml(folder / SETTINGS_FILE, SETTINGS_FILE)
        return content if isinstance(content, dict) else {}
    return {}


def _run_of(checkpoint: Path, home: Path) -> RunSpec | None:
    """What the run that a checkpoint belongs to was asked to do; None if nothing says it.

    Raises InputError if its file is damaged: it may name images of its own.
    """
    for folder in checkpoint.resolve().parents:
        if folder == home:
            break
        if (folder / RUN_FILE).exists():
            return read_spec(home, folder.relative_to(home).as_posix())
    return None


def _short_name(path: Path, checkpoint: Path, home: Path | None) -> str:
    """``digits-finalists-0a1b2c-0`` for a run of the study digits, else by folder and file."""
    run = path if path.is_dir() else checkpoint.parent
    if home is None:
        whole = path.resolve()
        return f"{whole.parent.name}-{path.stem}".strip("-") if path.is_file() else whole.name
    parts = run.resolve().relative_to(home).parts
    return "-".join((home.name, *(part for part in parts if not part.startswith("attempt-"))))


def _began_in(home: Path | None) -> str:
    """Where the study or the training in a folder was begun; empty if unknown."""
    if home is None:
        return ""
    return str(_settings_in(home).get(WORKING_FOLDER) or began_in(home))


def settings_of(target: TargetNetwork, named: str, trust: bool) -> DataSettings:
    """The images that a network was trained on; its user calls it ``named``.

    Raises InputError if it is not known, or its study's folder names code that is not trusted.
    """
    data = None
    if target.home is not None:
        own = target.run.data if target.run else None  # where others than the comparison's
        data = own or read_data(target.home)
    if data is None:
        raise InputError(
            f"which images shall {named!r} be shown? Give --data with a source, such as --data "
            "digits or --data folder --data.options.path FOLDER; or --data noise for random images"
            + ("" if target.checkpoint else ", since random weights speak of the architecture only")
        )
    known = {f.name for f in dataclasses.fields(DataSettings)}
    data = with_paths_found(data, _began_in(target.home))
    settings = DataSettings.from_dict({key: value for key, value in data.items() if key in known})
    check_data_module(settings, target, named, trust)
    return settings


def check_data_module(
    settings: DataSettings, target: TargetNetwork, named: str, trust: bool
) -> None:
    """Raise InputError where a data module must not be imported, or is not as it was recorded.

    With ``trust`` code may run that the study's folder names.
    """
    home = target.home
    study = None if home is None else study_of(home)
    recorded = recorded_hashes(study, "modules") if study else {}
    if home is not None and isinstance(modules := _settings_in(home).get("modules"), dict):
        recorded |= modules  # of a training
    check_data_code(settings.class_path, recorded, f"the study of {named!r}", trust)

"""The data that a training had: of a finished fit, or of a run of a study."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.spec.own_code.kept_plugins import recorded_hashes, study_of
from hybrid_swin.spec.own_code.module_sources import check_data_code
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.run_reference import (
    WORKING_FOLDER,
    run_data,
    run_recipe,
    run_seed,
    run_variant,
    with_paths_found,
)
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.file_names import RUN_FILE, SETTINGS_FILE
from hybrid_swin.system.yaml_files import read_yaml


class TrainedData(NamedTuple):
    """What a training was asked, as far as its data depend on it."""

    variant: Variant
    recipe: Recipe
    data: DataSettings
    seed: int

    def module(self) -> L.LightningDataModule:
        """Its data, to be set up."""
        return make_datamodule(
            self.data,
            self.variant,
            self.recipe.batch_size,
            self.seed,
            repeats=self.recipe.repeats,
            sampling=self.recipe.sampling,
            test_image_size=self.recipe.test_image_size,
        )


def folder_of(checkpoint: Path) -> Path | None:
    """The folder of the training that a checkpoint is of; None if it lies elsewhere."""
    names = (RUN_FILE, SETTINGS_FILE)
    for folder in (checkpoint.parent, checkpoint.parent.parent):
        if any((folder / name).is_file() for name in names):
            return folder
    return None


def trained_data(folder: Path, trust: bool = False) -> TrainedData:
    """What a training's folder says of its data.

    Raises:
        InputError: the folder of neither, a damaged one, or data whose code nobody asked to run.
    """
    if (folder / RUN_FILE).is_file():
        return _of_run(folder, trust)
    return _of_fit(folder, trust)


def _of_run(folder: Path, trust: bool) -> TrainedData:
    data = DataSettings.from_dict(run_data(folder))
    study = study_of(folder)
    recorded = recorded_hashes(study, "modules") if study else {}
    check_data_code(data.class_path, recorded, f"the run {str(folder)!r}", trust, by_name=False)
    return TrainedData(run_variant(folder), run_recipe(folder), data, run_seed(folder))


def _of_fit(folder: Path, trust: bool) -> TrainedData:
    try:
        settings = read_yaml(folder / SETTINGS_FILE, "it")
    except InputError as error:
        raise _not_of_a_fit(folder, error) from error
    try:
        if not isinstance(settings, dict):
            raise TypeError(f"it holds a {type(settings).__name__}")
        variant = Variant.from_dict(settings["variant"])
        recipe = Recipe.from_dict(settings["recipe"])
        plain = with_paths_found(settings["data"], str(settings.get(WORKING_FOLDER) or ""))
        data, seed = DataSettings.from_dict(plain), int(settings["seed"])
    except (KeyError, TypeError, OverflowError) as error:
        raise _not_of_a_fit(folder, error) from error
    recorded: Any = settings.get("modules")
    recorded = recorded if isinstance(recorded, Mapping) else {}
    source = f"{folder.name}/{SETTINGS_FILE}"
    check_data_code(data.class_path, recorded, source, trust, by_name=False)
    return TrainedData(variant, recipe, data, seed)


def _not_of_a_fit(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"{str(folder)!r} is not the folder of a finished fit ({SETTINGS_FILE}: {error}); "
        "give the --folder of `python -m hybrid_swin fit`"
    )

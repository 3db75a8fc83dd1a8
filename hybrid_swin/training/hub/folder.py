"""Writes the folder: weights, config, card, calibration."""

import dataclasses
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hybrid_swin.errors import InputError, quote
from hybrid_swin.interop.export.export import export_model
from hybrid_swin.interop.trained import Trained, load_trained
from hybrid_swin.interop.weights.source.files import find_checkpoint, weights_hash
from hybrid_swin.network.network_facts import as_plain
from hybrid_swin.spec.run_reference import is_study, study_winner
from hybrid_swin.spec.variant_changes import timm_arguments
from hybrid_swin.system.files import expanded, write_json_atomically, write_text_atomically
from hybrid_swin.training.hub.model_card import model_card
from hybrid_swin.training.prediction.trained_calibration import calibrated
from hybrid_swin.training.trained_data import folder_of
from hybrid_swin.training.training_record import read_training_record

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
_BASE = "swin_t"  # whose every argument is given beside it


def write_hub_folder(
    path: str | Path, output: str | Path, *, accelerator: str = "auto", trust: bool = False
) -> Path:
    """Write the network of a training as a folder of the Hub: nothing of it runs on loading.

    ``model.safetensors`` holds weights, variant, classes and normalisation; ``config.json`` says
    the same to timm, once ``hs.register_with_timm()`` has been called; ``README.md`` is the model
    card; ``calibration.json`` the temperature, if the validation images tell one. Uploading it is
    the user's.

    Args:
        path: a training, a run of a study, a study (its first row), or a file of weights.
        output: the folder, which must not exist or be empty.
        accelerator: where validation images are read for the temperature.
        trust: whether data modules that the training names may run for it.

    Raises:
        InputError: no such network, or a folder that holds something.
    """
    folder = expanded(output)
    if os.path.islink(folder) or (folder.exists() and not _is_empty(folder)):
        raise InputError(f"{quote(str(folder), 120)} holds something already; give a new folder")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"{quote(str(folder), 120)}: there is no folder to make it in")
    place = expanded(path)
    if is_study(place):
        place, _ = study_winner(place)
    trained = load_trained(place)
    calibration, _ = calibrated(place, accelerator, trust)
    record = read_training_record(folder_of(find_checkpoint(place)))
    with TemporaryDirectory(prefix=".hub-", dir=folder.absolute().parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        export_model(trained.model, made / WEIGHTS)
        write_json_atomically(made / CONFIG, _config(trained))
        if calibration is not None:
            weights = weights_hash(made / WEIGHTS)
            dataclasses.replace(calibration, weights=weights).save(made)
        variant = trained.model.variant
        card = model_card(
            str(record.row.get("label") or variant.name),
            variant,
            trained.class_names,
            trained.normalisation,
            record,
            calibration,
        )
        write_text_atomically(made / CARD, card)
        if folder.exists():
            shutil.rmtree(folder)  # it is empty
        os.replace(made, folder)
    return folder


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _config(trained: Trained) -> dict[str, object]:
    """As timm writes it for the Hub: the name of a network, and what is changed in it."""
    model = trained.model
    cfg = {name: as_plain(value) for name, value in model.pretrained_cfg.items()}
    cfg.pop("architecture", None)
    names = cfg.pop("label_names", None)
    content: dict[str, object] = {
        "architecture": _BASE,
        "num_classes": model.num_classes,
        "num_features": model.num_features,
        "global_pool": model.global_pool,
        "model_args": timm_arguments(model.variant),
        "pretrained_cfg": cfg,
    }
    return content if names is None else content | {"label_names": names}

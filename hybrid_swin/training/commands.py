"""What the commands of ``python -m hybrid_swin`` do once their arguments are read."""

import csv
import dataclasses
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np

from hybrid_swin.cost.at_test_size import notes_at_test_size
from hybrid_swin.data.datamodule import ImageData
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.own_modules import shared_images
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.summary import describe, summary_lines
from hybrid_swin.data.test_reads import RecordedRead, ledger_near, recorded
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import csv_cell, say
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.interop.weights.load_save import fill
from hybrid_swin.interop.weights.source.files import find_checkpoint, weights_hash
from hybrid_swin.interop.weights.source.kept import kept_weights
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.augmentation_checks import augmentation_notes
from hybrid_swin.spec.idle_fields import idle_fields
from hybrid_swin.spec.own_code.module_sources import module_hashes
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_anew, check_fit, fit_notes
from hybrid_swin.spec.run_reference import (
    WORKING_FOLDER,
    names_run,
    refuse_reading,
    working_folder,
)
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import changed
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.file_names import DATA_FILE, FINAL, RESULT_FILE, SETTINGS_FILE
from hybrid_swin.system.files import write_json_atomically, write_text_atomically
from hybrid_swin.system.yaml_files import to_yaml
from hybrid_swin.training import fit as training
from hybrid_swin.training.hardware import resolve_accelerator
from hybrid_swin.training.memory import OutOfMemoryError
from hybrid_swin.training.metric_facts import metric_text
from hybrid_swin.training.options import FitOptions, PredictOptions, ReadOptions
from hybrid_swin.training.prediction.table import check_output
from hybrid_swin.training.trained_data import TrainedData, trained_data

SCHEMA_VERSION = 1


def fit(options: FitOptions) -> int:
    """Say what the images are, train, print an epoch a line, and leave all of it in the folder."""
    changes = {n: getattr(options, n) for n in ("num_classes", "image_size", "in_channels")}
    variant = changed(resolve_variant(options.variant), changes)
    recipe, data, folder = options.recipe, options.data, Path(options.folder)
    check_fit(variant, recipe)
    settings = {
        "schema_version": SCHEMA_VERSION,
        "seed": options.seed,
        "variant": variant.to_dict(),
        "recipe": recipe.to_dict(),
        "data": data.to_dict(),
        WORKING_FOLDER: working_folder(),
    }
    if modules := module_hashes([data.class_path]):
        settings["modules"] = modules
    init = None if options.init is None else find_checkpoint(options.init)
    if init is not None:
        # Seen, and refused where it does not fit, before anything is trained.
        model = HybridSwin(variant)
        prefix, follows = options.weights_prefix, options.follow_source
        first = kept_weights(init, prefix)
        if options.init_hash not in (None, first.hash):
            raise InputError(
                f"{first.source.name} is not the file that the run started from (its hash is "
                f"{first.hash}, that of the run's {options.init_hash}); put that file back, or "
                "start from another one by --init"
            )
        strict = options.init_strict
        say(fill(model, first.source, follow_source=follows, strict=strict))
        if first.images is not None and data.mean is None and data.class_path is None:
            mean, std = (json.dumps(v) for v in (first.images.mean, first.images.std))
            say(
                "note: images are normalised by their own train split; those of the weights' "
                f"training were by --data.mean '{mean}' --data.std '{std}' ({first.images.basis})"
            )
        variant = model.variant  # its words may follow the source now
        settings |= {"variant": variant.to_dict(), "init": options.init, "weights_prefix": prefix}
        if not strict:
            settings["init_strict"] = False
    elif options.weights_prefix is not None:
        raise InputError("weights_prefix chooses a network of init; give --init as well")
    elif options.follow_source:
        raise InputError("follow_source follows the library of init; give --init as well")
    else:
        check_anew(recipe)
    if names_run(options.variant) and recipe == Recipe():
        say(f"note: the default recipe; --recipe {options.variant} takes the run's own")
    datamodule = TrainedData(variant, recipe, data, options.seed).module()
    about_data = _describe(data, variant, datamodule)
    images = data.epoch_images or about_data.get("images", {}).get("train")
    for note in (
        *idle_fields([variant]),
        *fit_notes([recipe], images),
        *augmentation_notes(variant, [recipe]),
        *notes_at_test_size(variant, [recipe]),
    ):
        say(f"note: {note}")
    try:
        result = training.fit(
            variant,
            recipe,
            datamodule,
            seed=options.seed,
            folder=folder,
            accelerator=options.accelerator,
            callbacks=[_PrintEpochs()],
            resume=options.resume,
            init=init,
            weights_prefix=options.weights_prefix,
            init_strict=options.init_strict,
        )
    except OutOfMemoryError as error:
        raise InputError(f"{error}; give a smaller --recipe.batch_size") from error
    # After the training has accepted the folder: that of another training stays as it was.
    write_text_atomically(folder / SETTINGS_FILE, to_yaml(settings))
    write_json_atomically(folder / DATA_FILE, about_data)
    summary: dict[str, Any] = {"schema_version": SCHEMA_VERSION} | dataclasses.asdict(result)
    summary["checkpoint"] = result.checkpoint and result.checkpoint.name
    if result.fresh is None:
        del summary["fresh"]
    write_json_atomically(folder / RESULT_FILE, summary)
    for note in result.notes:
        say(f"note: {note}")
    kept = f"; kept epoch {result.kept_epoch}" if result.kept_epoch != result.epochs else ""
    say(
        f"{result.state} after {result.epochs} of {recipe.epochs} epochs{kept}, "
        f"{result.seconds['fit']:.1f} s of training, {result.precision} on {result.device}"
    )
    if options.format == "json":
        print_json({"folder": str(folder), **summary})
    else:
        _print_metrics(result.metrics)
    return 0 if result.state == "complete" else 1


def read(options: ReadOptions, split: training.Split) -> int:
    """Print a split's metrics."""
    reading, _ = _read(options, split, "test")
    if options.format == "json":
        about = {"folder": options.folder, "split": split, "images": len(reading.labels)}
        print_json({**about, "metrics": reading.metrics})
    else:
        say(f"{len(reading.labels)} images of the {split} split, one training")
        _print_metrics(reading.metrics)
    return 0


def predict(options: PredictOptions) -> int:
    """Write id, label and logits of every image of a split."""
    if not options.output:
        raise InputError(
            "predict needs images (files or folders) to answer for, or --output FILE.csv for the "
            f"{options.split} split"
        )
    output = check_output(options.output)
    reading, datamodule = _read(options, options.split, "predict")
    ids = [str(index) for index in range(len(reading.labels))]
    names = [str(k) for k in range(reading.logits.shape[1])]
    if isinstance(datamodule, ImageData):
        splits, images = datamodule.splits, datamodule.images
        index = splits.test if options.split == "test" else splits.validation
        ids, names = [images.ids[i] for i in index], list(images.class_names)
    if output.suffix == ".npz":
        np.savez_compressed(
            output, ids=ids, labels=reading.labels, logits=reading.logits, class_names=names
        )
    else:
        with output.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            heads = ["id", "label", "answer", *(f"logit {name}" for name in names)]
            table.writerow(map(csv_cell, heads))
            for key, label, logits in zip(ids, reading.labels, reading.logits, strict=True):
                row = [names[label], names[logits.argmax()], *logits.tolist()]
                table.writerow(map(csv_cell, [key, *row]))
    if options.format == "json":
        about = {"folder": options.folder, "split": options.split, "images": len(ids)}
        print_json({**about, "output": str(output)})
    else:
        say(f"{len(ids)} images of the {options.split} split -> {output}")
    return 0


def _describe(
    data: DataSettings, variant: Variant, datamodule: L.LightningDataModule
) -> dict[str, Any]:
    """Print what was understood of the images, and return all of it."""
    if not isinstance(datamodule, ImageData):
        say("images     of the data module named; they are not looked at here")
        return {}
    datamodule.setup()
    about = describe(load_data(data, variant.image_size, variant.in_channels, None))
    for heading, text in summary_lines(about, DATA_FILE):
        say(f"{heading:<11}{text}")
    return about


class _PrintEpochs(L.Callback):
    """One line per epoch."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        values = "  ".join(
            f"{k} {metric_text(k, float(v))}" for k, v in sorted(trainer.callback_metrics.items())
        )
        say(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {values}")


def _read(
    options: ReadOptions | PredictOptions, split: training.Split, command: str
) -> tuple[training.Evaluation, L.LightningDataModule]:
    folder, accelerator = Path(options.folder), options.accelerator
    refuse_reading(folder)
    about = trained_data(folder, options.trust)
    variant, datamodule = about.variant, about.module()
    network = training.load_classifier(folder / FINAL)
    resolve_accelerator(accelerator)
    note = training.check_trained_on(folder / FINAL, datamodule)
    if note:
        say(f"note: {note}")
    elif split == "test" and not isinstance(datamodule, ImageData):
        shared, compared = shared_images(datamodule)
        if shared:
            say(
                f"note: {shared:,} of {compared:,} test images compared are among the train images "
                "of the data module, so these scores flatter"
            )
    kept = nullcontext() if split != "test" else _recorded(folder, command, variant, datamodule)
    with kept:
        reading = training.evaluate(network, datamodule, split, accelerator=accelerator)
    return reading, datamodule


def _recorded(
    folder: Path, command: str, variant: Variant, datamodule: L.LightningDataModule
) -> AbstractContextManager[None]:
    """Write down that the test split is read, before and after.

    The same weights read again tell nothing new, and are not a further reading. Raises InputError
    if it cannot be written down, and so must not be done.
    """
    test_hash = data_hash = ""
    if isinstance(datamodule, ImageData):
        test_hash, data_hash = datamodule.splits.test_hash, datamodule.data_hash
    key = f"{command}/{weights_hash(folder / FINAL)}"
    entry = RecordedRead(folder.resolve().name, key, command, variant.id, test_hash, data_hash)
    return recorded(entry, ledger_near(folder))


def _print_metrics(metrics: dict[str, float]) -> None:
    for name, value in sorted(metrics.items()):
        say(f"{name:<24}{metric_text(name, value)}")

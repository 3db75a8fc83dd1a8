"""What `inspect` looks into: the network that is meant, and the images that it is shown."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from hybrid_swin import published
from hybrid_swin.batches import NormalisedImages
from hybrid_swin.cost import count_cost
from hybrid_swin.data_settings import DataSettings
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.factory import resolve_variant
from hybrid_swin.files import read_json
from hybrid_swin.hardware import resolve_accelerator
from hybrid_swin.inspecting.running import make_inspections
from hybrid_swin.inspecting.subject import Subject, make_subject
from hybrid_swin.kept_plugins import adopt_kept_plugins, recorded_hashes, study_of
from hybrid_swin.loading import LoadedData, load_data
from hybrid_swin.model import HybridSwin
from hybrid_swin.module_sources import check_data_code
from hybrid_swin.trained import Normalisation, find_checkpoint, load_trained
from search.file_kinds import read_variant
from search.inspect_options import InspectQuestion
from search.records.runs import RUN_FILE

_SETTINGS = "settings.yaml"  # of a study, of a comparison, and of `python -m hybrid_swin fit`
_LEVELS = 6  # from a checkpoint up to the folder of its study
_MACS_AT_ONCE = 40e9
_MOST_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Target:
    """The network that is meant.

    Args:
        name: short, fit for a folder.
        model: with its weights, or with random ones.
        checkpoint: where the weights come from; None for random ones.
        normalisation: how images became what the network has learned from, where known.
        class_names: of the images that it has learned from, where known.
        home: the folder with the settings that it was trained by, where there is one.
        run: what its run was asked to do, where it is one of a study.
        identity: of the images that it has learned from, where known.
    """

    name: str
    model: HybridSwin
    checkpoint: Path | None = None
    normalisation: Normalisation | None = None
    class_names: tuple[str, ...] | None = None
    home: Path | None = None
    run: dict[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)

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


@dataclass(frozen=True, eq=False)
class Shown:
    """Images as the network sees them, and what is known of them.

    Args:
        images: (N, C, H, W).
        labels: (N,) or None.
        class_names: one name a class, or None.
        about: what `index.json` says of them.
        settings: where they come from; None for noise.
        why_no_labels: why their classes are not the trained network's; None where they are.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...] | None
    about: dict[str, Any]
    settings: DataSettings | None = None
    why_no_labels: str | None = None


def find_target(question: InspectQuestion) -> Target:
    """Build or load the network.

    Raises:
        InputError: nothing of that name, or a file that cannot be used.
    """
    named, path = question.target, Path(question.target).expanduser()
    if named in published.names() or named.endswith((".yaml", ".yml")):
        variant = resolve_variant(named) if named in published.names() else read_variant(named)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(question.seed)
            model = HybridSwin(variant)
        return Target(path.stem, model)
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        error = unknown("network", named, published.names())
        raise InputError(
            f"{error}; or give a YAML file, the folder of a training or a checkpoint that exists"
        )
    checkpoint = find_checkpoint(path)
    home = _home(checkpoint)
    adopt_kept_plugins(checkpoint, question.plugins, question.trust)
    trained = load_trained(checkpoint)
    return Target(
        _short_name(path, checkpoint, home),
        trained.model,
        checkpoint,
        trained.normalisation,
        trained.class_names,
        home,
        {} if home is None else _run_of(checkpoint, home),
        trained.identity,
    )


def show_images(question: InspectQuestion, target: Target) -> Shown:
    """The images that are asked for, drawn by the seed.

    Raises:
        InputError: no images are known, they cannot be had, or they do not fit the network.
    """
    variant = target.model.variant
    if question.is_noise:
        generator = torch.Generator().manual_seed(question.seed)
        size = (question.images, variant.in_channels, *variant.image_size)
        about = {"source": "noise", "split": None, "data_hash": None, "images": question.images}
        return Shown(torch.randn(size, generator=generator), None, None, about)
    settings = question.data or _settings_of(target, question.target, question.trust)
    settings.validate()
    images = _source_images if settings.class_path is None else _own_images
    return dataclasses.replace(images(settings, question, target), settings=settings)


def make_subject_of(question: InspectQuestion, target: Target, shown: Shown) -> Subject:
    """Network and images together, on the device that is asked for.

    Raises:
        InputError: a device that this machine does not have.
    """
    device = resolve_accelerator(question.device)
    macs = count_cost(target.model.variant).macs
    at_once = int(max(1, min(_MOST_AT_ONCE, _MACS_AT_ONCE // max(macs, 1))))
    return make_subject(
        target.model,
        shown.images,
        shown.labels,
        shown.class_names,
        trained=target.checkpoint is not None,
        seed=question.seed,
        batch_size=at_once,
        device=device,
    )


def _home(checkpoint: Path) -> Path | None:
    """The nearest folder above a checkpoint whose settings say what it was trained on."""
    for folder in list(checkpoint.resolve().parents)[:_LEVELS]:
        if _data_in(folder) is not None:
            return folder
    return None


def _data_in(folder: Path) -> dict[str, Any] | None:
    try:
        settings = yaml.safe_load((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    data = settings.get("data") if isinstance(settings, dict) else None
    return data if isinstance(data, dict) else None


def _run_of(checkpoint: Path, home: Path) -> dict[str, Any]:
    """What the run that a checkpoint belongs to was asked to do; empty where nothing says it."""
    for folder in checkpoint.resolve().parents:
        if folder == home:
            break
        with suppress(InputError):
            if (folder / RUN_FILE).is_file():
                return read_json(folder / RUN_FILE)
    return {}


def _short_name(path: Path, checkpoint: Path, home: Path | None) -> str:
    """``digits-finalists-0a1b2c-0`` for a run of the study digits, else by folder and file."""
    run = path if path.is_dir() else checkpoint.parent
    if home is None:
        whole = path.resolve()
        return f"{whole.parent.name}-{path.stem}".strip("-") if path.is_file() else whole.name
    parts = run.resolve().relative_to(home).parts
    return "-".join((home.name, *(part for part in parts if not part.startswith("attempt-"))))


def _settings_of(target: Target, named: str, trust: bool) -> DataSettings:
    data = None
    if target.home is not None:
        own = target.run.get("data")  # where they are others than the comparison's
        data = own if own and isinstance(own, dict) else _data_in(target.home)
    if data is None:
        raise InputError(
            f"which images shall {named!r} be shown? Give --data with a source, such as --data "
            "digits or --data folder --data.options.path FOLDER; or --data noise for random images"
            + ("" if target.checkpoint else ", since random weights speak of the architecture only")
        )
    known = {f.name for f in dataclasses.fields(DataSettings)}
    settings = DataSettings.from_dict({key: value for key, value in data.items() if key in known})
    home = target.home
    study = None if home is None else study_of(home)
    recorded = recorded_hashes(study, "modules") if study else {}
    check_data_code(settings.class_path, recorded, f"the study of {named!r}", trust)
    return settings


def _source_images(settings: DataSettings, question: InspectQuestion, target: Target) -> Shown:
    variant = target.model.variant
    cache = None if target.home is None else target.home.parent / ".images"  # as trainings have it
    cache = cache if cache is not None and cache.is_dir() else None
    loaded = load_data(settings, variant.image_size, variant.in_channels, cache)
    _check_unseen(loaded, question, target, cache)
    indices = getattr(loaded.splits, question.split)
    chosen = np.sort(_draw(len(indices), question))
    indices = indices[chosen]
    images = _normalised(loaded, target.normalisation, indices)
    labels, names = None, None
    why_not = _why_no_labels(loaded, target)
    if why_not is not None:
        _refuse_labels(why_not, question)
    elif len(loaded.images.class_names) == variant.num_classes:
        labels, names = torch.from_numpy(loaded.images.labels[indices]), loaded.images.class_names
    about = {
        "source": settings.source,
        "split": question.split,
        "data_hash": loaded.data_hash,
        "split_hash": loaded.splits.hash,
        "test_hash": loaded.splits.test_hash,
        "images": len(indices),
    }
    return Shown(images, labels, names, about, why_no_labels=why_not)


def _check_unseen(
    loaded: LoadedData, question: InspectQuestion, target: Target, cache: Path | None
) -> None:
    """Raise InputError where the network has learned from what is to be shown as unseen.

    Images that ``--data`` names may be others; those of the training must be as they were.
    """
    from hybrid_swin.same_images import check_data  # Lightning takes seconds to import

    if target.checkpoint is None or not target.identity:
        return
    if question.data is None:
        hint = "give it back the images that it was trained on, or name others by --data"
        saved = {"identity": target.identity}
        check_data(saved, loaded, target.checkpoint.parent, hint)
        return
    same = target.identity.get("data") == loaded.data_hash
    if question.split == "train" or not same:
        return
    if target.identity.get("splits") == loaded.splits.hash:
        return
    shown_split = getattr(loaded.splits, question.split)
    what = "images that it was trained on may be among them"
    trained = _trained_on(target, cache)
    if trained is not None and trained.data_hash == loaded.data_hash:
        count = len(np.intersect1d(shown_split, trained.splits.train))
        if not count:
            return
        what = f"{count} of the {len(shown_split)} were trained on"
    raise InputError(
        f"these are the images of the training, but split otherwise: of the {question.split} split "
        f"{what}; leave --data out, or give the splits of the training"
    )


def _trained_on(target: Target, cache: Path | None) -> LoadedData | None:
    """The images of the training as its settings give them; None if they give others by now."""
    variant = target.model.variant
    with suppress(InputError):
        settings = _settings_of(target, target.name, trust=False)
        loaded = load_data(settings, variant.image_size, variant.in_channels, cache)
        return loaded if loaded.splits.hash == target.identity.get("splits") else None
    return None


def _normalised(
    loaded: LoadedData, learned: Normalisation | None, indices: np.ndarray[Any, Any]
) -> Tensor:
    """Images as the network has learned from them; else by their own train split."""
    if learned is None or (learned.mean, learned.std) == (loaded.mean, loaded.std):
        return loaded.normalised.take(indices)
    images = loaded.images.images[indices]
    return NormalisedImages(images, learned.mean, learned.std).take(np.arange(len(images)))


def _why_no_labels(loaded: LoadedData, target: Target) -> str | None:
    """Why the outputs of a trained network are not the images' classes; None where they are."""
    names, outputs = loaded.images.class_names, target.model.variant.num_classes
    if target.checkpoint is None or not outputs:
        return None
    learned = target.class_names or names
    if set(learned) != set(names):
        return (
            f"the network has learned the classes {_listed(learned)}, but the images are of "
            f"{_listed(names)}"
        )
    if len(names) != outputs:
        return (
            f"the network tells {outputs} classes apart, but the images are of {len(names)} "
            f"({_listed(names)})"
        )
    return None if learned == names else "the network has learned the classes in another order"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + ", ..." * (len(names) > 10)


def _refuse_labels(why_not: str, question: InspectQuestion) -> None:
    """Raise InputError where an inspection that needs labels was named."""
    for asked, inspection in make_inspections(question.only or ()):
        if inspection.needs_labels:
            raise InputError(
                f"{asked.name} asks how right the network is, but {why_not}; give images of the "
                "classes that it was trained on, or leave this inspection out"
            )


def _own_images(settings: DataSettings, question: InspectQuestion, target: Target) -> Shown:
    """Images of a LightningDataModule of the user's own, as it gives them."""
    from hybrid_swin.datamodule import make_datamodule
    from hybrid_swin.own_modules import drawn_alike

    variant = target.model.variant
    module = make_datamodule(settings, variant, 32, question.seed)
    _check_own(module, question, target)
    with drawn_alike(module):
        module.setup("test" if question.split == "test" else "fit")
    loader = {
        "train": module.train_dataloader,
        "validation": module.val_dataloader,
        "test": module.test_dataloader,
    }[question.split]()
    images, labels, count = [], [], 0
    for batch_images, batch_labels in loader:
        images.append(batch_images)
        labels.append(batch_labels)
        count += len(batch_images)
        if count >= question.images:
            break
    if count < 2:
        raise InputError(f"{settings.class_path} gives {count} image(s); at least 2 are needed")
    x_BCHW = torch.cat(images)[: question.images]
    if x_BCHW.shape[1] != variant.in_channels:
        raise InputError(
            f"{settings.class_path} gives images of {x_BCHW.shape[1]} channel(s), but the network "
            f"takes {variant.in_channels}"
        )
    digest = hashlib.sha256(x_BCHW.contiguous().numpy().tobytes()).hexdigest()[:10]
    about = {
        "source": settings.class_path,
        "split": question.split,
        "data_hash": digest,
        "images": len(x_BCHW),
    }
    answers = torch.cat(labels)[: question.images].long() if variant.num_classes else None
    return Shown(x_BCHW, answers, None, about)


def _check_own(module: Any, question: InspectQuestion, target: Target) -> None:
    """Set a module up as for training; InputError where its own network has seen other images."""
    from hybrid_swin.own_modules import set_up
    from hybrid_swin.same_images import check_data

    set_up(module)
    if target.checkpoint is not None and question.data is None:
        saved = {"identity": target.identity}
        check_data(saved, module, target.checkpoint.parent, "name other images by --data")


def _draw(available: int, question: InspectQuestion) -> np.ndarray[Any, Any]:
    """Which of the images of a split, so many as are asked for and there are."""
    if available < 2:
        raise InputError(
            f"the {question.split} split has {available} image(s), and at least 2 are needed; give "
            "another --split"
        )
    order = np.random.default_rng((question.seed, 1)).permutation(available)
    return order[: question.images]

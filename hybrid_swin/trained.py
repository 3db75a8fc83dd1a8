"""A trained network from its checkpoint: variant, weights, and what images it has learned from."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hybrid_swin.checkpoints import load_weights
from hybrid_swin.errors import InputError, shown
from hybrid_swin.model import HybridSwin
from hybrid_swin.study_runs import refuse_study
from hybrid_swin.variant import Variant
from hybrid_swin.weights.files import (
    FINAL,
    IN_FOLDERS,
    INDEXES,
    WeightFile,
    read_weights,
    trained_in,
)
from hybrid_swin.weights.own_variant import own_variant

# How images became the network's size, in timm's words; others came in that size.
_CROP_MODES = {"crop": "center", "squash": "squash", "pad": "border"}


@dataclass(frozen=True)
class Normalisation:
    """How pixels become what a network sees.

    (x - mean) / std,  x = pixels / full_scale,  or clip((pixels - low) / (high - low)) with a range

    Args:
        mean: of each channel, in full scales.
        std: of each channel, in full scales.
        full_scale: the pixel value that counts as 1: 255 for images of 8 bits.
        value_range: (low, high), the pixel values that become 0 and 1; those outside are clipped.
        resize: how images of another size become the network's, such as 'crop'; '' if unknown.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    full_scale: float
    value_range: tuple[float, float] | None = None
    resize: str = ""

    @property
    def limits(self) -> tuple[float, float]:
        """The pixel values that count as 0 and 1."""
        return self.value_range or (0.0, self.full_scale)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; what is not set is left out."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return {name: value for name, value in plain.items() if value not in (None, "")}


class Trained(NamedTuple):
    """A network in evaluation mode, and what is known of the images it has learned from."""

    model: HybridSwin
    normalisation: Normalisation | None
    class_names: tuple[str, ...] | None
    identity: Mapping[str, Any]  # of its images, as ``same_images.data_identity`` gives it


def load(path: str | Path, drop_path_rate: float = 0.0) -> HybridSwin:
    """A trained network with its weights, in evaluation mode on the CPU.

    Its ``pretrained_cfg`` holds what it knows of its images: ``input_size``, ``mean`` and ``std``
    (of pixels from 0 to 1), ``crop_pct``, ``crop_mode`` and ``interpolation`` in timm's words, and
    ``label_names`` if its classes have names.

    Args:
        path: the folder of a training (of ``python -m hybrid_swin fit``, or one run of a study),
            the checkpoint in it, or a ``.safetensors`` file of ``save_weights`` or ``export``.
        drop_path_rate: stochastic depth of the last block, for training on.

    Raises:
        InputError: no such file, a damaged one, or one that does not say which variant it is of.
    """
    return load_trained(path, drop_path_rate).model


def load_trained(path: str | Path, drop_path_rate: float = 0.0) -> Trained:
    """The same with what the checkpoint knows of the images. Raises InputError likewise."""
    path = find_checkpoint(path)
    file = read_weights(path)
    model = HybridSwin(_variant(file), drop_path_rate)
    report = load_weights(model, path)
    resized = [change.name for change in report.resized]
    wrong = [*report.fresh, *resized, *report.unused, *report.left_out]
    if wrong:
        raise InputError(f"{file.name} does not hold the weights of its own variant: {wrong[0]}")
    normalisation, names = _facts(file)
    facts: dict[str, Any] = {} if names is None else {"label_names": names}
    if normalisation is not None:
        facts |= {"mean": normalisation.mean, "std": normalisation.std, "crop_pct": 1.0}
        facts |= {"crop_mode": _CROP_MODES.get(normalisation.resize, "center")}
        facts |= {"interpolation": "bicubic"}  # of image_files.Decoder
    model.pretrained_cfg = model.pretrained_cfg | facts
    return Trained(model.eval(), normalisation, names, _identity(file))


def load_variant(path: str | Path) -> Variant:
    """The variant of a trained network alone. Raises InputError as ``load`` does."""
    return _variant(read_weights(find_checkpoint(path)))


def kept_facts(cfg: Mapping[str, Any], variant: Variant) -> dict[str, Any]:
    """What a ``pretrained_cfg`` says that a network with its weights still has.

    Names of classes if there are as many. For other channels mean and std go as weights do
    (``resize_channels``): of one channel the average, else repeated in order.
    """
    names = ("crop_pct", "crop_mode", "interpolation", "label_names", "label_descriptions")
    facts = {name: cfg[name] for name in names if name in cfg}
    if cfg["num_classes"] != variant.num_classes:
        facts.pop("label_names", None)
        facts.pop("label_descriptions", None)
    for name in ("mean", "std"):
        values, channels = tuple(cfg[name]), variant.in_channels
        repeated = (values * -(-channels // len(values)))[:channels]
        facts[name] = (sum(values) / len(values),) if channels == 1 else repeated
    return facts


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that a path means: itself, or that of a folder.

    A folder is that of a finished training, or one as Hugging Face writes it.

    Raises:
        InputError: a folder without one.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a trained network is loaded from a path; got {shown(path)}")
    path = Path(path)
    if not path.is_dir():
        return path
    published = (path / name for name in (*IN_FOLDERS, *INDEXES))
    for file in (trained_in(path), *published):
        if file is not None and file.is_file():
            return file
    refuse_study(path)
    raise InputError(
        f"{str(path)!r} holds no finished training (no {FINAL}); give the folder of one, or a file"
    )


def _variant(file: WeightFile) -> Variant:
    """The variant in a file. Raises InputError if there is none, or if a plug-in is missing."""
    try:
        found = own_variant(file)
    except InputError as error:
        raise InputError(
            f"{file.name}: {error}; if a block is your own, give its file as a plug-in"
        ) from error
    if found is None:
        raise InputError(
            f"{file.name} does not say which variant it is of; build it by create_model and fill "
            "it by load_weights"
        )
    return found


def _identity(file: WeightFile) -> Mapping[str, Any]:
    found: Any = file.content.get("identity")
    return found if isinstance(found, Mapping) else {}


def _facts(file: WeightFile) -> tuple[Normalisation | None, tuple[str, ...] | None]:
    """What a file says of the images: in a checkpoint as data, in safetensors as JSON."""
    data: Any = file.content.get("data")
    if data is None:
        data = {name: json.loads(file.metadata.get(name, "null")) for name in ("input", "classes")}
        data = (data["input"] or {}) | {"class_names": data["classes"]}
    names = data.get("class_names")
    normalisation = None
    if data.get("mean") is not None:
        mean, std = tuple(data["mean"]), tuple(data["std"])
        limits = data.get("value_range")
        normalisation = Normalisation(
            mean,
            std,
            float(data["full_scale"]),
            None if limits is None else (float(limits[0]), float(limits[1])),
            str(data.get("resize", "")),
        )
    return normalisation, None if names is None else tuple(names)

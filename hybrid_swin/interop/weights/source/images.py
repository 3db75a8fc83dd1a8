"""How the images of a network's training were normalised, as far as its file tells it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.interop.weights.source.files import WeightFile
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.pretrained_cfg import for_channels, untrained

_PREPROCESSOR = "preprocessor_config.json"  # of transformers, beside the weights
_LARGEST = 2**20  # bytes of it


@dataclass(frozen=True)
class ImagesOfWeights:
    """Mean and standard deviation by which images were normalised, and how that is known.

    Args:
        mean: of each channel, with 1 for the largest pixel value.
        std: of each channel, likewise.
        basis: where they are from, in words.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    basis: str

    def of_channels(self, channels: int) -> "ImagesOfWeights":
        """The same for images of other channels, as first weights are fitted to these."""
        if channels == len(self.mean):
            return self
        mean, std = for_channels(self.mean, channels), for_channels(self.std, channels)
        return ImagesOfWeights(mean, std, f"{self.basis}, for {channels} channels")


def images_of(file: WeightFile, source: WeightSource, folder: Path) -> ImagesOfWeights | None:
    """What a file, or what lies beside it, says of its images; None if that is not known.

    Swins of other libraries whose files do not say it were published with ImageNet's.

    Args:
        file: as it was read.
        source: the network in it.
        folder: where it lies.
    """
    for about, basis in _facts(file, folder):
        mean, std = _numbers(about, "mean"), _numbers(about, "std")
        if mean and len(mean) == len(std) and all(value > 0 for value in std):
            return ImagesOfWeights(mean, std, basis)
    if source.variant is not None:
        return None
    imagenet = untrained(3)
    basis = "ImageNet's, since the file does not say and Swins are published with these"
    return ImagesOfWeights(imagenet["mean"], imagenet["std"], basis)


def _facts(file: WeightFile, folder: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Mappings that may say it, those of the file itself first."""
    trained = file.content.get("data")
    if isinstance(trained, Mapping):
        yield _mapping(trained.get("images", trained)), "those of its training"
    for name in ("pretrained_cfg", "input"):
        with suppress(ValueError, RecursionError):
            yield _mapping(json.loads(file.metadata.get(name, "null"))), "those that it names"
    config = file.config or {}
    for about in (config.get("pretrained_cfg"), config):
        yield _mapping(about), "those in the config.json beside it"
    yield _preprocessor(folder), f"those in the {_PREPROCESSOR} beside it"


def _preprocessor(folder: Path) -> Mapping[str, Any]:
    path = folder / _PREPROCESSOR
    with suppress(OSError, ValueError, RecursionError):
        if path.is_file() and path.stat().st_size < _LARGEST:
            about = _mapping(json.loads(path.read_text(encoding="utf-8")))
            return {"mean": about.get("image_mean"), "std": about.get("image_std")}
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _numbers(about: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """The finite numbers of a list; none if it is anything else."""
    values = about.get(name)
    if not isinstance(values, list | tuple) or not values:
        return ()
    if not all(isinstance(v, int | float) and abs(v) < 1e6 for v in values):
        return ()
    return tuple(float(value) for value in values)

"""``init``: the weights that the trainings of a study or a comparison start from."""

from dataclasses import dataclass
from typing import Literal

Layout = Literal["auto", "microsoft", "timm", "torchvision", "huggingface", "openmmlab"]
Normalise = Literal["weights", "images"]


@dataclass(frozen=True)
class InitSettings:
    """Weights that every training starts from, as far as they fit.

    Args:
        weights: a file of a Swin or of a network of ours (`.safetensors`, `.pth`), or the folder
            of one. init: FILE is short for init: {weights: FILE}.
        layout: whose names the weights have; auto recognises them, and another layout than the one
            given here is refused. Files of ours have timm's.
        prefix: which network of the file, if it holds several, such as ema.
        follow_source: pad, roll and shift windows as the library of the weights does.
        normalise: images by the mean and standard deviation of the weights' training, as far as the
            file says them (else ImageNet's), or by those of the images' own train split. Not used
            where data.mean and data.std are given.
    """

    weights: str
    layout: Layout = "auto"
    prefix: str | None = None
    follow_source: bool = False
    normalise: Normalise = "weights"


def shortest(init: str | InitSettings | None) -> str | InitSettings | None:
    """The plain path where nothing else is set, so that both ways to write it are one value."""
    if isinstance(init, InitSettings) and init == InitSettings(init.weights):
        return init.weights
    return init

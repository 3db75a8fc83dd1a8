"""A recipe: how a network is trained, as data. Frozen, validated, hashable, written as YAML."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.spec.part_info import digest
from hybrid_swin.spec.values import Range, check_choice, check_fields
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.yaml_files import read_yaml

ClassWeights = Literal["none", "balanced"]
Flip = Literal["none", "horizontal"]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
WeightInit = Literal["trunc_normal", "lecun_normal"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "class_weights": get_args(ClassWeights),
    "flip": get_args(Flip),
    "precision": get_args(Precision),
    "weight_init": get_args(WeightInit),
}
# The largest are beyond any training: more would be a slip that shows after hours, or never.
RANGES: dict[str, Range] = {
    "epochs": Range(1, 10**6, whole=True),
    "batch_size": Range(1, 2**20, whole=True),
    "learning_rate": Range(0, 10**4, open_below=True),
    "weight_decay": Range(0, 10**4),
    "warmup_epochs": Range(0, 10**6),
    "warmup_learning_rate": Range(0, 10**4),
    "min_learning_rate": Range(0, 10**4),
    "label_smoothing": Range(0, 1, open_above=True),
    "gradient_clip": Range(0, 10**9),
    "drop_path": Range(0, 1, open_above=True),
    "shift": Range(0, 10**5, whole=True),
}
# Where the learning rate starts and ends, and what else to do where that is above its peak.
_ENDS = {"min_learning_rate": "", "warmup_learning_rate": ", or warmup_epochs to 0"}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, linear warm-up, then a cosine.

    Swin's paper trains on ImageNet-1k for 300 epochs of 1,024 images per step. Defaults marked
    (Swin) are from its appendix A2.1, (code) from the authors' ``config.py``, whose learning rates
    are for 512 images per step and grow with them. All others are ours, for small images and short
    trainings; Swin's is named where it has another.

    Args:
        epochs: passes over the train split. Swin: 300.
        batch_size: images per step. Swin: 1,024.
        learning_rate: peak, reached at the end of the warm-up (Swin). Not scaled with the batch.
        weight_decay: AdamW's (Swin); biases, norms, bias tables and temperatures are exempt.
        warmup_epochs: epochs of linear warm-up; may be a fraction. At ``epochs`` or more the whole
            training is warm-up. Swin: 20.
        warmup_learning_rate: where the warm-up starts (code); not used without one.
        min_learning_rate: where the cosine ends; not used without one. Swin's code: 5e-6.
        label_smoothing: share of the target spread over all classes (code).
        gradient_clip: largest global norm of a step's gradient (Swin; its code has 5); 0 for no
            clipping.
        drop_path: largest rate of stochastic depth, reached linearly at the last block. Swin-T: .2.
        class_weights: weight the loss of each image by the inverse of its class's train count, or
            not.
        shift: largest random shift of a train image along each axis, in pixels. Swin crops and
            resizes at random instead.
        flip: mirror each train image with probability one half (Swin), or not, since a mirrored
            digit is none.
        precision: Lightning's name; ``auto`` is bf16-mixed where the hardware is fast at it.
        weight_init: first weights of linear layers: ``trunc_normal`` of .02 (code), or
            ``lecun_normal``, of 1/√inputs, which keeps signals alive where widths are small.
        zero_init_residual: norms behind mixers and MLPs (a stage's ``norm: post``) start at 0, as
            in Swin Transformer V2 and timm; otherwise at 1, as in torchvision, for short trainings
            in which the mixers should work from the first step. Other norms always start at 1.

    Raises:
        InputError: a value that cannot be, with what is allowed.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030; https://github.com/microsoft/Swin-Transformer
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    warmup_learning_rate: float = 5e-7
    min_learning_rate: float = 1e-6
    label_smoothing: float = 0.1
    gradient_clip: float = 1.0
    drop_path: float = 0.0
    class_weights: ClassWeights = "none"
    shift: int = 0
    flip: Flip = "none"
    precision: Precision = "auto"
    weight_init: WeightInit = "trunc_normal"
    zero_init_residual: bool = True

    def __post_init__(self) -> None:
        # 1 and 1.0 become one value, so that equality, the YAML and the identity agree.
        for name, allowed in RANGES.items():
            object.__setattr__(self, name, allowed.read(name, getattr(self, name)))
        for name, choices in _CHOICES.items():
            check_choice(getattr(self, name), choices, name)
        if not isinstance(self.zero_init_residual, bool):
            raise InputError(
                f"zero_init_residual must be true or false; got {self.zero_init_residual!r}"
            )
        idle = self._idle_rates()
        for name, instead in _ENDS.items():
            value, peak = getattr(self, name), self.learning_rate
            if value > peak and name not in idle:
                default = " (the default)" if value == getattr(Recipe, name) else ""
                raise InputError(
                    f"{name} {value:g}{default} is above learning_rate {peak:g}; set {name} to at "
                    f"most {peak:g}{instead}"
                )

    def _idle_rates(self) -> tuple[str, ...]:
        """Rates that no step has: the start of no warm-up, and the end of no cosine."""
        if self.warmup_epochs == 0:
            return ("warmup_learning_rate",)
        return ("min_learning_rate",) if self.warmup_epochs >= self.epochs else ()

    @cached_property
    def id(self) -> str:
        """Ten hex digits of the canonical form: equal recipes have equal ids, however written.

        A rate that no step has does not count.
        """
        idle = {name: getattr(Recipe, name) for name in self._idle_rates()}
        canonical = {
            key: value if isinstance(value, str) else float(value)
            for key, value in (self.to_dict() | idle).items()
        }
        return digest(json.dumps(canonical, sort_keys=True).encode())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, as they stand in YAML."""
        return asdict(self)

    def to_yaml(self) -> str:
        """The recipe as YAML text that ``from_yaml`` reads back."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read what ``to_dict`` gives. Unknown fields are refused with the nearest known one."""
        if not isinstance(data, Mapping):
            raise InputError(f"a recipe is a mapping such as {{epochs: 30}}; got {data!r}")
        check_fields(data, cls, "field of a recipe")
        return cls(**data)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Recipe":
        """Read a recipe's file; an empty one is the default recipe."""
        data = read_yaml(path, f"recipe file {str(path)!r}")
        return cls.from_dict({} if data is None else data)


def check_fit(variant: Variant, recipe: Recipe) -> None:
    """Raise InputError where the recipe cannot train this network as it says.

    A random shift must leave something of the image, and the warm-up must end with the training;
    the default warm-up may be longer than a very short training, which then is all warm-up.
    """
    side = min(variant.image_size)
    if recipe.shift >= side:
        raise InputError(
            f"recipe.shift {recipe.shift} moves images of {side} pixels out of sight; give less "
            f"than {side}"
        )
    most = max(recipe.epochs, Recipe.warmup_epochs)
    if recipe.warmup_epochs > most:
        raise InputError(
            f"recipe.warmup_epochs {recipe.warmup_epochs:g} does not end within recipe.epochs "
            f"{recipe.epochs}; give at most {most:g}"
        )


def fit_notes(recipes: Iterable[Recipe], images: int | None) -> list[str]:
    """What recipes ask for that a training can do, and is hardly meant, a sentence each.

    ``images`` are those of an epoch, if known.
    """
    recipes, notes = list(recipes), []
    batch = max(recipe.batch_size for recipe in recipes)
    if images is not None and batch > images:
        notes.append(
            f"recipe.batch_size {batch} is more than the {images} images of an epoch: each epoch "
            "is one step"
        )
    longest = max(recipes, key=lambda recipe: recipe.warmup_epochs / recipe.epochs)
    if longest.warmup_epochs >= longest.epochs:
        notes.append(
            f"recipe.warmup_epochs {longest.warmup_epochs:g} does not end before recipe.epochs "
            f"{longest.epochs}: the learning rate rises to the end and never falls"
        )
    return notes

"""A recipe: how a network is trained, as data. Frozen, validated, hashable, written as YAML."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.spec.part_info import digest
from hybrid_swin.spec.part_words import Part, without_defaults
from hybrid_swin.spec.recipe_parts import (
    Named,
    check_torch,
    plugin_hashes,
    read_part_word,
    read_part_words,
    unused_by,
)
from hybrid_swin.spec.recipe_presets import PRESET, with_preset
from hybrid_swin.spec.values import (
    MOST_PIXELS,
    SHARE,
    Range,
    check_choice,
    check_fields,
    read_whole,
)
from hybrid_swin.system.yaml_files import read_yaml

ClassWeights = Literal["none", "balanced"]
Sampling = Literal["shuffle", "balanced"]
Flip = Literal["none", "horizontal"]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
WeightInit = Literal["trunc_normal", "lecun_normal"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "class_weights": get_args(ClassWeights),
    "sampling": get_args(Sampling),
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
    "layer_decay": Range(0, 1, open_below=True),
    "freeze": Range(0, 1000, whole=True),
    "old_rate": Range(0, 1, open_below=True),
    "ema": SHARE,
    "accumulate_batches": Range(1, 2**20, whole=True),
    "early_stopping": Range(0, 10**6, whole=True),
    "mixup": Range(0, 10**4),
    "cutmix": Range(0, 10**4),
    "mix_probability": Range(0, 1),
    "mix_switch_probability": Range(0, 1),
    "repeats": Range(1, 1000, whole=True),
}
# Where the learning rate starts and ends, and what else to do where that is above its peak.
_ENDS = {"min_learning_rate": "", "warmup_learning_rate": ", or warmup_epochs to 0"}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: by default AdamW, linear warm-up, then a cosine.

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
        optimizer: ``adamw`` (Swin), or another by its word, with options in brackets.
        schedule: of the learning rate: ``cosine`` (Swin), or another by its word.
        layer_decay: factor of the learning rate from each block to the one before it, so that
            early layers change less, as for fine-tuning; 1 for one rate.
        ema: decay per step of an average of the weights, which then is what is validated, tested
            and kept; 0 for the weights themselves.
        accumulate_batches: batches of each optimizer step, whose gradients are averaged.
        early_stopping: epochs without a better validation score after which the training ends;
            the weights of the best epoch are kept. 0 for all epochs, and the last one's weights.
        augmentations: changes to train images, by their words, one after another; then come
            ``shift`` and ``flip``. Swin's code: random_resized_crop, rand_augment, random_erasing.
        mixup: a of the Beta(a, a) that draws how much of another image is mixed in; 0 for none.
            Swin's code: .8.
        cutmix: a of the Beta(a, a) that draws how much of an image another one covers; 0 for none.
            Swin's code: 1.
        mix_probability: share of batches that are mixed; each image with the one that lies
            opposite in its batch.
        mix_switch_probability: share of mixed batches with cutmix, if there are both.
        repeats: how often each image of an epoch comes, augmented anew. An epoch has as many images
            as without, so 1 / repeats of the train split.
        sampling: which train images an epoch has: ``shuffle``, each once; or ``balanced``, each
            class as often as any other, so that images of small classes come several times and not
            all of large ones do. An epoch has as many images either way.
        test_image_size: pixels per side of validation and test images, if not the variant's; they
            are read from the source in this size. Costs count an image of the variant's size.
        freeze: stages whose weights stay as they came from a file, with the stem: 2 for the stem
            and the first two. What the file did not have trains there, too. 0 for none.
        old_rate: factor of the learning rate of weights that came from a file; fresh ones, such as
            the head, learn at the whole rate. 1 for one rate.

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
    # Fields from here on are left out of what is written where they are at their default.
    optimizer: str = "adamw"
    schedule: str = "cosine"
    layer_decay: float = 1.0
    ema: float = 0.0
    accumulate_batches: int = 1
    early_stopping: int = 0
    augmentations: tuple[str, ...] = ()
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 1.0
    mix_switch_probability: float = 0.5
    repeats: int = 1
    sampling: Sampling = "shuffle"
    test_image_size: int | None = None
    freeze: int = 0
    old_rate: float = 1.0

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
        if self.sampling == self.class_weights == "balanced":
            raise InputError(
                "sampling balanced and class_weights balanced both make up for small classes, and "
                "together they do it twice; choose one"
            )
        object.__setattr__(self, "augmentations", _listed(self.augmentations))
        if self.test_image_size is not None:
            size = read_whole(self.test_image_size, 1, "test_image_size", MOST_PIXELS)
            object.__setattr__(self, "test_image_size", size)
        check_torch(self._named)
        unused = self.unused
        for name, instead in _ENDS.items():
            value, peak = getattr(self, name), self.learning_rate
            if value > peak and name not in unused:
                default = " (the default)" if value == getattr(Recipe, name) else ""
                raise InputError(
                    f"{name} {value:g}{default} is above learning_rate {peak:g}; set {name} to at "
                    f"most {peak:g}{instead}"
                )

    @cached_property
    def optimizer_part(self) -> Part:
        """The optimizer's name and its options."""
        return read_part_word("optimizer", self.optimizer, "optimizer")

    @cached_property
    def schedule_part(self) -> Part:
        """The schedule's name and its options."""
        return read_part_word("schedule", self.schedule, "schedule")

    @cached_property
    def augmentation_parts(self) -> tuple[Part, ...]:
        """The augmentations' names and their options, in order."""
        return read_part_words("augmentation", self.augmentations, "augmentations")

    @property
    def _named(self) -> list[Named]:
        return [
            ("optimizer", self.optimizer_part),
            ("schedule", self.schedule_part),
            *(("augmentation", part) for part in self.augmentation_parts),
        ]

    @property
    def plugins(self) -> dict[str, str]:
        """Source hashes of the plug-ins among the parts."""
        return plugin_hashes(self._named)

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others."""
        return self.mix_probability > 0 and (self.mixup > 0 or self.cutmix > 0)

    @cached_property
    def unused(self) -> frozenset[str]:
        """Fields whose value changes nothing beside the others', such as of rates no step has."""
        unused = unused_by(self._named)
        if self.warmup_epochs == 0:
            unused.add("warmup_learning_rate")
        elif "warmup_epochs" not in unused and self.warmup_epochs >= self.epochs:
            unused.add("min_learning_rate")
        if not self.mixes:
            unused |= {"mixup", "cutmix", "mix_probability"}
        if not (self.mixes and self.mixup > 0 and self.cutmix > 0):
            unused.add("mix_switch_probability")
        return frozenset(unused)

    @cached_property
    def id(self) -> str:
        """Ten hex digits of the canonical form: equal recipes have equal ids, however written.

        A value that changes nothing does not count, nor does an option at its default. The source
        of a plug-in does.
        """
        idle = {name: getattr(Recipe, name) for name in self.unused}
        words = {
            "optimizer": str(without_defaults("optimizer", self.optimizer_part)),
            "schedule": str(without_defaults("schedule", self.schedule_part)),
            "augmentations": [
                str(without_defaults("augmentation", part)) for part in self.augmentation_parts
            ],
        }
        canonical: dict[str, Any] = {
            key: value if isinstance(value, str | list) else float(value)
            for key, value in _without_left_out(asdict(self) | idle | words).items()
        }
        if self.plugins:
            canonical["plugins"] = self.plugins
        return digest(json.dumps(canonical, sort_keys=True).encode())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, as they stand in YAML.

        Fields behind ``zero_init_residual`` are left out at their default.
        """
        plain = asdict(self) | {"augmentations": list(self.augmentations)}
        return _without_left_out(plain)

    def to_yaml(self) -> str:
        """The recipe as YAML text that ``from_yaml`` reads back."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read what ``to_dict`` gives, or ``{preset: name}`` with values that count before it.

        Unknown fields are refused with the nearest known one.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"a recipe is a mapping such as {{epochs: 30}}; got {data!r}")
        data = cls.spelled_out(data)
        check_fields(data, cls, "field of a recipe")
        return cls(**data)

    @staticmethod
    def spelled_out(data: Mapping[str, Any]) -> dict[str, Any]:
        """What was written, with the values of the preset that it names, if any."""
        return with_preset(data)

    @classmethod
    def from_preset(cls, name: str, **values: Any) -> "Recipe":
        """A recipe of ``configs/recipes`` by its name, with other values where they are given."""
        return cls.from_dict(values | {PRESET: name})

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Recipe":
        """Read a recipe's file; an empty one is the default recipe."""
        data = read_yaml(path, f"recipe file {str(path)!r}")
        return cls.from_dict({} if data is None else data)


_NAMES = [field.name for field in fields(Recipe)]
_LEFT_OUT = _NAMES[_NAMES.index("zero_init_residual") + 1 :]


def with_defaults(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as it was written, with the fields that were left out."""
    return {name: _plain(getattr(Recipe, name)) for name in _LEFT_OUT} | dict(recipe)


def _without_left_out(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if name not in _LEFT_OUT or value != _plain(getattr(Recipe, name))
    }


def _plain(value: Any) -> Any:
    """As it stands in YAML, where a tuple is a list."""
    return list(value) if isinstance(value, tuple) else value


def _listed(value: Any) -> Any:
    """A list as a tuple, which can be hashed; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value

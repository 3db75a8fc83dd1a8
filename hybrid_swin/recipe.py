"""A recipe: how a network is trained, as data. Frozen, validated, hashable, written as YAML.

The defaults are those of Swin's and DeiT's fine-tuning scaled to small images; a study's configs
name what differs.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.yaml_files import read_yaml

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
# Fields that came later, as they were before: recipes that leave them so keep their ids.
_LATER = {"weight_init": "trunc_normal"}


@dataclass(frozen=True)
class _Range:
    """The numbers that a field takes: from ``least`` to ``below`` (left out)."""

    least: float
    below: float = math.inf
    whole: bool = False
    open_below: bool = False  # True where ``least`` itself is refused

    def holds(self, value: float) -> bool:
        above = value > self.least if self.open_below else value >= self.least
        return above and value < self.below

    @property
    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        start = f"above {self.least:g}" if self.open_below else f"of at least {self.least:g}"
        return f"{kind} {start}" + (f" and below {self.below:g}" if self.below < math.inf else "")


_RANGES: dict[str, _Range] = {
    "epochs": _Range(1, whole=True),
    "batch_size": _Range(1, whole=True),
    "learning_rate": _Range(0, open_below=True),
    "weight_decay": _Range(0),
    "warmup_epochs": _Range(0),
    "min_learning_rate": _Range(0),
    "label_smoothing": _Range(0, below=1),
    "gradient_clip": _Range(0),
    "drop_path": _Range(0, below=1),
    "shift": _Range(0, whole=True),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, linear warm-up, then a cosine.

    Args:
        epochs: passes over the train split.
        batch_size: images a step.
        learning_rate: peak, reached at the end of the warm-up.
        weight_decay: AdamW's; biases, norms, bias tables and temperatures are exempt.
        warmup_epochs: epochs of linear warm-up; may be a fraction. At ``epochs`` or more the whole
            training is warm-up.
        min_learning_rate: where the cosine ends.
        label_smoothing: share of the target spread over all classes.
        gradient_clip: largest global norm of a step's gradient; 0 for no clipping.
        drop_path: largest rate of stochastic depth, reached linearly at the last block.
        class_weights: weight the loss of each image by the inverse of its class's train count, or
            not.
        shift: largest random shift of a train image along each axis, in pixels.
        flip: mirror each train image with probability one half, or not.
        precision: Lightning's name; ``auto`` is bf16-mixed where the hardware is fast at it.
        weight_init: first weights of linear layers: Swin's ``trunc_normal`` of .02, or
            ``lecun_normal``, of 1/√inputs, which keeps signals alive where widths are small.

    Raises:
        InputError: a value that cannot be, with what is allowed.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    min_learning_rate: float = 1e-6
    label_smoothing: float = 0.1
    gradient_clip: float = 1.0
    drop_path: float = 0.0
    class_weights: ClassWeights = "none"
    shift: int = 0
    flip: Flip = "none"
    precision: Precision = "auto"
    weight_init: WeightInit = "trunc_normal"

    def __post_init__(self) -> None:
        # 1 and 1.0 become one value, so that equality, the YAML and the identity agree.
        for name, allowed in _RANGES.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), allowed))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(
                    f"{name} must be one of {', '.join(choices)}; got {value!r}"
                    + (" (quote it in YAML)" if isinstance(value, bool) else "")
                )
        if self.min_learning_rate > self.learning_rate:
            raise InputError(
                f"min_learning_rate {self.min_learning_rate:g} is above learning_rate "
                f"{self.learning_rate:g}; choose at most {self.learning_rate:g}"
            )

    @cached_property
    def id(self) -> str:
        """Ten hex digits of the canonical form: equal recipes have equal ids, however written."""
        canonical = {
            key: value if isinstance(value, str) else float(value)
            for key, value in self.to_dict().items()
            if _LATER.get(key) != value
        }
        text = json.dumps(canonical, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

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
        allowed = [f.name for f in fields(cls)]
        for key in data:
            if key not in allowed:
                raise unknown("field of a recipe", key, allowed)
        return cls(**data)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Recipe":
        """Read a recipe's file; an empty one is the default recipe."""
        data = read_yaml(path, f"recipe file {str(path)!r}")
        return cls.from_dict({} if data is None else data)


def _number(name: str, value: Any, allowed: _Range) -> float | int:
    number = value
    if isinstance(number, str):  # YAML 1.1 reads 1e-3 as text; it takes 1.0e-3 for a number
        try:
            number = float(number)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InputError(f"{name} must be {allowed.words}; got {value!r}")
    if not math.isfinite(number) or not allowed.holds(number):
        raise InputError(f"{name} must be {allowed.words}; got {value!r}")
    if not allowed.whole:
        return float(number)
    if number != int(number):
        raise InputError(f"{name} must be {allowed.words}; got {value!r}")
    return int(number)

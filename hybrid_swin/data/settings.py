"""Which images, and how they are split, as typed data."""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec import registry
from hybrid_swin.spec.values import check_fields

Duplicates = Literal["warn", "drop", "refuse"]

# Fields that came later, as they were before: what leaves them so is written as it was then.
_LATER = {
    **{"epoch_images": 0, "validation_seed": None, "train_images": 0, "duplicates": "warn"},
    **{"mean": None, "std": None},
}

# Why a module of the user's own takes none of them.
_OF_A_MODULE = {
    "epoch_images": "its own train loader may give fewer images",
    "validation_seed": "it draws its own splits",
    "train_images": "its own train loader may give fewer images",
    "duplicates": "its images are not looked at",
    "mean": "its loaders normalise its images",
    "std": "its loaders normalise its images",
}
_MOST_PROCESSES = 1024  # as many as the largest machines have cores


@dataclass(frozen=True)
class DataSettings:
    """Which images to learn from.

    Args:
        source: name of a data source; the command ``blocks`` lists them.
        options: options of the source, such as {path: my_images}.
        validation_share: share of the free images that a trial is judged by. Images are free where
            the source gives no split; a source's own splits are kept.
        test_share: share of the free images that is kept apart to the end.
        split_seed: seed of the draw; the same for all trials of a study. With class_path: of what
            the module draws from the global generators when it is set up.
        validation_seed: draw validation anew among what ``split_seed`` left beside test, which
            stays as it is; so finalists are judged over several draws, and test is one. Left out,
            and where the source gives the validation split, nothing is drawn anew.
        class_path: a LightningDataModule of your own instead of a source, as package.module.Class.
        init_args: arguments of that class.
        num_workers: processes that prepare batches; 0 is fastest where the images fit in memory.
        train_images: learn from this number of train images only, each class by its share; 0 for
            all. The images of a smaller number are among those of a larger one.
        epoch_images: images of an epoch, drawn anew from the train split for each epoch, none
            twice in an epoch; 0 for the whole train split. So a large or endless set is validated
            as often as wished, and the recipe's epochs and warm-up count these shorter epochs.
        duplicates: images with the same pixels as one in another split or under another label:
            ``warn`` names them; ``drop`` keeps them in the last of their splits only (test before
            validation before train), and none of those under two labels; ``refuse`` ends.
            Drawn splits never part equal images of one class, whatever the seed, unless too few
            others are left for each split to hold the class.
        mean: of each channel, which is taken from pixels before they are divided by std, with 1 for
            the largest pixel value (255 of 8 bits). Left out, it is that of the train split.
            Published weights expect those of their own training.
        std: standard deviation of each channel, likewise.
    """

    source: str = "digits"
    options: Mapping[str, Any] = field(default_factory=dict)
    validation_share: float = 0.15
    test_share: float = 0.2
    split_seed: int = 0
    class_path: str | None = None
    init_args: Mapping[str, Any] = field(default_factory=dict)
    num_workers: int = 0
    epoch_images: int = 0
    validation_seed: int | None = None
    train_images: int = 0
    duplicates: Duplicates = "warn"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "std"):  # a list of YAML as a tuple, so that equal settings are equal
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DataSettings":
        """Read what ``to_dict`` gives. Raises InputError for an unknown key or a wrong value."""
        if not isinstance(data, Mapping):
            raise InputError(f"data must be a mapping such as {{source: digits}}; got {data!r}")
        check_fields(data, cls, "field of data")
        settings = cls(**data)
        settings.validate()
        return settings

    @staticmethod
    def left_behind(before: Mapping[str, Any], changes: Mapping[str, Any]) -> set[str]:
        """What goes when these changes come: the options of another source, of another module."""
        other = {
            name
            for name in ("source", "class_path")
            if name in before and name in changes and before[name] != changes[name]
        }
        gone = set()
        if "source" in changes and "class_path" not in changes and before.get("class_path"):
            gone |= {"class_path", "init_args"}
        if "class_path" in other:
            gone.add("init_args")
        if "source" in other or ("source" in before and changes.get("class_path")):
            gone.add("options")
        return gone

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, as they stand in YAML; later fields if set."""
        data = asdict(self) | {"options": dict(self.options), "init_args": dict(self.init_args)}
        for name, unset in _LATER.items():
            if data[name] == unset:
                del data[name]
            elif isinstance(data[name], tuple):
                data[name] = list(data[name])
        return copy.deepcopy(data)

    def validate(self) -> None:
        """Raise InputError for a value that cannot work. Reads no image and imports nothing."""
        for name in ("options", "init_args"):
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"data.{name} must be a mapping; got {getattr(self, name)!r}")
        for name in ("split_seed", "num_workers", "epoch_images", "train_images"):
            _check_whole(f"data.{name}", getattr(self, name))
        if self.num_workers > _MOST_PROCESSES:
            raise InputError(
                f"data.num_workers must be at most {_MOST_PROCESSES}; got {self.num_workers}"
            )
        if self.validation_seed is not None:
            _check_whole("data.validation_seed", self.validation_seed)
        self._check_shares()
        self._check_normalisation()
        if self.duplicates not in get_args(Duplicates):
            raise unknown("value of data.duplicates", self.duplicates, get_args(Duplicates))
        if self.class_path is None:
            if self.init_args:
                raise InputError(
                    "data.init_args are arguments of data.class_path, which is not given; "
                    f"write them as data.options if they are meant for source {self.source!r}"
                )
            entry = registry.describe("data source", self.source)
            entry.check_options(self.options, f"data source {self.source}")
            return
        if self.options:
            raise InputError(
                "data.options belong to a source; with data.class_path write data.init_args"
            )
        for name, unset in _LATER.items():
            if getattr(self, name) != unset:
                raise InputError(
                    f"data.{name} {getattr(self, name)} belongs to a source; with data.class_path "
                    f"leave it out: {_OF_A_MODULE[name]}"
                )
        parts = str(self.class_path).split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise InputError(
                f"data.class_path {self.class_path!r} is not an importable name; "
                "write it as package.module.Class"
            )

    def _check_shares(self) -> None:
        shares = (self.validation_share, self.test_share)
        for name, share in zip(("validation_share", "test_share"), shares, strict=True):
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not number or not 0 < share < 1:  # NaN fails as well
                raise InputError(f"data.{name} must be a number between 0 and 1; got {share!r}")
        if sum(shares) >= 1 or math.isclose(sum(shares), 1):
            raise InputError(
                f"data.validation_share {shares[0]} and data.test_share {shares[1]} leave nothing "
                "to train on; their sum must be below 1"
            )

    def _check_normalisation(self) -> None:
        if (self.mean is None) != (self.std is None):
            given, other = ("std", "mean") if self.mean is None else ("mean", "std")
            raise InputError(
                f"data.{given} needs data.{other}, by which images are normalised too; give both, "
                "or leave both out for those of the train split"
            )
        for name, least in (("mean", -math.inf), ("std", 0.0)):
            values = getattr(self, name)
            if values is None:
                continue
            if not isinstance(values, tuple) or not values or not all(map(_is_number, values)):
                raise InputError(
                    f"data.{name} must be a list with a number for each channel; got {values!r}"
                )
            if any(value <= least for value in values):
                raise InputError(f"data.{name} must be above 0 in each channel; got {[*values]}")
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise InputError(
                f"data.mean has {len(self.mean)} channels and data.std {len(self.std)}; give a "
                "number for each channel in both"
            )


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < 1e6  # type: ignore[arg-type]  # NaN fails as well


def _check_whole(where: str, value: object) -> None:
    # The upper bound is that of NumPy's seeds.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise InputError(f"{where} must be a whole number of at least 0; got {value!r}")

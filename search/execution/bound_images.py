"""The images that an experiment is tied to, which every machine must have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.data.splits import make_splits
from hybrid_swin.spec.variant import Variant
from search.execution.run_folder import UnfitMachineError

_WHAT = {"data_hash": "images", "split_hash": "splits", "test_hash": "a test split"}


class OtherImagesError(UnfitMachineError):
    """This machine has other images than the coordinator, or other groups or splits of them."""


@dataclass(frozen=True)
class BoundImages:
    """Images, in the size that a network takes, and how they are split.

    Args:
        data: settings of the data.
        shape: the network's ``image_size`` and ``in_channels``.
        hashes: ``data_hash``, ``split_hash`` and ``test_hash``.
    """

    data: dict[str, Any]
    shape: tuple[Any, ...]
    hashes: dict[str, str]

    @classmethod
    def of(
        cls, data: DataSettings, variant: Variant, hashes: Mapping[str, Any]
    ) -> "list[BoundImages]":
        """Those of one data set; none if it is a data module of the user's own."""
        known = {name: str(hashes[name]) for name in _WHAT if hashes.get(name)}
        return [cls(data.to_dict(), _shape(variant.to_dict()), known)] if known else []


def expected_images(
    bound: Iterable[BoundImages], data: Mapping[str, Any], variant: Mapping[str, Any]
) -> BoundImages | None:
    """What a training on ``data`` must see, however validation is drawn; None if unknown."""
    for images in bound:
        if images.shape == _shape(variant) and _drawn_alike(images.data) == _drawn_alike(data):
            return images
    return None


def other_images(
    images: BoundImages,
    data: Mapping[str, Any],
    hashes: Mapping[str, Any],
    on_fewer: bool = False,
) -> str:
    """What a machine has that gave a result of other hashes; empty if they are the same.

    Another validation seed draws another split (see `check_images`), and a training that may have
    ended on fewer images (``on_fewer``) names the split with those.
    """
    same_split = images.data == data and not on_fewer
    names = [name for name in _WHAT if name != "split_hash" or same_split]
    return _difference(images.hashes, hashes, names)


def check_images(
    settings: Mapping[str, Any], variant: Variant, cache: Path, expected: Mapping[str, Any]
) -> None:
    """Load a job's images, and raise OtherImagesError if they are not the coordinator's.

    Validation that is drawn anew is not known by a hash, but the split that the coordinator made is
    made here, too: if that is the same, so is what is drawn from it.

    Args:
        settings: of the job's data.
        variant: the network.
        cache: folder for decoded images.
        expected: the fields of `BoundImages`.
    """
    data_settings = DataSettings.from_dict(settings)
    data = load_data(data_settings, variant.image_size, variant.in_channels, cache)
    hashes = data.hashes
    if settings != expected["data"] and data.data_hash == expected["hashes"]["data_hash"]:
        splits = make_splits(data.images, DataSettings.from_dict(expected["data"]))
        hashes |= {"split_hash": splits.hash, "test_hash": splits.test_hash}
    if why := _difference(expected["hashes"], hashes, list(_WHAT)):
        raise OtherImagesError(why)


def _difference(
    expected: Mapping[str, str], hashes: Mapping[str, Any], names: Sequence[str]
) -> str:
    for name in names:
        here, there = hashes.get(name), expected.get(name)
        if here and there and here != there:
            return (
                f"has {_WHAT[name]} other than the study's ({name} {here} instead of {there}); it "
                "needs the same files, groups, given splits and version of Pillow"
            )
    return ""


def _shape(variant: Mapping[str, Any]) -> tuple[Any, ...]:
    size = variant.get("image_size")
    return tuple(size) if isinstance(size, Sequence) else size, variant.get("in_channels")


def _drawn_alike(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "validation_seed"}

"""What timm's tools read of a network, its ``pretrained_cfg``: facts of its images and its head."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import of_variant, timm_arguments

IMAGE_FACTS = (
    *("mean", "std", "full_scale", "value_range", "resize"),
    *("crop_pct", "crop_mode", "interpolation"),
)
"""The names in ``pretrained_cfg``; the classes' own are ``label_names``."""

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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Normalisation | None":
        """Read what ``to_dict`` gives, or a ``pretrained_cfg``; None if that is not known.

        Raises TypeError or ValueError for values that are none.
        """
        if data.get("mean") is None or data.get("full_scale") is None:
            return None
        limits = data.get("value_range")
        return cls(
            tuple(data["mean"]),
            tuple(data["std"]),
            float(data["full_scale"]),
            None if limits is None else (float(limits[0]), float(limits[1])),
            str(data.get("resize", "")),
        )

    def to_cfg(self) -> dict[str, Any]:
        """As ``pretrained_cfg`` holds it, with timm's words for how images are resized."""
        facts = {name: getattr(self, name) for name in self.to_dict()}
        scaled = {"crop_pct": 1.0, "crop_mode": _CROP_MODES.get(self.resize, "center")}
        return facts | scaled | {"interpolation": "bicubic"}  # of decoding.Decoder


def with_images(cfg: Mapping[str, Any], images: Normalisation) -> dict[str, Any]:
    """A ``pretrained_cfg`` that says this of its images, and of them nothing else."""
    others = {name: value for name, value in cfg.items() if name not in IMAGE_FACTS}
    return others | images.to_cfg()


def untrained(channels: int) -> dict[str, tuple[float, ...]]:
    """Mean and std if they are unknown: ImageNet's, or .5."""
    if channels == 3:
        return {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    return {"mean": (0.5,) * channels, "std": (0.5,) * channels}


def kept_facts(cfg: Mapping[str, Any], variant: Variant) -> dict[str, Any]:
    """What a ``pretrained_cfg`` says that a network with its weights still has.

    Names of classes if there are as many. For other channels mean and std go as weights do
    (``resize_channels``): of one channel the average, else repeated in order.
    """
    facts = {name: cfg[name] for name in IMAGE_FACTS if name in cfg}
    if cfg["num_classes"] == variant.num_classes:
        names = ("label_names", "label_descriptions")
        facts |= {name: cfg[name] for name in names if name in cfg}
    given = {name: tuple(facts.pop(name)) for name in ("mean", "std")}
    if "full_scale" not in cfg and given == untrained(len(given["mean"])):
        return facts
    return facts | {name: for_channels(v, variant.in_channels) for name, v in given.items()}


def for_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """Mean or std of images with other channels, as ``resize_channels`` has weights for them."""
    if channels == 1:
        return (sum(values) / len(values),)
    return (tuple(values) * -(-channels // len(values)))[:channels]


LABELS = "label_names", "label_descriptions", "label_offset"  # of as many classes


def pretrained_cfg(variant: Variant) -> dict[str, Any]:
    """What timm's tools want to know of a network, of one that nothing has trained yet."""
    return {
        **shape_facts(variant),
        "input_size": (variant.in_channels, *variant.image_size),
        "fixed_input_size": False,  # any size works
        "interpolation": "bicubic",
        "crop_pct": 0.9,
        "crop_mode": "center",
        **untrained(variant.in_channels),
        "first_conv": f"patch_embed.{'proj' if variant.stem == 'patch' else 'convs.0'}",
        "classifier": "head.fc",
    }


def shape_facts(variant: Variant, timm_name: str = "") -> dict[str, Any]:
    """Those of ``pretrained_cfg`` that another head or fewer stages change.

    ``timm_name`` is the name under which timm made the network, and can make it again.
    """
    return {
        "architecture": timm_name or variant.name,
        "pool_size": variant.grids[-1],
        "num_classes": variant.num_classes,
    }


def facts_after(
    cfg: Mapping[str, Any], before: Variant, after: Variant, timm_name: str
) -> dict[str, Any]:
    """``pretrained_cfg`` of a network whose variant has changed."""
    dropped = LABELS if after.num_classes != before.num_classes else ()
    kept = {name: value for name, value in cfg.items() if name not in dropped}
    facts = kept | shape_facts(after, timm_name)
    if (after.in_channels, after.image_size) != (before.in_channels, before.image_size):
        facts["input_size"] = (after.in_channels, *after.image_size)
    elif len(after.stages) == len(before.stages) and "pool_size" in kept:
        facts["pool_size"] = kept["pool_size"]
    return facts


def arguments_after(
    arguments: Mapping[str, Any], before: Variant, after: Variant
) -> dict[str, Any]:
    """Timm's record of a network's arguments where its variant is another by now.

    If more than the number of classes has changed, all fields of the variant stand there: blocks
    may have been replaced, which no argument of timm's says.
    """
    if replace(before, num_classes=after.num_classes) == after:
        return {**arguments, "num_classes": after.num_classes}
    others = {n: v for n, v in arguments.items() if n not in of_variant(arguments)}
    return others | timm_arguments(after)

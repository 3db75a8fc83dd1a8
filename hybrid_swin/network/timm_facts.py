"""What timm's tools read of a network: facts of its images and head, and how to make it again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybrid_swin.network.image_facts import untrained
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import of_variant, timm_arguments

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
        "first_conv": "patch_embed.proj",
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

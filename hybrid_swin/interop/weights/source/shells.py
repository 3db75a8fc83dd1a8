"""What names and shapes tell of a network's stem and merging."""

from collections.abc import Mapping

from torch import Tensor

from hybrid_swin.spec.stems import Stem

STEM_WEIGHTS: dict[Stem, str] = {
    "patch": "patch_embed.proj.weight",
    "conv": "patch_embed.convs.0.weight",
}
"""The weight that reads images, by the kind of stem."""


def stem_of(weights: Mapping[str, Tensor]) -> Stem | None:
    """The kind of stem that weights by our names are of; None if they tell none."""
    return next((kind for kind, name in STEM_WEIGHTS.items() if name in weights), None)

"""What names and shapes tell of a network's stem and merging."""

from collections.abc import Mapping

from torch import Tensor

from hybrid_swin.interop.weights.source.layouts import has_v2_names
from hybrid_swin.spec.stems import Stem
from hybrid_swin.spec.variant import Merging, MergingNorm

STEM_WEIGHTS: dict[Stem, str] = {
    "patch": "patch_embed.proj.weight",
    "conv": "patch_embed.convs.0.weight",
}
"""The weight that reads images, by the kind of stem."""


def stem_of(weights: Mapping[str, Tensor]) -> Stem | None:
    """The kind of stem that weights by our names are of; None if they tell none."""
    return next((kind for kind, name in STEM_WEIGHTS.items() if name in weights), None)


def merging_of(weights: Mapping[str, Tensor]) -> Merging | None:
    """The kind of the first merging that weights by our names are of; None if they tell none.

    A projection of four neighbours has four times as many inputs as the stage before has channels.
    """
    if "layers.1.downsample.conv.weight" in weights:
        return "conv"
    projection = weights.get("layers.1.downsample.reduction.weight")
    channels = weights.get("layers.0.blocks.0.norm2.weight")
    if projection is None or channels is None or projection.ndim != 2:
        return None
    kinds: dict[int, Merging] = {4 * channels.numel(): "linear", channels.numel(): "pool"}
    return kinds.get(projection.shape[1])


def merging_norm(weights: Mapping[str, Tensor]) -> MergingNorm | None:
    """``merging_norm`` by the shapes of the first merging; None if they do not tell.

    A norm before the projection has the width of its inputs, one behind it that of its outputs.
    """
    norm = weights.get("layers.1.downsample.norm.weight")
    projection = weights.get("layers.1.downsample.reduction.weight")
    if projection is None:
        projection = weights.get("layers.1.downsample.conv.weight")
    if norm is None or projection is None or projection.ndim < 2:
        return None
    outputs, inputs = projection.shape[:2]
    if outputs == inputs:
        return None
    norms: dict[int, MergingNorm] = {inputs: "pre", outputs: "post"}
    return norms.get(norm.numel())


def usual_merging(weights: Mapping[str, Tensor]) -> MergingNorm | None:
    """``merging_norm`` of a plain Swin with these weights; None if it merges nothing."""
    if "layers.1.downsample.norm.weight" not in weights:
        return None
    return "post" if has_v2_names(weights) else "pre"

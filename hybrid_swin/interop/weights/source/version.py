"""Swin Transformer V2's weights told from version 1's, by names and shapes."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from hybrid_swin.spec.variant import MergingNorm

_MARKS = ".logit_scale", ".cpb_mlp.", ".continuous_position_bias_mlp."


def has_v2_names(names: Iterable[str]) -> bool:
    """Whether there is a cosine attention or a continuous position bias among the names."""
    return any(mark in name for name in names for mark in _MARKS)


def usual_merging(weights: Mapping[str, Tensor]) -> MergingNorm | None:
    """``merging_norm`` of a plain Swin with these weights; None if it merges nothing."""
    if "layers.1.downsample.norm.weight" not in weights:
        return None
    return "post" if has_v2_names(weights) else "pre"


def merging_norm(weights: Mapping[str, Tensor]) -> MergingNorm | None:
    """``merging_norm`` by the shapes of the first merging; None where they do not tell.

    A norm before the projection has the width of its inputs, one behind it that of its outputs.
    """
    norm = weights.get("layers.1.downsample.norm.weight")
    projection = weights.get("layers.1.downsample.reduction.weight")
    if norm is None or projection is None or projection.ndim != 2:
        return None
    outputs, inputs = projection.shape
    if outputs == inputs:
        return None
    shown: dict[int, MergingNorm] = {inputs: "pre", outputs: "post"}
    return shown.get(norm.numel())

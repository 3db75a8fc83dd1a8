"""Swin Transformer V2's weights told from version 1's, and refused by a network of the other."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import MergingNorm, Variant

_MARKS = ".logit_scale", ".cpb_mlp.", ".continuous_position_bias_mlp."
_TABLE = ".relative_position_bias_table"


def has_v2_names(names: Iterable[str]) -> bool:
    """Whether there is a cosine attention or a continuous position bias among the names."""
    return any(mark in name for name in names for mark in _MARKS)


def refuse_other_version(
    name: str,
    weights: Mapping[str, Tensor],
    source: Variant | None,
    target: Mapping[str, Tensor],
    variant: Variant,
    maybe_ours: bool = False,
) -> None:
    """Refuse weights of one version in a network of the other, by the attentions and the merging.

    Args:
        name: of the weights, for messages.
        weights: by timm's names.
        source: the network that they are of, where they say so.
        target: the model's, by its own names.
        variant: the model's.
        maybe_ours: whether they may be of a network of ours, of which a merging's shapes do not
            always tell its norm.

    Raises:
        InputError: the versions differ, and no weights of an attention or a merging would fit.
    """
    theirs, ours = has_v2_names(weights), has_v2_names(target)
    if theirs and not ours:
        raise InputError(
            f"{name} is of Swin Transformer V2 (cosine attention, continuous position bias, norms "
            "behind mixers and merging), the model is not; build it as swin_v2_t is: blocks "
            "w_msa(attention=cosine;bias=continuous), norm: post, merging_norm: post"
        )
    if ours and not theirs and _has_tables(weights) and not _has_tables(target):
        raise InputError(
            f"{name} is of Swin version 1 (tables of position biases), and the model computes its "
            "biases, as Swin Transformer V2; build it as swin_t is, or give weights of version 2"
        )
    merges = source.merging_norm if source is not None else merging_norm(weights)
    if merges is None and not maybe_ours:
        merges = usual_merging(weights)
    if merges is not None and len(variant.stages) > 1 and merges != variant.merging_norm:
        places = {"pre": "before their projection, as Swin", "post": "behind it, as Swin V2"}
        raise InputError(
            f"{name} normalises merged patches {places[merges]} does, and the model does not; "
            f"build it with merging_norm: {merges}"
        )


def _has_tables(names: Iterable[str]) -> bool:
    return any(name.endswith(_TABLE) for name in names)


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

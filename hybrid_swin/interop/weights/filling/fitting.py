"""What of a source fits into a network of other sizes, depths or kinds of parts.

A search tries networks of which a file of weights fits some whole, and others in part. Parts are
taken whole or not at all: the stem, a merging, a block's norm, MLP or layer scale, the last norm.
An MLP of another ratio would otherwise keep one bias of four tensors. Mixers and the head are
planned by themselves, and are whole or fresh as well.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import Tensor

from hybrid_swin.interop.weights.source.shells import (
    STEM_WEIGHTS,
    merging_norm,
    merging_of,
    usual_merging,
)
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.spec.variant import MergingNorm, Variant

_PART = re.compile(
    r"patch_embed|layers\.(?P<merging>\d+)\.downsample"
    r"|layers\.(?P<stage>\d+)\.blocks\.\d+\.(?P<name>norm1|norm2|mlp|ls1|ls2)|norm"
)


def fitting(source: WeightSource, variant: Variant, target: Mapping[str, Tensor]) -> WeightSource:
    """The source without the parts that the network has otherwise, or does not have.

    Args:
        source: weights by timm's names.
        variant: the network's.
        target: the network's own weights, by the same names.
    """
    ours, theirs = _parts(target), _parts(source.weights)
    other = {
        part
        for part, names in theirs.items()
        if not _is_of_kind(part, source, variant, target)
        or not all(
            name in names and _fits(name, source.weights[name], target[name])
            for name in ours.get(part, ())
        )
    }
    dropped = {name for part in other for name in theirs[part]}
    kept = {name: tensor for name, tensor in source.weights.items() if name not in dropped}
    keys = {name: keys for name, keys in source.keys.items() if name in kept}
    return replace(source, weights=kept, keys=keys)


def norm_of_merging(source: WeightSource) -> MergingNorm | None:
    """Where a source normalises merged patches; None if that cannot be told."""
    merges = source.variant.merging_norm if source.variant else merging_norm(source.weights)
    if merges is None and not source.judgement.maybe_ours:  # of ours no shape may tell it
        return usual_merging(source.weights)
    return merges


def _parts(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the part that they belong to."""
    parts: dict[str, list[str]] = {}
    for name in names:
        if match := _PART.match(name):
            parts.setdefault(match[0], []).append(name)
    return parts


def _fits(name: str, given: Tensor, tensor: Tensor) -> bool:
    """Whether a weight has the size of the network's; of images of other channels it is adapted."""
    if name in STEM_WEIGHTS.values() and given.ndim == tensor.ndim == 4:
        return len(given) == len(tensor) and given.shape[2:] == tensor.shape[2:]
    return given.shape == tensor.shape


def _is_of_kind(
    part: str, source: WeightSource, variant: Variant, target: Mapping[str, Tensor]
) -> bool:
    """Whether a part does in the source what it does here, as far as no shape tells it."""
    match = _PART.match(part)
    if match is None or match["merging"]:
        same = norm_of_merging(source) in (None, variant.merging_norm)
        return same and merging_of(source.weights) in (None, merging_of(target))
    if match["stage"] is None or not match["name"].startswith("norm"):
        return True
    stage = int(match["stage"])
    norm = "post" if source.is_v2 else "pre"
    if source.variant is not None:
        stages = source.variant.stages
        norm = stages[stage].norm if stage < len(stages) else ""
    here = variant.stages[stage].norm if stage < len(variant.stages) else norm
    return {norm, here} <= {"pre", "branch"} or norm == here

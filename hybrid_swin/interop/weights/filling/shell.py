"""What a network has beside its mixers: stem, merging, norms, MLPs and head, into a plan."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.refusals import lacks_half, refuse_parts
from hybrid_swin.interop.weights.report import Resized
from hybrid_swin.interop.weights.source.shells import STEM_WEIGHTS
from hybrid_swin.interop.weights.source.weight_source import WeightSource, depths
from hybrid_swin.network.resizing import channels_rule, resize_channels

if TYPE_CHECKING:
    from hybrid_swin.interop.weights.filling.plan import LoadPlan

HEAD = "head."
_SCALES = ".ls1.gamma", ".ls2.gamma"


def plan_shell(
    plan: "LoadPlan", target: Mapping[str, Tensor], source: WeightSource, strict: bool = True
) -> None:
    """Add stem, merging, norms and MLPs to a plan. Raises InputError for another network's.

    Without ``strict`` all that the source holds fits, and what it does not hold is left fresh.
    """
    differing, missing = [], []
    ours, theirs = depths(target), depths(source.weights)
    scaled = any(name.endswith(_SCALES) for name in source.weights)
    if not scaled and any(name.endswith(_SCALES) for name in target):
        plan.notes.append(
            "the source has no layer scales; ours are 1, so that blocks compute what they did"
        )
    # A pyramid, which has no last norm, may leave out the last stages.
    if ours != (theirs if "norm.weight" in target else theirs[: len(ours)]):
        differing.append(
            f"the blocks a stage are {_listed(theirs)} in the source, {_listed(ours)} in the model"
        )
    for name, tensor in target.items():
        if ".attn." in name or name.startswith(HEAD):
            continue
        given = source.weights.get(name)
        if given is None and name.endswith(_SCALES) and not scaled:
            plan.values[name] = torch.ones_like(tensor)
        elif given is None:
            if not _may_miss(name, source):
                missing.append(name)
        elif given.shape == tensor.shape:
            plan.values[name] = given
            plan.used.add(name)
        elif (
            name in STEM_WEIGHTS.values()
            and given.shape[2:] == tensor.shape[2:]
            and len(given) == len(tensor)
        ):
            plan.values[name] = resize_channels(given, tensor.shape[1])
            plan.notes.append(channels_rule(given.shape[1], tensor.shape[1]))
            plan.resized.append(Resized(name, tuple(given.shape), tuple(tensor.shape)))
            plan.used.add(name)
        else:
            differing.append(
                f"{name} is {tuple(given.shape)} in the source, {tuple(tensor.shape)} in the model"
            )
    if strict and differing:
        refuse(differing, target, source)
    if strict and missing:
        hint = ""
        if all(name.startswith("patch_embed.norm.") for name in missing):
            hint = "a Swin without a norm after its patches (patch_norm: false) is another network"
        refuse_parts(missing, source, hint)


def _may_miss(name: str, source: WeightSource) -> bool:
    """Whether a checkpoint can do without: the last norm, and norms that its branches have."""
    if lacks_half(name, source):
        return False
    if not name.startswith(("patch_embed.", "layers.")):
        return True
    block, _, part = name.partition(".norm1.")
    return bool(part) and any(n.startswith(f"{block}.attn.branches.") for n in source.weights)


def refuse(differing: list[str], target: Mapping[str, Tensor], source: WeightSource) -> NoReturn:
    """Raise the InputError for weights of another network, with the sizes of both."""
    ours, theirs = _sizes(target), _sizes(source.weights)
    others = [
        f"{name} {size} in the source, {ours[name]} in the model"
        for name, size in theirs.items()
        if ours.get(name, size) != size
    ]
    sizes = f"Sizes: {'; '.join(others)}. " if others else ""
    raise InputError(
        f"{source.name} is of another network: {differing[0]}"
        f"{f' (and {len(differing) - 1} more)' if len(differing) > 1 else ''}. "
        f"{sizes}Build the model with the source's sizes"
    )


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """The sizes of a network, as far as its shapes tell them."""
    widths = [weights.get(f"layers.{i}.blocks.0.norm2.weight") for i in range(len(depths(weights)))]
    sizes = {"widths": _listed("?" if t is None else t.numel() for t in widths)}
    stem, hidden = (
        weights.get(STEM_WEIGHTS["patch"]),
        weights.get("layers.0.blocks.0.mlp.fc1.weight"),
    )
    if stem is not None and stem.ndim == 4:
        sizes["patch_size"] = str(stem.shape[-1])
    if hidden is not None and hidden.ndim == 2 and hidden.shape[1]:
        sizes["mlp_ratio"] = f"{hidden.shape[0] / hidden.shape[1]:g}"
    return sizes


def _listed(numbers: Iterable[object]) -> str:
    return "-".join(map(str, numbers)) or "none"


def plan_head(plan: "LoadPlan", target: Mapping[str, Tensor], source: WeightSource) -> None:
    """All of the head, or nothing: of other classes it is left fresh."""
    ours = {name: tensor for name, tensor in target.items() if name.startswith(HEAD)}
    theirs = {name: source.weights[name] for name in ours if name in source.weights}
    if not ours:
        return
    if not theirs:
        plan.notes.append("the source has no head; the model's is fresh")
    elif {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}:
        plan.values |= theirs
        plan.used |= theirs.keys()
    else:
        weight, bias = f"{HEAD}fc.weight", f"{HEAD}fc.bias"
        if theirs.keys() == {weight} and theirs[weight].shape == ours[weight].shape:
            plan.values |= {weight: theirs[weight], bias: theirs[weight].new_zeros(len(ours[bias]))}
            plan.used.add(weight)
            plan.notes.append("the source's head has no bias; ours starts at zero")
            return
        if weight in ours and weight not in theirs:
            refuse_parts([weight], source)
        name, given = next((n, t) for n, t in theirs.items() if t.shape != ours[n].shape)
        if given.ndim == 2 and given.shape[0] == ours[name].shape[0]:
            plan.notes.append(
                f"the head is fresh: it reads {given.shape[1]} features in the source, "
                f"{ours[name].shape[1]} in the model (global_pool 'catavgmax' gives two for each "
                "channel)"
            )
            return
        there, here = (shape[0] if shape else "no" for shape in (given.shape, ours[name].shape))
        plan.notes.append(f"the head is fresh: {there} classes in the source, {here} in the model")

"""What differs from the source outside of blocks: stem, position embeddings, merging, last norm."""

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hybrid_swin.errors import few
from hybrid_swin.interop.weights.source.rules import EPS
from hybrid_swin.interop.weights.source.shells import merging_norm, usual_merging
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import spell_size

if TYPE_CHECKING:
    from hybrid_swin.interop.weights.filling.plan import LoadPlan

_NORMALISER = re.compile(r"(^|\.)(mean|std|pixel_mean|pixel_std|image_mean|image_std)$")
_BETWEEN = re.compile(
    r"(patch_embed|absolute_pos_embed|pos_embed|norm_pre|pre_norm)\b|norm\.(?!(weight|bias)$)"
)
_BEHIND = re.compile(r"(^|\.)(fc_norm|pre_logits|head\.(norm|pre_logits|fc1|fc2|mlp))\.")
_OF_TRAININGS = "mask_token", "logit_bias"  # SimMIM's, SigLIP's
OTHER_LOGITS = "its logits are others"
_POSITIONS = "absolute_pos_embed", "position_embeddings", "pos_embed"


def look_outside(plan: "LoadPlan", variant: Variant, source: WeightSource) -> None:
    """Add to a plan what differs outside of blocks, and the names that have no place there."""
    judgement = source.judgement
    plan.outside += judgement.config.differs
    _look_at_merging(plan, variant, source)
    _look_behind(plan, source)
    trunk = [
        key
        for key, place in source.leftover.items()
        if place == "trunk" or _may_act(key, source.raw[key])
    ]
    trunk += [
        key
        for name, keys in source.keys.items()
        if name not in plan.used and (_is_trunk(name, plan) or _may_act(name, source.weights[name]))
        for key in keys
    ]
    positions = [key for key in trunk if key.split(".")[-1] in _POSITIONS]
    others = [key for key in trunk if key not in positions and not _NORMALISER.search(key)]
    plan.left_out += [*positions, *others]
    if others:
        plan.outside.append(f"the model has no place for the source's {few(others)}")
    if positions and judgement.config.positions is not False:
        _look_at_positions(plan, source, positions[0])
    elif judgement.config.positions and not positions:
        plan.outside.append("its config says that it adds position embeddings, but there are none")
    normaliser = [key for key in source.raw if _NORMALISER.search(key)]
    if normaliser:
        plan.left_out += normaliser
        plan.outside.append(
            f"the source normalises its images itself ({few(normaliser)}), the model does not"
        )
    if not judgement.rules:
        return
    rules = judgement.rules[0]
    if rules.eps != EPS and "norm.weight" in plan.values:
        plan.outside.append(f"the last norm has eps {EPS:g} where the source has {rules.eps:g}")
    if rules.images != "pad" and any(s % variant.patch_size for s in variant.image_size):
        does = "cuts them off" if rules.images == "cut" else "refuses them"
        plan.outside.append(
            f"sides of {spell_size(variant.image_size)} that patches of {variant.patch_size} do "
            f"not divide are padded; {rules.library} {does}"
        )


def _is_trunk(name: str, plan: "LoadPlan") -> bool:
    """Whether a name of timm's is of something between blocks that the model should have."""
    stage = re.match(r"layers\.\d+\.(?!blocks\.)", name)
    return bool(_BETWEEN.match(name)) or (
        stage is not None and any(n.startswith(stage[0]) for n in plan.values)
    )


def _may_act(name: str, tensor: Tensor) -> bool:
    """Whether a parameter is the network's own, not a layer's: tokens, prompts, gates, scales.

    Nobody can tell from its name where it acts, but for those of trainings that the network ended.
    One whole number is a count or a flag, such as ``n_averaged`` of torch's AveragedModel.
    """
    counts = tensor.numel() == 1 and not (tensor.is_floating_point() or tensor.is_complex())
    return "." not in name and name not in _OF_TRAININGS and not counts


def _look_at_merging(plan: "LoadPlan", variant: Variant, source: WeightSource) -> None:
    """Say where no shape shows a merging's norm, and the model's is not a plain Swin's."""
    usual = usual_merging(source.weights)
    norm_is_known = source.variant is not None or merging_norm(source.weights) is not None
    if norm_is_known or usual is None or len(variant.stages) == 1 or variant.merging_norm == usual:
        return
    plan.outside.append(
        f"unless the source is of this very network: merging_norm is {variant.merging_norm} where "
        f"a Swin's is {usual}; no shape shows it"
    )


def _look_behind(plan: "LoadPlan", source: WeightSource) -> None:
    """Note what a source's head has beside the one layer of ours."""
    if "head.fc.weight" not in plan.values:
        return
    names = {key: name for name, keys in source.keys.items() for key in keys}
    more = [key for key in (*names, *source.leftover) if _BEHIND.search(names.get(key, key))]
    if more:
        plan.notes.append(
            f"the source has more between its last map and its classes ({few(more)}), which the "
            f"model has not: {OTHER_LOGITS}"
        )


def look_at_pool(plan: "LoadPlan", pool: object, source: WeightSource) -> None:
    """Note a head that reads what another pool gave, or features that another pool gives."""
    read = "head.fc.weight"
    same = read in plan.values or read not in source.weights
    if pool and source.pool and pool != source.pool and same:
        plan.notes.append(
            f"the source's global_pool is {source.pool!r}, the model's {pool!r}: {OTHER_LOGITS}; "
            f"make the model with global_pool={source.pool!r}"
        )


def _look_at_positions(plan: "LoadPlan", source: WeightSource, key: str) -> None:
    embedding = source.raw[key]
    size = _rms(embedding)
    if size == 0:
        plan.notes.append(f"{key} is all zeros, so nothing is lost without it")
        return
    sentence = f"the source adds {key} {tuple(embedding.shape)} to the patches, the model does not"
    weight, bias = (source.weights.get(f"patch_embed.norm.{kind}") for kind in ("weight", "bias"))
    if weight is not None and bias is not None:
        # A layer norm gives weight * z + bias, with z of mean 0 and variance 1.
        patches = (_rms(weight) ** 2 + _rms(bias) ** 2) ** 0.5
        sentence += f" (its root mean square is {size / patches:.2g} of theirs)"
    plan.outside.append(sentence)


def _rms(tensor: Tensor) -> float:
    return float(tensor.to(torch.float64).square().mean().sqrt())

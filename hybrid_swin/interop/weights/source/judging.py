"""By whose rules the network of a checkpoint computed, and how that is known."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from hybrid_swin.interop.weights.source.configs import ConfigFacts, read_config, timm_facts
from hybrid_swin.interop.weights.source.files import WeightFile
from hybrid_swin.interop.weights.source.layouts import has_v2_names
from hybrid_swin.interop.weights.source.own_variant import own_name
from hybrid_swin.interop.weights.source.rules import (
    DEFAULTS,
    DEFAULTS_V2,
    MICROSOFT_DENSE,
    OPENMMLAB_DENSE,
    TRANSFORMERS,
    TRANSFORMERS_BACKBONE,
    Rules,
)
from hybrid_swin.spec.variant import Variant

_DENSE_HEADS = re.compile(r"(^|\.)(neck|bbox_head|roi_head|rpn_head|decode_head|mask_head)\.")

_OWN = re.compile(r"(layers\.\d+\.blocks\.\d+)\.(?:attn\.(.+)|.+)")  # a block, what is in its mixer
_LAYERS = {"qkv.weight", "proj.weight", "proj.bias"}
# An attention's names, one of which marks it, in Swin and in Swin V2.
_ATTENTIONS = (
    ({"relative_position_bias_table"}, _LAYERS | {"qkv.bias"}),
    (
        {"logit_scale", "cpb_mlp.0.weight"},
        _LAYERS | {"q_bias", "v_bias", "cpb_mlp.0.bias", "cpb_mlp.2.weight"},
    ),
)
_STAGE_NORM = re.compile(r"(?!.*\bblocks\.)(.*\.)?norm\d\.weight")  # of the map of a stage


@dataclass(frozen=True)
class Judgement:
    """By which rules a source is compared with a network of ours.

    Args:
        rules: those that it may have computed by; several where it cannot be told.
        basis: what they are known from.
        maybe_ours: whether it may be a network of ours, in timm's names, without its variant.
        is_hybrid: whether it can only be one, by the names of its mixers: not a plain Swin's.
        notes: what else to say.
        config: what a config says of the network.
    """

    rules: tuple[Rules, ...] = ()
    basis: str = ""
    maybe_ours: bool = False
    is_hybrid: bool = False
    notes: tuple[str, ...] = ()
    config: ConfigFacts = field(default_factory=ConfigFacts)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Whose rules they are."""
        return ("hybrid_swin",) if self.is_hybrid else tuple(r.library for r in self.rules)


def judge(
    file: WeightFile,
    layout: str,
    weights: Mapping[str, Tensor],
    keys: Sequence[str],
    variant: Variant | None,
    depths: Sequence[int],
) -> Judgement:
    """The rules of a source.

    ``weights`` has timm's names, ``keys`` are all names in the file.
    """
    if variant is not None:
        return Judgement(basis="its variant")
    own = own_name(file) if layout == "timm" else ""
    if own:
        basis = f"{own}, one of ours, without a variant that fits"
        return Judgement(basis=basis, maybe_ours=True, is_hybrid=True)
    config, basis, notes = _config(file, layout, weights, depths)
    if config.rules is not None:
        rules = config.rules
        backbone = layout == "huggingface" and _has(keys, "hidden_states_norms")
        if backbone and not config.is_v2:
            rules = replace(TRANSFORMERS_BACKBONE, activation=rules.activation, eps=rules.eps)
        return Judgement((rules,), basis, notes=tuple(notes), config=config)
    maybe_ours = layout == "timm"
    basis = "its defaults, no config beside"
    is_hybrid = maybe_ours and _has_other_mixers(weights)
    if is_hybrid:
        basis = "names and shapes alone, since it does not say its variant"
    elif maybe_ours:
        basis += "; it may be a network of ours"
    return Judgement(
        tuple(_guessed(file, layout, weights, keys)),
        basis,
        maybe_ours,
        is_hybrid,
        tuple(notes),
    )


def _config(
    file: WeightFile, layout: str, weights: Mapping[str, Tensor], depths: Sequence[int]
) -> tuple[ConfigFacts, str, list[str]]:
    """What the config beside the weights says, or the arguments within, as timm's script saves.

    With what it is, and notes on one that is not used.
    """
    arch, facts = file.content.get("arch"), ConfigFacts()
    if layout == "timm" and isinstance(arch, str) and arch.startswith("swin"):
        given = getattr(file.content.get("args"), "model_kwargs", None)
        facts = timm_facts(arch, given if isinstance(given, Mapping) else {})
        basis = f"its arch {arch[:40]!r}"
    elif file.config is not None:
        if ("architecture" in file.config) == (layout in ("timm", "microsoft")):
            facts = read_config(file.config)
        basis = "the config.json beside it"
    else:
        what = (
            f"the config.json beside it cannot be read ({file.config_problem}), so the library's "
            "defaults are assumed"
        )
        return facts, "", [what] if file.config_problem else []
    if facts.rules is None:
        what = f"the config.json beside it is of no Swin in the layout of {layout}: not used"
        return facts, basis, [what] if file.config is not None else []
    stem = weights.get("patch_embed.proj.weight")
    width = len(stem) if stem is not None and stem.ndim else None
    other = (
        facts.is_v2 != has_v2_names(weights)
        or (facts.depths and list(facts.depths) != list(depths))
        or (facts.width and facts.width != width)
    )
    if not other:
        return facts, basis, []
    version = "V2, " if facts.is_v2 else ""
    sizes = f"{version}depths {list(facts.depths or ())}, width {facts.width}"
    what = f"the config.json beside it is of another network ({sizes}): not used"
    return ConfigFacts(), basis, [what]


def _guessed(
    file: WeightFile, layout: str, weights: Mapping[str, Tensor], keys: Sequence[str]
) -> Iterable[Rules]:
    """The rules that a library has unless a config says otherwise; several where it has several."""
    if has_v2_names(weights):
        return (DEFAULTS_V2[layout],)
    if layout == "huggingface" and _has(keys, "hidden_states_norms"):
        return (TRANSFORMERS_BACKBONE,)
    if layout == "huggingface" and _may_be_maskformers(weights, keys):
        return TRANSFORMERS, TRANSFORMERS_BACKBONE
    dense = {"microsoft": MICROSOFT_DENSE, "openmmlab": OPENMMLAB_DENSE}.get(layout)
    if dense is None:
        return (DEFAULTS[layout],)
    meta = file.content.get("meta")
    config = str(meta.get("cfg", ""))[: 2**20] if isinstance(meta, Mapping) else ""
    norms = {key for key in keys if _STAGE_NORM.fullmatch(key)}
    heads = any(_DENSE_HEADS.search(key) for key in keys)
    if heads or len(norms) > 1 or "pad_small_map=True" in config:
        return (dense,)
    if any(name.startswith("head.") for name in weights) or (
        not norms and "norm.weight" in weights
    ):
        return (DEFAULTS[layout],)
    return DEFAULTS[layout], dense  # a backbone alone


def _may_be_maskformers(weights: Mapping[str, Tensor], keys: Sequence[str]) -> bool:
    """Whether names do not tell a SwinModel from a MaskFormerSwinModel of transformers.

    Only the former is a part of other models, named ``swin``, and has new names in memory.
    """
    heads = any(name.startswith("head.") for name in weights)
    of_swin = any("swin" in key.split(".") for key in keys) or _has(keys, ".attention.q_proj.")
    return "norm.weight" in weights and not heads and not of_swin


def _has_other_mixers(weights: Iterable[str]) -> bool:
    """Whether a block has another mixer than a plain Swin's, by timm's names."""
    blocks: dict[str, set[str]] = {}
    for name in weights:
        match = _OWN.fullmatch(name)
        if match is not None:
            own = blocks.setdefault(match[1], set())
            own |= {match[2]} if match[2] else set()
    return not all(_is_attention(own) for own in blocks.values())


def _is_attention(names: set[str]) -> bool:
    """Whether a mixer's names are those of a plain Swin's attention, which may lack a part."""
    return any(names & marks and names <= marks | others for marks, others in _ATTENTIONS)


def _has(keys: Iterable[str], mark: str) -> bool:
    return any(mark in key for key in keys)

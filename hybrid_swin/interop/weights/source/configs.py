"""What a config beside the weights says of the network: transformers' and timm's ``config.json``.

Every field of transformers' ``SwinConfig`` and ``Swinv2Config`` is one of three things: read here,
seen in the weights themselves (``IN_SHAPES``), or without a say in what a network computes in
evaluation (``IDLE``). A field that is none of them is named in the report.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybrid_swin.cost import Grid
from hybrid_swin.interop.weights.source.rules import (
    ALWAYS_PARTITION,
    EXACT_GELU,
    TIMM,
    TRANSFORMERS,
    TRANSFORMERS_BACKBONE,
    TRANSFORMERS_V2,
    Rules,
)
from hybrid_swin.spec import published
from hybrid_swin.spec.variant_changes import ARGUMENT, first_windows

READ = (
    *("model_type", "architectures", "hidden_act", "layer_norm_eps"),
    *("qkv_bias", "use_absolute_embeddings", "window_size", ARGUMENT),
    "image_size",  # of V2, whose windows are laid for it
)
IN_SHAPES = (
    *("patch_size", "num_channels", "embed_dim", "depths", "num_heads", "mlp_ratio"),
    *("hidden_size", "num_layers", "stage_names", "num_labels", "id2label", "label2id"),
)  # of Swin V2 window_size is in no shape, and is read
IDLE = {
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate"),  # training only
    "initializer_range",  # of first weights, which the file replaces
    *("out_features", "out_indices"),  # maps that a backbone gives
    *("encoder_stride", "problem_type"),  # of the decoder for masked images, and of the loss
    *("dtype", "torch_dtype", "_name_or_path", "transformers_version", "path_norm"),
    *("output_attentions", "output_hidden_states", "return_dict", "chunk_size_feed_forward"),
    # of any model, which older configs list
    *("add_cross_attention", "bad_words_ids", "begin_suppress_tokens", "bos_token_id"),
    *("cross_attention_hidden_size", "decoder_start_token_id", "diversity_penalty", "do_sample"),
    *("early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id", "finetuning_task"),
    *("exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id"),
    *("is_decoder", "is_encoder_decoder", "length_penalty", "max_length", "min_length"),
    *("no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences"),
    *("output_scores", "pad_token_id", "prefix", "remove_invalid_values", "repetition_penalty"),
    *("return_dict_in_generate", "sep_token_id", "suppress_tokens", "task_specific_params"),
    *("temperature", "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings"),
    *("tokenizer_class", "top_k", "top_p", "torchscript", "typical_p", "use_bfloat16"),
    "_attn_implementation_autoset",
}
_PARTS = "encoder", "backbone_config", "vision_config"  # where other models keep a Swin's config
_BACKBONES = "maskformer-swin", "SwinBackbone"  # which always shift and pad
_SWIN_V2 = "swinv2"
_SWIN = "swin", "donut-swin", "maskformer-swin", _SWIN_V2


@dataclass(frozen=True)
class ConfigFacts:
    """What a config says.

    Args:
        rules: by which the weights' network computed; None if the config is of no Swin.
        depths: blocks of each stage, where they are told.
        width: of the first stage, where it is told.
        positions: whether it adds absolute position embeddings, where it is told.
        qkv_bias: whether queries, keys and values have a bias, where it is told.
        is_v2: whether it is of Swin Transformer V2.
        windows: tokens of a window, where they are told, of all stages or of each; they shrink to
            small maps.
        pretrained: windows of the first training of each stage, of V2; None for those in use.
        differs: what else makes the network another, for the report.
        unknown: fields that are not known here, or have values that cannot be read, and so may
            make it another.
    """

    rules: Rules | None = None
    depths: tuple[int, ...] | None = None
    width: int | None = None
    positions: bool | None = None
    qkv_bias: bool | None = None
    is_v2: bool = False
    windows: tuple[Grid, ...] = ()
    pretrained: tuple[Grid | None, ...] = ()
    differs: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def window_at(self, stage: int) -> Grid | None:
        """The window of a stage's blocks, where it is told."""
        if len(self.windows) == 1:
            return self.windows[0]
        return self.windows[stage] if stage < len(self.windows) else None

    def pretrained_at(self, stage: int) -> Grid | None:
        """The window of a stage's first training; None if it is the one in use."""
        return self.pretrained[stage] if stage < len(self.pretrained) else None


def read_config(config: Mapping[str, Any]) -> ConfigFacts:
    """What ``config.json`` says of the network; any values are taken, whatever their type."""
    if isinstance(config.get("architecture"), str):
        return _timm(config)
    return _transformers(config)


def _transformers(config: Mapping[str, Any]) -> ConfigFacts:
    inside = [("", config), *((p, config[p]) for p in _PARTS if isinstance(config.get(p), Mapping))]
    place, fields = next((c for c in inside if c[1].get("model_type") in _SWIN), ("", None))
    if fields is None:
        return ConfigFacts()
    classes = config.get("architectures")
    names = [fields["model_type"], *(classes if isinstance(classes, list) else [])]
    is_backbone = place == "backbone_config"
    is_v2, rules = fields["model_type"] == _SWIN_V2, TRANSFORMERS
    if is_v2:
        rules = replace(TRANSFORMERS_V2, made_for=_two_sides(fields.get("image_size")))
    elif is_backbone or any(name in _BACKBONES for name in names):
        rules = TRANSFORMERS_BACKBONE
    activation, eps = fields.get("hidden_act", "gelu"), fields.get("layer_norm_eps", rules.eps)
    rules = replace(rules, activation="gelu" if activation in EXACT_GELU else str(activation)[:40])
    if isinstance(eps, int | float) and not isinstance(eps, bool) and 0 <= eps < 1e30:
        rules = replace(rules, eps=float(eps))
    known = {*READ, *IN_SHAPES, *IDLE, "" if fields.get("pruned_heads") else "pruned_heads"}
    width, depths = fields.get("embed_dim"), _whole_numbers(fields.get("depths"))
    return ConfigFacts(
        rules,
        depths=depths,
        width=width if isinstance(width, int) else None,
        positions=_truth(fields.get("use_absolute_embeddings")),
        qkv_bias=_truth(fields.get("qkv_bias")),
        is_v2=is_v2,
        windows=_windows(fields.get("window_size")),
        pretrained=_pretrained(fields) or (),
        unknown=_unknown(fields, known),
    )


# Arguments of timm's SwinTransformer that its config may override: those that no shape shows.
_TIMM_KNOWN = {
    *("img_size", "patch_size", "in_chans", "num_classes", "embed_dim", "depths", "num_heads"),
    *("window_size", "mlp_ratio", "qkv_bias", "strict_img_size", "always_partition"),
    *("drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate", "weight_init", "head_dim"),
    *("global_pool", "norm_layer", "dynamic_img_size", ARGUMENT),
    *("pretrained", "features_only", "out_indices"),
}
# As in swinv2_base_window12to16_192to256: windows, and sizes in pixels, of the two trainings.
_TIMM_V2 = re.compile(r"swinv2_(?!cr_)\w*?_window(\d+)(?:to(\d+))?_(\d+)(?:to\d+)?")


def _timm(config: Mapping[str, Any]) -> ConfigFacts:
    given, cfg = config.get("model_args"), config.get("pretrained_cfg")
    arguments = dict(given) if isinstance(given, Mapping) else {}
    images = cfg.get("input_size") if isinstance(cfg, Mapping) else None
    if isinstance(images, list) and len(images) == 3:  # (channels, height, width)
        arguments.setdefault("img_size", images[1:])
    return timm_facts(config["architecture"], arguments)


def timm_facts(architecture: str, arguments: Mapping[str, Any]) -> ConfigFacts:
    """What a name of timm's and arguments of its SwinTransformer, or V2's, say.

    Windows and shifts are fixed by ``img_size``; where nothing gives it, by the model's.
    """
    v2 = _TIMM_V2.match(architecture)
    ours = architecture in published.names()  # as timm's files say it of networks of ours
    if ours or not (v2 or architecture.startswith("swin_")):
        return ConfigFacts()
    differs = []
    if arguments.get("norm_layer") is not None:
        differs.append(f"its norms are {str(arguments['norm_layer'])[:40]!r}, ours are layer norms")
    if arguments.get("global_pool", "avg") != "avg":
        differs.append("its maps are not averaged before the head, ours are")
    rules = ALWAYS_PARTITION if arguments.get("always_partition") else TIMM
    return ConfigFacts(
        replace(rules, made_for=_two_sides(arguments.get("img_size"))),
        depths=_whole_numbers(arguments.get("depths")),
        is_v2=v2 is not None,
        windows=_windows(arguments.get("window_size") or (v2 and int(v2[2] or v2[1]))),
        pretrained=_timm_pretrained(v2, arguments) if v2 else (),
        differs=tuple(differs),
        unknown=_unknown(arguments, _TIMM_KNOWN),
    )


def _timm_pretrained(named: re.Match[str], arguments: Mapping[str, Any]) -> tuple[Grid | None, ...]:
    """As timm has them: the first training's windows, no larger than its maps."""
    if ARGUMENT in arguments:
        return _pretrained(arguments) or ()
    if not named[2]:
        return ()
    return tuple(map(_two_sides, first_windows(int(named[1]), int(named[3]))))


def _pretrained(fields: Mapping[str, Any]) -> tuple[Grid | None, ...] | None:
    """Windows of each stage's first training, of a number or two; None if they cannot be read.

    Without one, or with 0 first, a stage counts by the windows in use.
    """
    given = fields.get(ARGUMENT)
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        return None
    pairs = [_whole_numbers(v if isinstance(v, list | tuple) else [v, v]) for v in given]
    known = [(pair[0], pair[1]) for pair in pairs if pair is not None and len(pair) == 2]
    if len(known) < len(pairs) or any(min(pair) < 0 or pair[0] > 0 == pair[1] for pair in known):
        return None
    return tuple(pair if pair[0] else None for pair in known)


def _unknown(fields: Mapping[str, Any], known: Container[str]) -> tuple[str, ...]:
    """Fields that are not known here, and those of windows whose value cannot be read."""
    names = [name for name in fields if name not in known]
    names += [ARGUMENT] if _pretrained(fields) is None else []
    return tuple(sorted(str(name)[:40] for name in names))


def _whole_numbers(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list | tuple) and value and all(isinstance(v, int) for v in value):
        return tuple(value)
    return None


def _windows(value: Any) -> tuple[Grid, ...]:
    """Both sides of windows, of one number or two; or of as many for each stage."""
    one = _two_sides(value)
    if one is not None:
        return (one,)
    each = [_two_sides(window) for window in value] if isinstance(value, list | tuple) else []
    known = tuple(window for window in each if window is not None)
    return known if len(known) == len(each) else ()


def _two_sides(value: Any) -> Grid | None:
    """Height and width, of two numbers above 0 or of one."""
    sides = _whole_numbers(value if isinstance(value, list | tuple) else [value, value])
    possible = sides is not None and len(sides) == 2 and min(sides) > 0
    return (sides[0], sides[1]) if sides is not None and possible else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None

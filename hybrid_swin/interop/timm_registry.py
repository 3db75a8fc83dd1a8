"""Our names in timm's registry, so that timm's tools and trainer find them. timm is optional."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from hybrid_swin.errors import InputError, did_you_mean, quote
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.interop.factory import create_model
from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import (
    IMAGE_FACTS,
    LABELS,
    for_channels,
    pretrained_cfg,
    shape_facts,
)
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec import published

__all__ = ["register_with_timm"]

#: What timm reads beside an entry of a module: facts of each network, by name.
default_cfgs: dict[str, dict[str, Any]] = {}
# What timm hands to entries, beside arguments of the network, that says nothing of ours.
_IDLE = "feature_cls", "feature_cfg", "pretrained_model_args"
_OF_SHAPE = "architecture", "num_classes", "pool_size"  # the network itself says them


def register_with_timm() -> list[str]:
    """Put every published name into timm's registry: ``timm.create_model("hybrid_t")``.

    Returns:
        The names.

    Raises:
        InputError: timm cannot be imported.
    """
    try:
        from timm.models import register_model
    except (ImportError, RuntimeError) as error:
        reason = message_of(error).strip().partition("\n")[0]
        raise InputError(
            f"register_with_timm needs timm, which cannot be imported ({reason}); pip install timm"
        ) from error
    for name in published.names():
        if name not in default_cfgs:
            default_cfgs[name] = pretrained_cfg(published.published(name)) | {"architecture": name}
            register_model(_entry(name))
    return published.names()


def _entry(name: str) -> Callable[..., nn.Module]:
    def entry(
        pretrained: bool = False,
        pretrained_cfg: Any = None,
        pretrained_cfg_overlay: Mapping[str, Any] | None = None,
        cache_dir: Any = None,
        **arguments: Any,
    ) -> nn.Module:
        facts = _facts(name, pretrained_cfg) | dict(pretrained_cfg_overlay or {})
        _check_names(facts)
        given = {k: v for k, v in arguments.items() if k not in _IDLE and v is not None}
        only, out_indices = given.pop("features_only", False), given.get("out_indices")
        if only:
            given.pop("out_indices", None)
        model = create_model(name, pretrained and not _source(facts), **_with_facts(given, facts))
        model.timm_name = name
        if pretrained and _source(facts):
            _load(model, facts, cache_dir)
        _describe(model, facts, sized="img_size" in given or "image_size" in given)
        return Pyramid(model, out_indices) if only else model

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = f"{name} of hybrid-swin."
    return entry


def _facts(name: str, cfg: Any) -> dict[str, Any]:
    """What ``pretrained_cfg`` says: a mapping, timm's object, or the name of a tag, of none."""
    if isinstance(cfg, str) and cfg:
        raise InputError(f"{name} has no weights under a tag, such as {cfg!r}; give {name!r} alone")
    facts = cfg.to_dict() if hasattr(cfg, "to_dict") else cfg or {}
    if not isinstance(facts, Mapping):
        raise InputError(f"pretrained_cfg is a mapping, such as {{'mean': ...}}; got {quote(cfg)}")
    return dict(facts)


def _check_names(facts: Mapping[str, Any]) -> None:
    """Raise InputError for a fact that neither timm nor we know, which nothing would read."""
    try:
        from timm.models import PretrainedCfg
    except ImportError:  # it may be elsewhere in another timm
        return
    known = [*(field.name for field in dataclasses.fields(PretrainedCfg)), *IMAGE_FACTS]
    for name in facts:
        if name not in known:
            near = did_you_mean(name, known)
            raise InputError(f"pretrained_cfg has no {name!r} in timm{near or '; leave it out'}")


def _with_facts(given: dict[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with those that a cfg says where they are not given, as timm fills them in."""
    arguments = {"num_classes": facts.get("num_classes")}
    if size := facts.get("input_size"):
        arguments["in_chans"] = size[0]
        arguments["img_size"] = tuple(size[1:]) if facts.get("fixed_input_size") else None
    ours = {"in_chans": "in_channels", "img_size": "image_size"}
    known = {n: v for n, v in arguments.items() if given.get(n, given.get(ours.get(n, n))) is None}
    return given | known


def _source(facts: Mapping[str, Any]) -> Any:
    """Where a cfg's weights are, as timm looks for them; None if nowhere."""
    places = (facts.get(key) for key in ("state_dict", "file", "hf_hub_id", "url"))
    return next((place for place in places if place), None)


def _load(model: HybridSwin, facts: Mapping[str, Any], cache_dir: Any) -> None:
    """The weights that a cfg names, of any layout that ``load_weights`` knows."""
    here = facts.get("file") if facts.get("source") == "local-dir" else facts.get("state_dict")
    here = here or facts.get("file")
    if facts.get("source") != "hf-hub" and here:
        load_weights(model, here)
        return
    from timm.models import load_pretrained

    def taken(weights: Mapping[str, Any], model: HybridSwin) -> dict[str, Any]:
        load_weights(model, weights)
        return model.state_dict()

    cfg = model.pretrained_cfg | dict(facts)
    cfg |= {"num_classes": model.num_classes, "label_offset": 0}
    cfg["input_size"] = (model.in_chans, *cfg["input_size"][1:])  # the weights fit by then
    load_pretrained(model, cfg, model.num_classes, model.in_chans, taken, cache_dir=cache_dir)


def _describe(model: HybridSwin, facts: Mapping[str, Any], sized: bool) -> None:
    """Take facts of images, and of where weights are from; the network says its own shape."""
    dropped = {*_OF_SHAPE, "state_dict"}
    if facts.get("num_classes", model.num_classes) != model.num_classes:
        dropped |= {*LABELS}
    if sized:
        dropped.add("input_size")
    image_facts = {name: value for name, value in facts.items() if name not in dropped}
    for name in image_facts.keys() & {"mean", "std"}:
        image_facts[name] = for_channels(image_facts[name], model.in_chans)
    shape = shape_facts(model.variant, model.timm_name)
    if size := image_facts.get("input_size"):
        image_facts["input_size"] = (model.in_chans, *size[1:])
        shape["pool_size"] = model.variant.grids_of(tuple(size[1:]))[-1]
    model.pretrained_cfg = model.pretrained_cfg | image_facts | shape

"""The variant that a file of ours says it is of, in whichever of the ways that there are.

Files of ours say it themselves. timm's say one of our names: its folders for the Hub in the
``config.json``, checkpoints of its training script in ``arch`` and ``args``.
"""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from hybrid_swin.interop.weights.source.files import WeightFile
from hybrid_swin.network.pretrained_cfg import IMAGE_FACTS
from hybrid_swin.spec import published
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import changed, of_variant

_CLASS = "hybridswin"  # what timm's saver writes as ``arch`` where it was given no arguments
_FACTS = ("input_size", *IMAGE_FACTS, "label_names", "label_descriptions")


def own_variant(file: WeightFile) -> Variant | None:
    """The variant of the network in a file; None if the file does not say that it is of ours.

    Raises:
        InputError: a variant that cannot be, or one with a plug-in that is not here.
    """
    data = _written(file)
    if data is not None:
        return Variant.from_dict(data)
    name, arguments = _named(file)
    if name is None:
        return None
    return changed(published.published(name), of_variant(arguments))


def _written(file: WeightFile) -> Mapping[str, Any] | None:
    """The variant as data; what is not ours may hold anything under these names."""
    data: Any = file.content.get("hyper_parameters")
    data = data.get("variant") if isinstance(data, Mapping) else file.metadata.get("variant")
    try:
        data = json.loads(data) if isinstance(data, str) else data
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, Mapping) else None


def _named(file: WeightFile) -> tuple[str | None, Mapping[str, Any]]:
    """One of our names as timm's files say it, and the arguments beside it."""
    config = file.config or {}
    if is_ours(config.get("architecture")):
        return config["architecture"], _mapping(config.get("model_args"))
    arch = file.content.get("arch")
    if not is_ours(arch):
        return None, {}
    given = file.content.get("args")
    script = vars(given) if isinstance(given, argparse.Namespace) else _mapping(given)
    size = script.get("input_size")
    channels = size[0] if isinstance(size, list | tuple) and size else None
    arguments = {"num_classes": script.get("num_classes"), "in_chans": script.get("in_chans")}
    arguments["global_pool"] = script.get("gp")
    if arguments["in_chans"] is None:
        arguments["in_chans"] = channels
    return arch, arguments | _mapping(script.get("model_kwargs"))


def own_name(file: WeightFile) -> str:
    """How a file says that its network is of ours, as in "its arch 'swin_t'"; '' if it does not."""
    architecture, arch = (file.config or {}).get("architecture"), file.content.get("arch")
    if is_ours(architecture):
        return f"the architecture {architecture!r} in the config.json beside it"
    return f"its arch {arch!r}" if is_ours(arch) or arch == _CLASS else ""


def own_pool(file: WeightFile) -> dict[str, Any]:
    """How the network in a file of timm's pools, by name; empty if it does not say."""
    name, arguments = _named(file)
    pool = None if name is None else arguments.get("global_pool")
    return {} if pool is None else {"global_pool": pool}


def hub_facts(file: WeightFile) -> dict[str, Any]:
    """What the ``config.json`` of timm's folder says of images and classes, if it is of ours."""
    config = file.config or {}
    if not is_ours(config.get("architecture")):
        return {}
    cfg = _mapping(config.get("pretrained_cfg"))
    cfg |= {name: config[name] for name in _FACTS if name in config}
    return {
        name: tuple(cfg[name]) if isinstance(cfg[name], list) else cfg[name]
        for name in _FACTS
        if name in cfg
    }


def is_ours(architecture: Any) -> bool:
    """Whether a name of a network is one of ours, which no other library has."""
    return isinstance(architecture, str) and architecture in published.names()


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}

"""Our names in timm's registry, so that timm's tools and trainer find them. timm is optional."""

from collections.abc import Callable
from typing import Any

from torch import nn

from hybrid_swin import published
from hybrid_swin.errors import InputError
from hybrid_swin.factory import create_model
from hybrid_swin.model import pretrained_cfg

__all__ = ["register_with_timm"]

#: What timm reads beside an entry of a module: facts of each network, by name.
default_cfgs: dict[str, dict[str, Any]] = {}
# What timm hands to every entry: where weights would come from, of which there are none.
_OF_TIMM = "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "feature_cls", "feature_cfg"


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
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"register_with_timm needs timm, which cannot be imported ({reason}); pip install timm"
        ) from error
    for name in published.names():
        if name not in default_cfgs:
            default_cfgs[name] = pretrained_cfg(published.published(name))
            register_model(_entry(name))
    return published.names()


def _entry(name: str) -> Callable[..., nn.Module]:
    def entry(pretrained: bool = False, **arguments: Any) -> nn.Module:
        given = {key: value for key, value in arguments.items() if key not in _OF_TIMM}
        model: nn.Module = create_model(name, pretrained, **given)
        return model

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = f"{name} of hybrid-swin."
    return entry

"""Where weights come from: unwrapped, named as timm names them, ready to be compared."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.variant import Variant
from hybrid_swin.weights.files import WeightFile, read_weights
from hybrid_swin.weights.layouts import DERIVED, LAYOUTS, recognise, to_timm

# Where training scripts keep weights; averaged ones first, since those are what they report.
_WRAPPINGS = (
    *("state_dict_ema", "model_ema", "ema_state_dict"),
    *("state_dict", "model", "model_state_dict", "module", "network", "weights"),
)
_V2 = "logit_scale", "cpb_mlp", "continuous_position_bias_mlp"


@dataclass(frozen=True)
class Source:
    """Weights to be taken.

    Args:
        name: for messages, such as ``checkpoint 'swin.pth'``.
        layout: whose names the weights had.
        wrapping: where in the file they lay, such as ``model``; empty at its top.
        weights: by timm's names.
        keys: the source's own names of each.
        leftover: the source's names of what has no name in timm.
        variant: the network that the weights are of, where the source says so.
    """

    name: str
    layout: str
    wrapping: str
    weights: dict[str, Tensor]
    keys: dict[str, tuple[str, ...]]
    leftover: tuple[str, ...]
    variant: Variant | None

    @property
    def is_foreign(self) -> bool:
        """Whether these can only be weights of a plain Swin: our own have timm's names."""
        return self.layout != "timm"

    @property
    def is_averaged(self) -> bool:
        """Whether these are averages over a training, which lay beside the weights themselves."""
        return "ema" in self.wrapping

    @property
    def is_v2(self) -> bool:
        """Whether these are weights of Swin Transformer V2."""
        return has_v2_names((*self.weights, *self.leftover))


def has_v2_names(names: Iterable[str]) -> bool:
    """Whether there is a cosine attention or a continuous position bias among the names."""
    return any(mark in name for name in names for mark in _V2)


def read_source(source: str | Path | Mapping[str, Any]) -> Source:
    """Read a file, or take a mapping, and recognise its layout.

    Raises:
        InputError: a file that cannot be read, or what is no weights of a Swin.
    """
    if isinstance(source, str | Path):
        file = read_weights(source)
    elif isinstance(source, Mapping):
        file = WeightFile("the state dict", source)
    else:
        raise InputError(
            f"weights come from a path or a state dict; got {type(source).__name__} {source!r:.80}"
        )
    weights, wrapping = _unwrap(file)
    recognised = recognise(weights)
    if recognised is None:
        some = ", ".join(list(weights)[:3])
        raise InputError(
            f"{file.name} is of another network: no name of a Swin's among its {len(weights)} "
            f"weights ({some}, ...); give one in the layout of {', '.join(LAYOUTS)} or our own"
        )
    layout, prefix = recognised
    try:
        named, keys = to_timm(weights, layout, prefix)
    except (RuntimeError, IndexError) as error:  # parts that do not go together
        raise InputError(
            f"{file.name} is damaged or of another network: weights in the layout of {layout} have "
            f"shapes that no Swin has ({str(error).splitlines()[0]})"
        ) from error
    named = {name: tensor for name, tensor in named.items() if not DERIVED.search(name)}
    used = {key for parts in keys.values() for key in parts}
    leftover = tuple(key for key in weights if key not in used and not DERIVED.search(key))
    variant = _variant(file)
    if variant is not None and depths(named) != [stage.depth for stage in variant.stages]:
        variant = None  # of another network than the weights
    return Source(file.name, layout, wrapping, named, keys, leftover, variant)


def depths(names: Iterable[str]) -> list[int]:
    """Blocks a stage."""
    blocks = {m[0]: int(m[1]) for n in names if (m := re.match(r"layers\.(\d+)\.blocks\.\d+", n))}
    return [count for _, count in sorted(Counter(blocks.values()).items())]


def _unwrap(file: WeightFile) -> tuple[dict[str, Tensor], str]:
    """The weights in a file, and where they lay. Raises InputError where there are none."""
    content, path = file.content, ""
    for _ in range(4):
        # Wrappings first: beside one there may be a tensor, such as the best accuracy.
        inside = next((w for w in _WRAPPINGS if _is_full(content.get(w))), None)
        if inside is None:
            break
        content, path = content[inside], f"{path}.{inside}" if path else inside
    if weights := _tensors(content):
        return weights, path
    keys = ", ".join(str(key)[:40] for key in list(content)[:5]) or "nothing"
    raise InputError(
        f"{file.name} holds no weights by name (inside{f' {path!r}' if path else ''}: {keys}); "
        f"give a state dict, plain or inside one of {', '.join(map(repr, _WRAPPINGS))}"
    )


def _is_full(content: Any) -> bool:
    return isinstance(content, Mapping) and len(content) > 0


def _tensors(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _variant(file: WeightFile) -> Variant | None:
    """The variant in a checkpoint of ours; none if it cannot be read, as without its plug-ins."""
    with suppress(InputError, KeyError, ValueError, TypeError, AttributeError):
        if "variant" in file.metadata:
            return Variant.from_dict(json.loads(file.metadata["variant"]))
        return Variant.from_dict(file.content["hyper_parameters"]["variant"])
    return None

"""Where weights come from: unwrapped, named as timm names them, ready to be compared."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import WeightFile, read_weights
from hybrid_swin.interop.weights.source.judging import Judgement, judge
from hybrid_swin.interop.weights.source.layouts import DERIVED, has_v2_names, place_of, to_timm
from hybrid_swin.interop.weights.source.networks import choose_network
from hybrid_swin.interop.weights.source.own_variant import own_variant
from hybrid_swin.interop.weights.source.positions import Positions, read_positions
from hybrid_swin.spec.variant import Variant


@dataclass(frozen=True)
class WeightSource:
    """Weights to be taken.

    Args:
        name: for messages, such as ``checkpoint 'swin.pth'``.
        layout: whose names the weights had.
        place: where in the file they lay, such as ``model``; empty at its top.
        choice: why they were taken, where the file holds several networks.
        raw: all tensors beside each other, by the source's own names.
        weights: those of the network, by timm's names.
        keys: the source's own names of each.
        leftover: the source's names of what has no name in timm, with the block that it is a part
            of (timm's name), ``trunk`` for what lies between blocks, or None for no part of what
            gives the last map.
        variant: the network that the weights are of, where the source says so.
        judgement: by whose rules the network computed.
        positions: what it says of positions beside its weights.
        pool: how its head pools; empty if that is not known.
    """

    name: str
    layout: str
    place: str
    choice: str
    raw: Mapping[str, Tensor]
    weights: dict[str, Tensor]
    keys: dict[str, tuple[str, ...]]
    leftover: dict[str, str | None]
    variant: Variant | None
    judgement: Judgement
    positions: Positions = field(default_factory=Positions)
    pool: str = ""

    @property
    def is_foreign(self) -> bool:
        """Whether these can only be weights of a plain Swin: our own have timm's names."""
        return self.variant is None and not self.judgement.maybe_ours

    @property
    def is_v2(self) -> bool:
        """Whether these are weights of Swin Transformer V2."""
        return has_v2_names(self.weights)

    def inside(self, prefix: str) -> dict[str, Tensor]:
        """The weights of one module, by their names within it."""
        return {n.removeprefix(prefix): t for n, t in self.weights.items() if n.startswith(prefix)}


def read_source(source: str | Path | Mapping[str, Any], prefix: str | None = None) -> WeightSource:
    """Read a file, or take a mapping, and recognise its layout.

    Raises:
        InputError: a file that cannot be read, or what is not weights of a Swin.
    """
    if isinstance(source, str | Path):
        file = read_weights(source)
    elif isinstance(source, Mapping):
        file = WeightFile("the state dict", source)
    else:
        raise InputError(
            f"weights come from a path or a state dict; got {type(source).__name__} {source!r:.80}"
        )
    return source_in(file, prefix)


def source_in(file: WeightFile, prefix: str | None = None) -> WeightSource:
    """The same of a file that has been read. Raises likewise."""
    network, choice = choose_network(file, prefix)
    layout, weights = network.layout, network.weights
    try:
        named, keys = to_timm(weights, layout, network.prefix)
    except (RuntimeError, IndexError) as error:  # parts that do not go together
        raise InputError(
            f"{file.name} is damaged or of another network: weights in the layout of {layout} have "
            f"shapes that no Swin has ({str(error).splitlines()[0]})"
        ) from error
    named = {name: tensor for name, tensor in named.items() if not DERIVED.search(name)}
    positions = read_positions(weights, named, layout, network.prefix)
    named |= positions.tables
    used = {key for parts in keys.values() for key in parts}
    leftover = {
        key: place_of(layout, key.removeprefix(network.prefix))
        if key.startswith(network.prefix)
        else None
        for key in weights
        if key not in used and not DERIVED.search(key)
    }
    keys = {name: key for name, key in keys.items() if name in named}
    variant = _variant(file)
    if variant is not None and depths(named) != [stage.depth for stage in variant.stages]:
        variant = None  # of another network than the weights
    return WeightSource(
        name=file.name,
        layout=layout,
        place=network.name,
        choice=choice,
        raw=weights,
        weights=named,
        keys=keys,
        leftover=leftover,
        variant=variant,
        judgement=judge(file, layout, named, [*weights], variant, depths(named)),
        positions=positions,
        pool=_pool(file, layout),
    )


def depths(names: Iterable[str]) -> list[int]:
    """Blocks a stage."""
    blocks = {m[0]: int(m[1]) for n in names if (m := re.match(r"layers\.(\d+)\.blocks\.\d+", n))}
    return [count for _, count in sorted(Counter(blocks.values()).items())]


def _pool(file: WeightFile, layout: str) -> str:
    """What our own files say; trainings and the other libraries average."""
    with suppress(Exception):  # as of a variant
        return str(json.loads(file.metadata["network"])["global_pool"])
    return "avg" if layout != "timm" or "hyper_parameters" in file.content else ""


def _variant(file: WeightFile) -> Variant | None:
    """The variant in a checkpoint of ours; none if it cannot be read, as without its plug-ins."""
    with suppress(Exception):  # anybody may have written anything there, as deep as they like
        return own_variant(file)
    return None

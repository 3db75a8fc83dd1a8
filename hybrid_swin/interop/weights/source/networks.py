"""The Swins in a checkpoint: found wherever they lie, and one of them chosen, never by its name.

A training may keep several: the network and its average, a student and its teacher.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.weights.source.files import WeightFile
from hybrid_swin.interop.weights.source.layouts import LAYOUTS, recognise_all

_DEEPEST = 5
_AVERAGED = re.compile(
    r"(?<!non[._-])(?<!not[._-])(?<!no[._-])(?<!without[._-])"  # non_ema is the other one
    r"(^|(?<=[._]))(ema|averaged?|avg|swa)([._]|$)"
)
_SUFFIXES = "ema", "averaged", "avg", "swa"
# In a mapping of the first kind, Lightning's WeightAveraging keeps the averages in the second.
_LIGHTNING = "current_model_state", "state_dict"
_FIRST_BLOCK = re.compile(
    r"((encoder\.)?layers[._]0\.blocks\.0|features\.1\.0|stages\.0\.blocks\.0)\."
)
# Weights that cannot be used without what made them: by a name among theirs, and what to do.
_UNUSABLE = {
    re.compile(
        r"\.base_layer\.|(^|[._])(lora_|ia3_l|hada_w|lokr_w|oft_|boft_|vera_lambda|fourierft_)"
    ): "holds an adapter ({}), so its weights are not those that the network used; merge it where "
    "it was trained (peft: model.merge_and_unload()), and save the whole network",
    # torch's pruning, weight and spectral norm
    re.compile(
        r"\.((weight|bias)_(orig|mask|[uvg])|parametrizations\..*\.original\d*)$"
    ): "holds weights in parts ({}), as pruning or a weight norm keeps them; join them where they "
    "were made (torch.nn.utils.prune.remove, parametrize.remove_parametrizations, "
    "remove_weight_norm), and save again",
    re.compile(
        r"\.(absmax|quant_map|nested_absmax|quant_state\..*|SCB|weight_format|qweight|qzeros|"
        r"zero_point|_packed_params.*)$"
    ): "holds quantised weights ({}); take those in floating point, or dequantise them where they "
    "were made (transformers: model.dequantize())",
}


@dataclass(frozen=True)
class Network:
    """One Swin in a checkpoint.

    Args:
        place: the mapping that it lies in, such as ``model``; empty at the top.
        prefix: what its names begin with, such as ``module.``.
        layout: whose names they are.
        weights: all tensors of that mapping.
    """

    place: str
    prefix: str
    layout: str
    weights: Mapping[str, Tensor]

    @property
    def name(self) -> str:
        """Where it lies, as ``weights_prefix`` may give it."""
        return ".".join(filter(None, (self.place, self.prefix.rstrip("."))))

    @property
    def has_stages(self) -> bool:
        """Whether it has a Swin's blocks; other networks embed patches by the same names."""
        own = (key for key in self.weights if key.startswith(self.prefix))
        return any(_FIRST_BLOCK.match(key, len(self.prefix)) for key in own)


def choose_network(file: WeightFile, prefix: str | None = None) -> tuple[Network, str]:
    """The network to take, and what to say of the choice, which is nothing if there is one only.

    Of two the averaged one is taken, since that is what training scripts report.

    Raises:
        InputError: no Swin, none at ``prefix``, or several of which none is more likely meant; an
            adapter, or quantised weights.
    """
    networks = find_networks(file.content)
    if not networks:
        raise InputError(_what_else(file))
    networks = [network for network in networks if network.has_stages] or networks
    for network in networks:
        _check_whole(file.name, network.weights)
    listed = few([f"{network.name[:60]!r}" for network in networks])
    if prefix is not None:
        if not isinstance(prefix, str):
            raise InputError(f"weights_prefix must be text; got {prefix!r:.60}")
        given = prefix.rstrip(".")
        named = [n for n in networks if n.name == given] or [
            n for n in networks if given in (n.place, n.prefix.rstrip("."))
        ]
        if not named:
            raise InputError(
                f"{file.name} holds no network at weights_prefix {prefix[:60]!r}; choose one of "
                f"{listed}"
            )
        networks = named
    if len(networks) == 1:
        return networks[0], ""
    taken, why = _averaged(networks)
    if taken is None:
        if all(_equal(networks[0], other) for other in networks[1:]):
            return networks[0], ""
        raise InputError(
            f"{file.name} holds {len(networks)} networks: {listed}; say which to take by "
            f"weights_prefix, such as weights_prefix={networks[0].name!r}"
        )
    others = few([repr(network.name) for network in networks if network is not taken])
    return taken, (
        f"of {len(networks)} networks that at {taken.name!r} was taken, {why}; weights_prefix "
        f"takes another ({others})"
    )


def find_networks(content: Mapping[Any, Any]) -> list[Network]:
    """Every Swin in a nested mapping, in the mapping's order."""
    networks: list[Network] = []

    def walk(inside: Mapping[Any, Any], place: str, depth: int) -> None:
        for suffix, weights in _twins(tensors(inside)):
            here = ".".join(filter(None, (place, suffix)))
            networks.extend(
                Network(here, p, layout, weights) for layout, p in recognise_all(weights)
            )
        for key, value in inside.items():
            if depth < _DEEPEST and isinstance(key, str) and isinstance(value, Mapping):
                walk(value, f"{place}.{key}" if place else key, depth + 1)

    walk(content, "", 1)
    return networks


def _twins(weights: dict[str, Tensor]) -> list[tuple[str, dict[str, Tensor]]]:
    """Networks that lie side by side in one mapping, as ``name`` and ``name_ema``."""
    for suffix in _SUFFIXES:
        twins = {
            k.removesuffix(f"_{suffix}"): v for k, v in weights.items() if k.endswith(f"_{suffix}")
        }
        twins = {name: tensor for name, tensor in twins.items() if name in weights}
        if len(twins) > len(weights) / 3:
            rest = {k: v for k, v in weights.items() if k.removesuffix(f"_{suffix}") not in twins}
            plain = {name: weights[name] for name in twins}
            return [("", plain | rest), (suffix, twins)]
    return [("", weights)]


def tensors(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors of a mapping by name."""
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _averaged(networks: Sequence[Network]) -> tuple[Network | None, str]:
    """The one of several that is an average over the training; None if there is not just one."""
    places = {network.place: network for network in networks}
    if len(networks) == 2 and all(place in places for place in _LIGHTNING):
        return places[_LIGHTNING[1]], "the average, as Lightning's WeightAveraging keeps it"
    averaged = [network for network in networks if _AVERAGED.search(network.name)]
    why = "the averaged one, whose scores training scripts report"
    return (averaged[0], why) if len(averaged) == 1 else (None, "")


def _equal(one: Network, other: Network) -> bool:
    """Whether two networks have the same weights."""
    mine, theirs = (
        {k.removeprefix(n.prefix): v for k, v in n.weights.items() if k.startswith(n.prefix)}
        for n in (one, other)
    )
    return mine.keys() == theirs.keys() and all(
        mine[k].shape == theirs[k].shape and torch.equal(mine[k], theirs[k]) for k in mine
    )


def _check_whole(name: str, weights: Mapping[str, Tensor]) -> None:
    """Refuse what cannot be used without what made it. Raises InputError."""
    for names, message in _UNUSABLE.items():
        keys = [key for key in weights if names.search(key)]
        if keys:
            raise InputError(f"{name} {message.format(few(keys, 1))}")


def _what_else(file: WeightFile) -> str:
    """Why there is no Swin."""
    content, place = file.content, ""
    for _ in range(_DEEPEST):
        if tensors(content):
            break
        inside = [(k, v) for k, v in content.items() if isinstance(v, Mapping) and v]
        if not inside:
            break
        key, content = max(inside, key=lambda pair: len(tensors(pair[1])))
        place = f"{place}.{key}" if place else str(key)
    weights = tensors(content)
    if "param_groups" in file.content and "state" in file.content:
        return f"{file.name} is the state of an optimizer, not a network; give the weights"
    if weights:
        _check_whole(file.name, weights)
        some = ", ".join(list(weights)[:3])
        return (
            f"{file.name} is of another network: no name of a Swin's among its {len(weights)} "
            f"weights ({some:.120}, ...); give one in the layout of {', '.join(LAYOUTS)} or our own"
        )
    keys = ", ".join(str(key)[:40] for key in list(content)[:5]) or "nothing"
    inside_of = f" {place!r:.80}" if place else ""
    return (
        f"{file.name} holds no weights by name (inside{inside_of}: {keys}); give a state dict, "
        "plain or wrapped, such as in 'model' or 'state_dict'"
    )

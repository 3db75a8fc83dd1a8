"""What a file says of the network whose weights it holds, and the network made from that.

A file of safetensors has three texts beside its weights, each JSON: ``variant``, ``network`` (the
facts here) and ``pretrained_cfg`` (what differs from that of an untrained network).
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hybrid_swin.errors import InputError, did_you_mean, quote
from hybrid_swin.network.head import Pool
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.pretrained_cfg import pretrained_cfg
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.recipe import WeightInit
from hybrid_swin.spec.variant import Variant


@dataclass(frozen=True)
class NetworkFacts:
    """What a network is beside its variant.

    Rates of dropout and of stochastic depth are left out: they are idle in evaluation, and who
    trains on chooses them.
    """

    global_pool: Pool = "avg"
    norm: bool = True  # whether the last map is normalised
    out_indices: tuple[int, ...] | None = None  # stages whose maps a pyramid gives
    strict_img_size: bool = False
    weight_init: WeightInit = "trunc_normal"  # of parts that are made anew
    zero_init_residual: bool = True  # likewise
    other: str = ""  # the class of a network that is not made here; empty of one that is

    @classmethod
    def of(cls, model: nn.Module) -> "NetworkFacts":
        """Those of a network."""
        if not isinstance(model, HybridSwin | Pyramid):
            return cls(other=type(model).__name__)
        others = model.strict_img_size, model.weight_init, model.zero_init_residual
        if isinstance(model, Pyramid):
            return cls("", False, tuple(model.out_indices), *others)
        return cls(model.head.global_pool, not isinstance(model.norm, nn.Identity), None, *others)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        values = dataclasses.asdict(self)
        return {
            name: value
            for name, value in values.items()
            if value not in (None, "") or name == "global_pool"
        }

    @classmethod
    def from_dict(cls, data: object) -> "NetworkFacts":
        """Read what ``to_dict`` gives. Raises InputError for what ``network`` would not refuse."""
        if not isinstance(data, Mapping):
            raise InputError(f"'network' must be a mapping; got {quote(data)}")
        known = [field.name for field in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                near = did_you_mean(name, known)
                raise InputError(
                    f"unknown fact of a network {quote(name)}{near}; if a newer version of "
                    "hybrid-swin wrote the file, install that"
                )
        if not isinstance(data.get("norm", True), bool):
            raise InputError(f"norm must be true or false; got {quote(data['norm'])}")
        indices = data.get("out_indices")
        if indices is not None:
            if not isinstance(indices, list) or not all(type(i) is int for i in indices):
                raise InputError(f"out_indices must be a list of stages; got {quote(indices)}")
            data = {**data, "out_indices": tuple(indices)}
        return cls(**data)

    def build(self, variant: Variant, drop_path_rate: float = 0.0) -> HybridSwin | Pyramid:
        """What was saved, with first weights. Raises InputError as ``network`` does."""
        model = self.network(variant, drop_path_rate)
        return model if self.out_indices is None else Pyramid(model, self.out_indices)

    def network(
        self, variant: Variant, drop_path_rate: float = 0.0, drop_rate: float = 0.0
    ) -> HybridSwin:
        """The network, or that which a pyramid is made of, with first weights.

        Raises InputError for a network that is not made here, or facts that do not fit the variant.
        """
        if self.other:
            raise InputError(
                f"it holds the weights of {quote(self.other)}, a network of the user's own; build "
                "it yourself and fill it by load_weights"
            )
        others = self.global_pool, self.strict_img_size, self.zero_init_residual
        model = HybridSwin(variant, drop_path_rate, self.weight_init, drop_rate, *others)
        if not self.norm:
            model.norm = nn.Identity()
        return model


def file_facts(model: nn.Module, variant: Variant) -> dict[str, Any]:
    """What a file says of a network, by name.

    Raises InputError for a ``pretrained_cfg`` that JSON does not hold.
    """
    return {
        "variant": variant.to_dict(),
        "network": NetworkFacts.of(model).to_dict(),
        "pretrained_cfg": _own_facts(getattr(model, "pretrained_cfg", None), variant),
    }


def check_loadable(model: nn.Module, variant: Variant) -> None:
    """Refuse a network that another has become under its variant's name, such as a new last layer.

    Raises InputError if one made from what a file says of it would have other parameters.
    """
    facts = NetworkFacts.of(model)
    if facts.other:
        return
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        expected = {n: tuple(t.shape) for n, t in facts.build(variant).state_dict().items()}
    actual = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in [*expected, *actual]:
        if expected.get(name) != actual.get(name):
            has, makes = (shape.get(name, "missing") for shape in (actual, expected))
            raise InputError(
                f"the file could not be loaded again: {name} is {has} in the network, and {makes} "
                f"by its variant of {variant.num_classes} classes; change heads by "
                "reset_classifier and blocks by replace_blocks, or save a .pth, which holds "
                "weights alone"
            )


def _own_facts(cfg: object, variant: Variant) -> dict[str, Any]:
    """What ``pretrained_cfg`` has beside or instead of an untrained network's."""
    if not isinstance(cfg, Mapping):
        return {}
    untrained = pretrained_cfg(variant)
    facts = {}
    for name, value in cfg.items():
        plain = as_plain(value)
        if name in untrained and plain == as_plain(untrained[name]):
            continue
        try:
            same = json.loads(json.dumps({name: plain})) == {name: plain}
        except (TypeError, ValueError):
            same = False
        if not same:
            raise InputError(
                f"pretrained_cfg[{name!r}] cannot be kept in a file: {quote(value)}; make it of "
                "numbers, texts and lists, or take it out"
            )
        facts[name] = plain
    return facts


def as_plain(value: Any) -> Any:
    """Lists for tuples, arrays and tensors, as JSON has them."""
    if isinstance(value, Mapping):
        return {name: as_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def as_cfg(plain: Any) -> Any:
    """Tuples for lists, as ``pretrained_cfg`` has them."""
    if isinstance(plain, Mapping):
        return {name: as_cfg(item) for name, item in plain.items()}
    return tuple(map(as_cfg, plain)) if isinstance(plain, list) else plain

"""How much of a network does not come from its source, and which parts of it."""

import re
from collections.abc import Collection, Iterable

import torch
from torch import nn

from hybrid_swin.interop.weights.filling.plan import LoadPlan, make_plan
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.variant import Variant

_IN_STAGE = re.compile(r"layers\.(\d+)\.(?:blocks\.\d+\.)?(\w+)\.")
_PARTS = {"attn": "mixers", "mlp": "MLPs", "downsample": "merging"}


def fresh_share(model: nn.Module, filled: Collection[str]) -> float:
    """The share of a network's parameters, by their number, without a value from the source.

    Args:
        model: the network.
        filled: names that have one.
    """
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    total = sum(sizes.values())
    return sum(n for name, n in sizes.items() if name not in filled) / total if total else 0.0


def fresh_parts(names: Iterable[str]) -> str:
    """The parts that hold fresh parameters, in words: ``mixers of stages 2 and 3, head``."""
    stages: dict[str, set[int]] = {}
    others: set[str] = set()
    for name in names:
        if match := _IN_STAGE.match(name):
            part = _PARTS.get(match[2], "norms")
            stages.setdefault(part, set()).add(int(match[1]) + 1)
        else:
            others.add(name.partition(".")[0])
    words = ["stem"] * ("patch_embed" in others)
    for part in (*_PARTS.values(), "norms"):
        if part in stages:
            numbers = [str(number) for number in sorted(stages[part])]
            listed = " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
            words.append(f"{part} of stage{'s' * (len(numbers) > 1)} {listed}")
    words += ["last norm"] * ("norm" in others) + ["head"] * ("head" in others)
    return ", ".join(words)


def planned_start(variant: Variant, source: WeightSource) -> tuple[float, str]:
    """The share of a network that a source would leave fresh, and its parts; nothing is filled.

    The network has shapes alone, so that no first weights are drawn. Raises InputError for a
    source that no network takes, such as one of which a part is missing.
    """
    model, plan = planned(variant, source)
    fresh = [name for name in model.state_dict() if name not in plan.values]
    return fresh_share(model, plan.values), fresh_parts(fresh)


def planned(variant: Variant, source: WeightSource) -> tuple[HybridSwin, LoadPlan]:
    """A network that has shapes alone, and what a source would fill of it. Raises likewise."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                model = HybridSwin(variant)
        except (NotImplementedError, RuntimeError):  # a plug-in that needs numbers to be made
            model = HybridSwin(variant)
    return model, make_plan(model, variant, source, strict=False)

"""How much of each network starts fresh beside first weights, and whether any takes them."""

from collections.abc import Iterable, Mapping
from functools import partial

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.fresh import planned_start
from hybrid_swin.spec.variant import Variant
from search.launch.starts.first_weights import kept
from search.records.first_weights import FirstWeights
from search.statistics.formatting import share_text

_NOTHING = 0.999  # share of fresh parameters of a network that takes nothing worth the name


def starts_of(variants: Mapping[str, Variant], first: FirstWeights) -> dict[str, tuple[float, str]]:
    """By a network's name its share of fresh parameters, and the parts that hold them."""
    start = partial(planned_start, source=kept(first).source)
    return {name: start(variant) for name, variant in variants.items()}


def starts_text(starts: Mapping[str, tuple[float, str]]) -> list[str]:
    """A line for each network: how much of it is fresh, and where."""
    return [
        f"{name}: {share_text(share)} of its parameters start fresh ({parts or 'none'})"
        for name, (share, parts) in starts.items()
    ]


def check_some_fit(variants: Iterable[Variant], first: FirstWeights) -> None:
    """Raise InputError where no network takes anything of the weights, so that all start anew."""
    source = kept(first).source
    variant: Variant | None = None
    for variant in variants:
        if planned_start(variant, source)[0] < _NOTHING:
            return
    if variant is None:
        return
    widths = [stage.width for stage in variant.stages]
    theirs = [
        str(tensor.numel())
        for name, tensor in source.weights.items()
        if name.endswith(".blocks.0.norm2.weight")
    ]
    raise InputError(
        f"init: of {source.name} nothing fits: its widths are {'-'.join(theirs)}, those of the "
        f"networks, for example, {'-'.join(map(str, widths))}; give stages with its widths "
        "(--config from_weights has a Swin-T's), or leave init out"
    )

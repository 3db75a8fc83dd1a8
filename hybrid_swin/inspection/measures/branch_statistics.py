"""What every branch gives while the network runs, what of it reaches the output, by which gates.

Shapes: B images of a batch, H height, W width, C channels, n branches.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid_swin.inspection.measures.branch_hooks import recorded
from hybrid_swin.inspection.subject import BranchPlace, Subject
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.fusions import Fusion, total
from hybrid_swin.network.fusions.cascade import Cascade
from hybrid_swin.network.fusions.concat import Concat
from hybrid_swin.network.fusions.cross import Cross
from hybrid_swin.network.fusions.gate import Gate
from hybrid_swin.network.fusions.scale import Scale
from hybrid_swin.network.fusions.selective import Selective
from hybrid_swin.network.fusions.split import Split
from hybrid_swin.network.fusions.sum import Sum
from hybrid_swin.network.output_gates import gate_behind


class BranchFacts:
    """What is seen of one block, image by image."""

    def __init__(self, count: int) -> None:
        self.totals: list[Tensor] = [torch.zeros(()) for _ in range(count)]  # (C,) float64 each
        self.places = 0  # images times tokens
        self.norms: list[list[float]] = [[] for _ in range(count)]
        self.joined: list[list[float]] = [[] for _ in range(count)]
        self.gates: list[list[Tensor]] = [[] for _ in range(count)]
        self.update: list[float] = []

    def mean(self, index: int) -> Tensor:
        """Mean output of a branch, (C,) in float64."""
        return self.totals[index] / self.places

    def add(self, mixer: torch.nn.Module, outs: list[Tensor], factor: Tensor | None = None) -> None:
        """Note what the branches gave in one batch, with the factor of the gate behind them."""
        self.places += outs[0].shape[:-1].numel()
        for index, out in enumerate(outs):
            self.totals[index] = self.totals[index] + out.sum(dim=(0, 1, 2), dtype=torch.float64)
            self.norms[index] += _norms(out)
        if not isinstance(mixer, Fusion):
            return
        for index, term in enumerate(contributions(mixer, outs) or ()):
            self.joined[index] += _norms(term if factor is None else term * factor)
        weights = gates(mixer, outs)
        if factor is not None and not isinstance(mixer, Cross):
            weights = [
                factor * weight for weight in weights or [torch.ones_like(factor)] * len(outs)
            ]
        for index, gate in enumerate(weights or ()):
            self.gates[index].append(gate.double())


@torch.no_grad()
def observe(subject: Subject) -> dict[str, BranchFacts]:
    """Run the network once, and note what every branch of every block gives."""
    by_block = {
        name: list(group) for name, group in groupby(subject.branches(), lambda b: b.place.name)
    }
    facts = {name: BranchFacts(len(group)) for name, group in by_block.items()}
    outs: dict[Branch, Tensor] = {}
    taps = {
        branch.module: lambda x, out, module=branch.module: outs.update({module: out})
        for branch in subject.branches()
    }
    with ExitStack() as stack:
        for name, branches in by_block.items():
            for handle in _watch(branches, facts[name], outs):
                stack.callback(handle.remove)
        stack.enter_context(recorded(taps))
        for images, _ in subject.batches():
            subject.model.forward_features(images)
    return facts


def _watch(
    branches: list[BranchPlace], facts: BranchFacts, outs: dict[Branch, Tensor]
) -> list[Any]:
    """Hooks on a block, on what its mixer adds to the stream, and on gates in it or behind it."""
    place = branches[0].place
    added: list[Tensor] = []
    factors: list[Tensor] = []  # of the gate behind the mixer

    def note(module: Any, inputs: Any, out: Tensor) -> None:
        height, width = inputs[0].shape[1:3]  # a mixer may pad the map of its branches
        given = [outs.pop(b.module)[:, :height, :width] for b in branches]
        facts.add(place.mixer, given, factors.pop() if factors else None)
        change = np.array(_norms(added.pop()))
        facts.update += (change / np.maximum(_norms(inputs[0]), 1e-30)).tolist()

    handles = [
        place.block.ls1.register_forward_hook(lambda module, inputs, out: added.append(out)),
        place.block.register_forward_hook(note),
    ]
    behind = gate_behind(place.mixer)
    if behind is not None:

        def weigh(module: Any, inputs: Any, out: Tensor) -> None:
            factors.append(module.factors(inputs[0]))

        handles.append(behind.register_forward_hook(weigh))
    if isinstance(place.mixer, Cross):
        size: list[int] = []

        def measure(module: Any, inputs: Any) -> None:
            size[:] = inputs[0].shape[1:3]

        handles.append(place.mixer.register_forward_pre_hook(measure))
        of_values = place.mixer.attention
        for index, gate in (
            (of_values, place.mixer.channel_gate),
            (1 - of_values, place.mixer.spatial_gate),
        ):

            def keep(module: Any, inputs: Any, out: Tensor, index: int = index) -> None:
                if out.ndim == 4:  # one for each place, which may be in the padding
                    out = out[:, : size[0], : size[1]]
                facts.gates[index].append(out.sigmoid().double())

            handles.append(gate.register_forward_hook(keep))
    return handles


def _norms(x: Tensor) -> list[float]:
    """The length of each image's map. (B, H, W, C) -> B numbers."""
    return x.flatten(1).double().norm(dim=1).tolist()


def gates(fusion: Fusion, outs: Sequence[Tensor]) -> list[Tensor] | None:
    """The weight of each branch, as it multiplies (B, H, W, C); None if there is none."""
    if isinstance(fusion, Gate):
        return list(fusion.gates(outs).unbind(dim=-2))
    if isinstance(fusion, Selective):
        pooled_BC = total(out.mean(dim=(1, 2)) for out in outs)
        return list(fusion.gates(pooled_BC)[:, None, None].unbind(dim=3))
    if isinstance(fusion, Scale):
        return [scale_C.expand(1, 1, 1, -1) for scale_C in fusion.scales]
    return None


def contributions(fusion: Fusion, outs: Sequence[Tensor]) -> list[Tensor] | None:
    """The terms that sum up to the mixer's output (but for a bias), one per branch.

    ``sum`` and ``cascade``: b_i itself; ``gate``, ``selective``, ``scale``: g_i b_i; ``concat`` and
    ``split``: W_i b_i, with W_i the columns of the projection that belong to the branch. None for
    other fusions, such as ``cross``, whose output is not such a sum.
    """
    if isinstance(fusion, Sum | Cascade):
        return list(outs)
    weights = gates(fusion, outs)
    if weights is not None:
        return [weight * out for weight, out in zip(weights, outs, strict=True)]
    if isinstance(fusion, Concat | Split):
        # What the layer adds for each input alone, whatever others have put in its place.
        zeros = [torch.zeros_like(out) for out in outs]
        nothing = fusion.join(torch.cat(zeros, dim=-1))
        alone = ([*zeros[:i], out, *zeros[i + 1 :]] for i, out in enumerate(outs))
        return [fusion.join(torch.cat(parts, dim=-1)) - nothing for parts in alone]
    return None

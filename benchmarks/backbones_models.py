"""What `backbones.py` compares: our networks, their peers, single mixers.

A *same* model computes plain Swin's function: it gets the reference's weights, and its output is
checked against the reference's before anything is timed. The others stand beside it for context.
"""

import dataclasses
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from backbones_peers import Entry, peers
from torch import Tensor, nn

from hybrid_swin.cost import Cost, count_cost, mixer_cost
from hybrid_swin.cost.counting import counted_cost
from hybrid_swin.interop.factory import create_model, list_models
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

REFERENCE = "ours: plain Swin"
MIXER_REFERENCE = "w_msa"
_MIXERS = (MIXER_REFERENCE, "sw_msa", "w_msa+mdta", "conv+w_msa")
_WORDS = ("mdta", "conv", "w_msa+mdta", "conv+w_msa")  # of the small hybrids
_PLAIN = ("w_msa", "sw_msa")
_CONTEXT = 1.35  # times the reference's MACs: the largest network that stands beside it
_BLOCKS = ("Block", "SwinTransformerBlock", "SwinLayer", "Swinv2Layer", "FocalNetLayer")
_BLOCKS += ("ConvNextLayer",)  # the classes that `compile_blocks` compiles


@dataclass(frozen=True)
class Setting:
    """Things that are timed in one interleaved run, on inputs of one shape.

    Args:
        name: on the command line.
        title: in tables.
        shape: of one input.
        batch: inputs at a time, on a CPU.
        rounds: for what is the same, and for what is context.
        entries: makes the list of things, and why others are left out; the first is the reference.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    batch: int
    rounds: tuple[int, int]
    entries: Callable[[], tuple[list[Entry], list[str]]]


def settings() -> dict[str, Setting]:
    """All settings by name."""
    swin_t = resolve_variant("swin_t")
    small = Variant(
        image_size=32, num_classes=10, patch_size=2, window_size=4, stages=_stages(48, (2, 2, 2), 3)
    )
    made = [
        networks("small", "A small Swin at 32x32", small, 32, (31, 11)),
        networks("swin_t", "Swin-T at 224x224", swin_t, 4, (15, 7)),
    ]
    made += [_mixers(index, swin_t) for index in range(len(swin_t.stages))]
    return {setting.name: setting for setting in made}


def networks(name: str, title: str, plain: Variant, batch: int, rounds: tuple[int, int]) -> Setting:
    """The setting of a plain Swin, its peers and the hybrids of its size."""
    height, width = plain.image_size
    shape = (plain.in_channels, height, width)
    return Setting(name, title, shape, batch, rounds, lambda: _network_entries(plain))


def _stages(width: int, depths: tuple[int, ...], heads: int) -> tuple[Stage, ...]:
    return tuple(Stage(width * 2**i, d, heads * 2**i, _PLAIN) for i, d in enumerate(depths))


def _network_entries(plain: Variant) -> tuple[list[Entry], list[str]]:
    others, skipped = peers(plain)
    entries = [_ours(REFERENCE, plain, same=True), *others, *_hybrids(plain)]
    # what is the same, then ours, then others: the sort keeps the order within each
    return sorted(entries, key=lambda e: (not e.same, not e.name.startswith("ours"))), skipped


def _ours(name: str, variant: Variant, same: bool = False) -> Entry:
    return Entry(name, lambda: create_model(variant), same, cost=count_cost(variant))


def _hybrids(plain: Variant) -> list[Entry]:
    """The published variants of about the reference's size; else its own stages in other words."""
    if plain == resolve_variant("swin_t"):
        most = _CONTEXT * count_cost(plain).macs
        variants = {f"ours: {name}": resolve_variant(name) for name in list_models()}
        near = {k: v for k, v in variants.items() if v != plain and count_cost(v).macs < most}
    else:
        near = {}
    for word in () if near else _WORDS:
        stages = tuple(dataclasses.replace(s, blocks=(word,)) for s in plain.stages)
        near[f"ours: all {word}"] = dataclasses.replace(plain, stages=stages)
    return [_ours(name, variant) for name, variant in near.items()]


def _mixers(index: int, variant: Variant) -> Setting:
    """The mixers of one of a variant's stages, alone."""
    stage, grid = variant.stages[index], variant.grids[index]

    def entry(text: str) -> Entry:
        word = parse(text).canonical()
        sizes = (stage.width, stage.num_heads, variant.window_size, grid)
        return Entry(
            text,
            lambda: build_mixer(word, *sizes),
            same=str(word) == MIXER_REFERENCE,
            cost=mixer_cost(word, *sizes),
        )

    return Setting(
        f"mixers_{index}",
        f"Mixers of Swin-T's stage {index}: {stage.width} channels at {grid[0]}x{grid[1]}",
        (*grid, stage.width),
        8,
        (15, 15),
        lambda: ([entry(word) for word in _MIXERS], []),
    )


def cost_of(entry: Entry, shape: tuple[int, ...]) -> Cost:
    """In closed form where there is one, else counted on the meta device."""
    return entry.cost or counted_cost(entry.build(), shape)


def share_weights(models: dict[str, nn.Module], entries: list[Entry], inputs: Tensor) -> float:
    """Give all that are the same the reference's weights; the largest difference of outputs.

    The weights are noise that keeps activations near 1, so that all of the function shows in the
    output: as initialised, attention hardly would.
    """
    reference = models[entries[0].name]
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in reference.parameters():
            drawn = torch.randn(parameter.shape, generator=noise)
            if parameter.ndim > 1:
                parameter.copy_(drawn / math.sqrt(parameter[0].numel()))
            else:
                parameter.add_(drawn, alpha=0.1)
    state = reference.state_dict()
    same = [entry for entry in entries if entry.same]
    for entry in same[1:]:
        models[entry.name].load_state_dict(entry.weights(state))
    with torch.inference_mode():
        outputs = {entry.name: models[entry.name].eval()(inputs) for entry in same}
    expected = outputs[entries[0].name]
    return max(float((out - expected).abs().max()) for out in outputs.values())


def compile_blocks(model: nn.Module) -> None:
    """Compile each block by itself, in place. Raises where a block would quietly stay eager."""
    # blocks share their code: every shape, shifted or not, in each mode, is one more compilation
    dynamo: Any = importlib.import_module("torch._dynamo.config")
    dynamo.recompile_limit = 128
    dynamo.fail_on_recompile_limit_hit = True
    for module in model.modules():
        if type(module).__name__ in _BLOCKS:
            module.compile(dynamic=False)

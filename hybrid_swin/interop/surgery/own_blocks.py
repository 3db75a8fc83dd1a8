"""Blocks of our own networks, whose variant changes with them."""

import dataclasses
from collections.abc import Mapping

from torch import nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.surgery.host import Host
from hybrid_swin.network.backbone import Backbone
from hybrid_swin.network.branches._window_attention import WindowAttention
from hybrid_swin.spec.block_words import BlockWord
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import lay_windows, sides_of


def is_swin(model: nn.Module) -> bool:
    """Whether this is one of ours."""
    return isinstance(model, Backbone)


def stages(model: Backbone) -> list[list[nn.Module]]:
    """The blocks of each stage."""
    return [list(layer.blocks) for layer in model.layers]  # type: ignore[arg-type]  # Layers


def host(model: Backbone, stage: int, index: int) -> Host:
    """One block. Raises InputError where its norms stand inside the mixer."""
    variant, name = model.variant, f"layers.{stage}.blocks.{index}"
    settings, block = variant.stages[stage], stages(model)[stage][index]
    if settings.norm == "branch":
        raise InputError(
            f"{name} norms each of its branches; build the variant with the blocks that you want "
            "and load the weights into it instead"
        )
    mixer: nn.Module = block.attn  # type: ignore[assignment]  # a Block's
    window, grid = variant.window_sizes[stage], variant.grids[stage]
    of_tables = (part.window for part in mixer.modules() if isinstance(part, WindowAttention))
    return Host(
        name,
        settings.width,
        settings.num_heads,
        window,
        grid,
        mixer=mixer,
        word=variant.block_words[stage][index],
        weights=mixer.state_dict(),
        window=next(of_tables, lay_windows(grid, sides_of(window)).window),
        parent=block,
        key="attn",
        old=mixer,
        wrap=lambda mixer: mixer,
    )


def changed(variant: Variant, stage: int, words: Mapping[int, BlockWord]) -> Variant:
    """The variant with other words for some blocks of a stage.

    Raises InputError where a word does not fit the stage.
    """
    settings = variant.stages[stage]
    blocks = [str(words.get(i, word)) for i, word in enumerate(settings.words())]
    stages = list(variant.stages)
    stages[stage] = dataclasses.replace(settings, blocks=tuple(blocks))
    return dataclasses.replace(variant, stages=tuple(stages))

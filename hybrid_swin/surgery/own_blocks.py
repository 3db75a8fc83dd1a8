"""Blocks of our own networks, whose variant changes with them."""

import dataclasses
from collections.abc import Mapping

from torch import nn

from hybrid_swin.backbone import Backbone
from hybrid_swin.block_words import BlockWord, parse
from hybrid_swin.errors import InputError
from hybrid_swin.surgery.host import Host
from hybrid_swin.variant import Variant
from hybrid_swin.windows import fit_window


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
    side, grid = variant.window_sizes[stage], variant.grids[stage]
    return Host(
        name,
        settings.width,
        settings.num_heads,
        side,
        grid,
        mixer=mixer,
        word=variant.block_words[stage][index],
        shifted="sw_msa" in (part.name for part in parse(settings.words()[index]).branches),
        weights=mixer.state_dict(),
        window=fit_window((side, side), grid),
        parent=block,
        key="attn",
        old=mixer,
        wrap=_itself,
    )


def _itself(mixer: nn.Module) -> nn.Module:
    return mixer


def changed(variant: Variant, stage: int, words: Mapping[int, BlockWord]) -> Variant:
    """The variant with other words for some blocks of a stage.

    Raises InputError where a word does not fit the stage.
    """
    settings = variant.stages[stage]
    blocks = [str(words.get(i, word)) for i, word in enumerate(settings.words())]
    stages = list(variant.stages)
    stages[stage] = dataclasses.replace(settings, blocks=tuple(blocks))
    return dataclasses.replace(variant, stages=tuple(stages))

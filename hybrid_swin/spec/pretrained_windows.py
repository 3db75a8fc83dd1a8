"""Window sizes of a first training, as timm names them by stage, written into block words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import PRETRAINED, BlockWord, Part, parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

ARGUMENT = "pretrained_window_sizes"
_PATCH, _STAGES = 4, 4  # of all published networks


def first_windows(window: int, image: int) -> tuple[int, ...]:
    """Windows of each stage of a published network at so many pixels: no larger than its maps."""
    return tuple(min(window, image // _PATCH // 2**stage) for stage in range(_STAGES))


def with_pretrained_windows(variant: Variant, sizes: int | Sequence[int]) -> Variant:
    """The variant whose continuous position biases count offsets by these windows.

    Args:
        variant: of Swin Transformer V2, or with other words that have ``bias=continuous``.
        sizes: tokens a side, one for all stages or one each; 0 for the windows in use.

    Raises:
        InputError: something else, or no such bias in a stage that has a size.
    """
    each: list[Any] = (
        list(sizes) if isinstance(sizes, list | tuple) else [sizes] * len(variant.stages)
    )
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in each)
    if len(each) != len(variant.stages) or not whole:
        raise InputError(
            f"{ARGUMENT} must be one whole number, or {len(variant.stages)} of them, one a stage, "
            f"0 for the windows in use; got {sizes!r:.80}"
        )
    stages = zip(variant.stages, each, strict=True)
    return replace(variant, stages=tuple(_stage(i, *pair) for i, pair in enumerate(stages)))


def _stage(index: int, stage: Stage, side: int) -> Stage:
    words = [(word, parse(word)) for word in stage.blocks]
    spelt = [word if (new := _word(old, side)) == old else str(new) for word, old in words]
    if side and not any(_counts(part) for _, word in words for part in word.branches):
        raise InputError(
            f"{ARGUMENT}: stage {index} has no continuous position bias that a size of {side} "
            "would scale; give 0 for it, or blocks such as w_msa(bias=continuous)"
        )
    return replace(stage, blocks=tuple(spelt))


def _word(word: BlockWord, side: int) -> BlockWord:
    return replace(word, branches=tuple(_part(part, side) for part in word.branches))


def _part(part: Part, side: int) -> Part:
    if not _counts(part):
        return part
    options = part.kwargs | {PRETRAINED: side}
    if not side:
        del options[PRETRAINED]
    return Part(part.name, tuple(sorted(options.items())))


def _counts(part: Part) -> bool:
    return part.kwargs.get("bias") == "continuous"

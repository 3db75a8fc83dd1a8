"""Which widths a stage may take instead of its own, and how many heads go with each."""

import math
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from hybrid_swin.spec.branch_shapes import Shape, fits, is_particular
from hybrid_swin.spec.variant import Variant

HEAD_DIM_STEP = 8  # channels: what fused attention kernels want a head to be a multiple of
MOST_SCALE = 16  # a stage is made at most so many times wider or narrower
_HEAD_DIM_RANGE = 1.5  # and its heads at most so many times


def shapes_of(variant: Variant) -> tuple[Shape, ...]:
    """The shapes that a variant's stages have."""
    return tuple(Shape(stage.width, stage.num_heads) for stage in variant.stages)


def shapes_near(variant: Variant, index: int, scale: float, count: int) -> list[Shape]:
    """The shapes of stage ``index`` nearest to ``scale`` times its width, nearest first.

    Head dims are multiples of 8 and within a half of the stage's own; the number of heads is the
    stage's own where that allows it, else such that the head dim stays nearest.
    """
    stage = variant.stages[index]
    head_dim = stage.width / stage.num_heads
    dims = _head_dims(head_dim)
    words = [word for word in {*variant.block_words[index]} if is_particular(word)]

    def possible() -> Iterator[Shape]:
        for width in _multiples(stage.width, scale):
            heads = [width // d for d in dims if width % d == 0]
            heads = [n for n in heads if all(fits(word, width, n) for word in words)]
            if stage.num_heads in heads:
                yield Shape(width, stage.num_heads)
            elif heads:
                yield Shape(width, min(heads, key=lambda n: abs(math.log(width / n / head_dim))))

    return list(islice(possible(), count))


def _multiples(width: int, scale: float) -> Iterator[int]:
    """Multiples of 8 within the range of a width, those nearest to ``scale * width`` first."""
    step, wanted = HEAD_DIM_STEP, width * scale
    least, most = max(step, width // MOST_SCALE), width * MOST_SCALE
    below = max(min(wanted, most), least) // step * step
    return merge(
        range(int(below), least - 1, -step),
        range(int(below) + step, most + 1, step),
        key=lambda w: abs(math.log(w / wanted)),
    )


def _head_dims(head_dim: float) -> Sequence[int]:
    """Allowed head dims, small ones first, so that a tie goes to more heads."""
    step = HEAD_DIM_STEP
    least, most = head_dim / _HEAD_DIM_RANGE, head_dim * _HEAD_DIM_RANGE
    dims = range(math.ceil(least / step) * step, int(most) + 1, step)
    return dims or [max(step, round(head_dim / step) * step)]

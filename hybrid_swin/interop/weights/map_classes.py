"""One map of each class that rules of windows tell apart: what holds on these holds on all.

Along an axis rules ask whether the map is shorter than the window, as long, or longer; then whether
windows divide it, and whether padding is as wide as the shift. All rules ask it of both axes, and
``square`` windows which of the two is shorter.
"""

from collections.abc import Iterable, Iterator

from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid


def images_of(variant: Variant, stage: int, windows: Iterable[Grid]) -> Iterator[Grid]:
    """Sizes of images with one map of each class in a stage, the nearest to the model's first.

    Args:
        variant: the network.
        stage: from 0.
        windows: all windows that may lie on the stage's maps, but for those that shrink to them.
    """
    pixels = variant.patch_size * 2**stage
    later = len(variant.stages) - 1 - stage
    own = variant.image_size
    sides = [n * pixels for n in _sides({side for w in windows for side in w}, later)]
    images = {(height, width) for height in sides for width in sides}
    images |= {(own[0], side) for side in sides} | {(side, own[1]) for side in sides}

    yield from sorted(images - {own}, key=lambda image: distance(variant, image))


def distance(variant: Variant, image: Grid) -> tuple[bool, bool, int, Grid]:
    """What sorts sizes of images: square ones, then such as share a side with the model's."""
    apart = [abs(side - own) for side, own in zip(image, variant.image_size, strict=True)]
    return image[0] != image[1], min(apart) > 0, sum(apart), (-image[0], -image[1])


def _sides(windows: set[int], later: int) -> list[int]:
    """Sides of maps, of windows that are longer than 1.

    Some libraries take no map that is smaller than the window or odd in this stage or a later one:
    for these each class is also there on maps that stay large, and even.
    """
    found = {1}
    for side in windows:
        near = {side - 1, side, side + 1, side + side // 2, 2 * side - 1, 2 * side}
        large = {side * 2**later + n for n in (0, 1, side // 2, side - 1, side)}
        even = {n * side * 2**k for n in (1, 2, 3) for k in range(later + 1)}
        found |= near | large | even | {2**k for k in range(later + 1)}
    return sorted(n for n in found if n > 0)

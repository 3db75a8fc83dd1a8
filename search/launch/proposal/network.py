"""Which networks suit images of a size: rules for patch, window, image size, widths and MACs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.spec.variant import Variant
from search.launch.proposal.images import ImageSizes
from search.space.budget import over

PLAIN = ("w_msa", "sw_msa")
WORDS: tuple[tuple[str, ...], ...] = (
    PLAIN,
    ("w_msa+mdta",),
    ("conv+w_msa",),
    ("w_msa+mdta:gate",),
    ("conv+w_msa:split",),
    ("conv+mdta+w_msa",),
)
BASELINES: tuple[dict[str, Any], ...] = (
    {"label": "plain Swin", "blocks": ["w_msa", "sw_msa"]},
    {"blocks": ["w_msa+mdta"]},
    {"blocks": ["conv+w_msa"]},
    {"label": "control: mdta, no attention", "blocks": ["w_msa+mdta(attention=false)"]},
    {"label": "control: mdta, no conv", "blocks": ["w_msa+mdta(depthwise=false)"]},
    {"label": "control: equal cost, no mixing", "blocks": ["w_msa+pointwise"]},
)

_TOKENS = 16  # along the shorter side
_WINDOWS = (4, 5, 6, 7)  # tokens; Swin has 7 of 56
_COARSE_WINDOWS = (4, 5, 6, 7, 3, 2)
_PATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_WIDTHS = (16, 24, 32, 48, 64)
_HEAD = 8  # channels per head at the first width
_WIDER = (16, 8)  # channels that a network with a smaller block may have more
_DEPTHS = (2, 2)
_SMALLEST = 4  # pixels
_SQUARE, _LONGEST = 1.25, 3.0  # longer through shorter side: up to here square, and the most


@dataclass(frozen=True)
class NetworkSize:
    """A network's size: what the time decides, everything else being given by the images."""

    image_size: tuple[int, int]  # (height, width) in pixels
    channels: int  # of the images
    classes: int  # how many
    patch: int  # pixels along a side of a token
    window: int  # tokens along a side of a window
    width: int  # channels of the first stage; the second has twice as many

    def variant(self, blocks: Sequence[str] = PLAIN, width: int | None = None) -> Variant:
        """The network with these block words in each stage."""
        width = width or self.width
        stages = [
            {
                "width": width * 2**stage,
                "depth": depth,
                "num_heads": width * 2**stage // _HEAD,
                "blocks": list(blocks),
            }
            for stage, depth in enumerate(_DEPTHS)
        ]
        return Variant.from_dict(self.plain() | {"stages": stages})

    def plain(self) -> dict[str, Any]:
        """The variant's settings but its stages."""
        height, width = self.image_size
        return {
            "image_size": height if height == width else [height, width],
            "in_channels": self.channels,
            "num_classes": self.classes,
            "patch_size": self.patch,
            "window_size": self.window,
            "mlp_ratio": 2.0,
        }

    @property
    def macs(self) -> int:
        """Of the plain network, for one image."""
        return count_cost(self.variant()).macs

    @property
    def most_macs(self) -> int:
        """What the highest-cost block and baseline needs at this width, in two digits.

        So every block word fits at the first width, and a network whose block costs less may be
        wider instead: the choice is between blocks of equal cost, not between sizes.
        """
        most = max(cost.macs for cost in self._costs())
        unit = int(10 ** (len(str(most)) - 2))
        return -(-most // unit) * unit

    def fits(self, limits: Mapping[str, int]) -> bool:
        """Whether every block and baseline is within a budget at this width."""
        return all(over(cost, limits) == "" for cost in self._costs())

    def _costs(self) -> list[Cost]:
        words = [*WORDS, *(tuple(baseline["blocks"]) for baseline in BASELINES)]
        return [count_cost(self.variant(word)) for word in words]

    @property
    def widths(self) -> list[int]:
        """The first width, and the one that plain Swin may have within `most_macs`."""
        for more in _WIDER:
            if count_cost(self.variant(width=self.width + more)).macs <= self.most_macs:
                return [self.width, self.width + more]
        return [self.width]

    def stages(self) -> list[dict[str, Any]]:
        """The stages as a space: widths and blocks are choices."""
        widths = self.widths
        width: Any = {"choose": widths} if len(widths) > 1 else widths[0]
        stages = []
        for stage, depth in enumerate(_DEPTHS):
            stages.append(
                {
                    "width": {"times": ["stages.0.width", 2**stage]} if stage else width,
                    "depth": depth,
                    "num_heads": {"times": [f"stages.{stage}.width", 1 / _HEAD]},
                    "blocks": {"choose": [list(word) for word in WORDS]},
                }
            )
        return stages


def network_sizes(sizes: ImageSizes, classes: int, largest: int, widest: int) -> list[NetworkSize]:
    """Networks for these images, from the highest cost down.

    - Image size: the median shorter side, at most ``largest`` pixels, cut to a multiple of patch x
      window x 2, so that no stage is padded (Swin: 224 = 4 x 7 x 8). Images whose mean
      proportions are up to 5:4 become square; of others the longer side is the nearest such
      multiple, at most 3 times the shorter one.
    - Patch: the smallest power of two that leaves at most 16 tokens along the shorter side. Swin
      has 56 of 4 pixels: on small images the patch shrinks rather than the number of windows. Twice
      that patch is a second choice, at a quarter of the cost.
    - Window: the one of 4 to 7 tokens that keeps most of the image and its proportions; several
      windows remain in the first stage, so that local and global mixing differ.
    - Two stages of two blocks, so that blocks with and without a shift alternate.

    Source: Swin Transformer, 2021, https://arxiv.org/abs/2103.14030, section 3.3; Vision
    Transformer for Small-Size Datasets, 2021, https://arxiv.org/abs/2112.13492 (patches of small
    images)
    """
    patch, window, shape = _grid(sizes, largest)
    grids = [(patch, window)]
    tokens = min(shape) // (2 * patch)
    coarse = [w for w in _COARSE_WINDOWS if tokens and tokens % (2 * w) == 0]
    if coarse and min(shape) % (2 * patch) == 0:
        grids.append((2 * patch, coarse[0]))
    networks = [
        NetworkSize(shape, sizes.channels, classes, *grid, width)
        for grid in grids
        for width in _WIDTHS
        if width <= widest
    ]
    return sorted(networks, key=lambda network: network.macs, reverse=True)


def _grid(sizes: ImageSizes, largest: int) -> tuple[int, int, tuple[int, int]]:
    """Patch, window and image size."""
    pixels = min(sizes.size)
    if not sizes.fixed:
        pixels = max(_SMALLEST, min(pixels, largest))
    patch = next((p for p in _PATCHES if pixels // p <= _TOKENS), _PATCHES[-1])
    tokens = pixels // patch
    shorter = {window: tokens // (2 * window) * 2 * window for window in _WINDOWS}
    if sizes.fixed:
        window = max(shorter, key=lambda w: shorter[w])
        return patch, window if shorter[window] else min(2, tokens), sizes.size
    shorter = {w: side for w, side in shorter.items() if side} or {2: max(4, tokens // 4 * 4)}
    times = min(max(sizes.typical, 1 / sizes.typical), _LONGEST)
    times = times if times > _SQUARE else 1.0
    longer = {w: _nearest(side * times, 2 * w) for w, side in shorter.items()}

    def kept(window: int) -> float:
        """How much of the shorter side is kept, times how much of the proportions."""
        change = longer[window] / (shorter[window] * times)
        return shorter[window] * min(change, 1 / change)

    window = max(shorter, key=kept)
    short, long = shorter[window] * patch, longer[window] * patch
    return patch, window, (short, long) if sizes.typical >= 1 else (long, short)


def _nearest(side: float, grain: int) -> int:
    """The multiple of ``grain`` that changes a side least, in times."""
    low = max(1, int(side / grain + 1e-9)) * grain
    return low if side / low <= (low + grain) / side else low + grain

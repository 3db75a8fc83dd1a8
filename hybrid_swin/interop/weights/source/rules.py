"""The rules by which each library computes a Swin, as far as they differ from each other.

All libraries agree on square maps that are larger than the window and that it divides. Elsewhere:

================= =========== ======= ======== =========================================
rules             small map   shift   roll     takes
================= =========== ======= ======== =========================================
ours              shrink      axis    padded   any image
timm              fixed       fixed   bare     images that the patch divides
microsoft         square      map              maps that the window divides, sides even
torchvision       pad         axis    padded   any image, cut to whole patches
transformers                  map     padded   maps that are not smaller than the window
 its backbones    pad         always  padded   any image
mmpretrain                    map     padded   maps that are not smaller than the window
 detectors        pad         always  padded   any image
transformers, V2  by the height       padded   any image
================= =========== ======= ======== =========================================

``small map``, ``shift`` and ``roll`` are those of `window_rules.lay_windows` and options of our
words. All of them scale queries by ``1/sqrt(D)``, order them before keys and values, mask by -100,
attend to padding, normalise with eps 1e-5 and use the exact GELU, unless a config says otherwise.

Of Swin Transformer V2 timm, Microsoft and torchvision lay windows as of version 1. transformers'
are square: the height of the nominal map says, for both axes, how large they are and whether they
are shifted; odd maps count as if they were a row smaller. It adds its mask twice.

timm's network takes images of other sizes than its own with ``strict_img_size=False``; Microsoft's
is made anew for each size, and so are its bias tables where windows shrink. transformers' blocks
keep the window and the shift of the smallest map that they have seen; meant are fresh ones.

Sources: timm/models/swin_transformer.py in https://github.com/huggingface/pytorch-image-models
(1.0.31, as swin_transformer_v2.py; up to 1.0.28 it works out windows on odd maps as if they were a
row smaller; before 0.9 it had Microsoft's rules); https://github.com/microsoft/Swin-Transformer;
torchvision/models/swin_transformer.py in https://github.com/pytorch/vision; models/swin and swinv2
in https://github.com/huggingface/transformers (5.23); https://github.com/open-mmlab/mmpretrain and
mmdetection.
"""

from dataclasses import dataclass
from typing import Literal

from hybrid_swin.spec.block_words import Part
from hybrid_swin.spec.options import OptionValue
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import (
    Grid,
    Roll,
    Shift,
    SmallMap,
    Window,
    WindowLayout,
    lay_windows,
    sides_of,
    spell_size,
    window_of,
)

EPS = 1e-5
EXACT_GELU = "gelu", "gelu_python"


@dataclass(frozen=True)
class Rules:
    """How a library computes a Swin.

    Args:
        library: its name, for messages.
        small_map: what windows do on maps with a side shorter than them.
        shift: where every second block shifts them.
        roll: whether the padded map is rolled, or the bare one.
        small_maps: whether it takes maps with a side shorter than the window.
        pads_maps: whether it takes maps that windows do not divide.
        oblong: whether it takes windows with different sides.
        one_size: whether a network takes images of one size, for which it is made.
        by_height: whether the height of the nominal map lays the windows of both axes.
        made_for: (height, width) in pixels that such a network is made for, where a config says;
            otherwise the model's.
        masks: how often the mask of shifted windows is added to the logits.
        halves: what it does to an odd side between stages: round ``up``, or take ``even`` sides
            only.
        images: ``pad``, ``cut`` or ``refuse`` an image that the patch does not divide.
        activation: of MLPs, by transformers' name.
        eps: of the norms in blocks, and of the last norm.
    """

    library: str
    small_map: SmallMap = "shrink"
    shift: Shift = "axis"
    roll: Roll = "padded"
    small_maps: bool = True
    pads_maps: bool = True
    oblong: bool = False
    one_size: bool = False
    by_height: bool = False
    made_for: Grid | None = None
    masks: int = 1
    halves: Literal["up", "even"] = "up"
    images: Literal["pad", "cut", "refuse"] = "pad"
    activation: str = "gelu"
    eps: float = EPS

    def part(self, kind: str) -> Part:
        """Our word for a plain block of theirs; ``kind`` is ``w_msa`` or ``sw_msa``."""
        small = self.small_map if self.small_maps else "shrink"
        options: dict[str, OptionValue] = {"small_map": small} if small != "shrink" else {}
        if kind == "sw_msa":
            options |= {"shift": self.shift} if self.shift != "axis" else {}
            options |= {"roll": self.roll} if self.roll != "padded" else {}
        return Part(kind, tuple(sorted(options.items())))

    def fixed_elsewhere(self, variant: Variant) -> bool:
        """Whether windows are fixed by another size of images, for which ours could be made too."""
        if self.made_for is None or (self.by_height and self.made_for[0] != self.made_for[1]):
            return False
        return self.made_for != variant.image_size

    def lay(
        self,
        variant: Variant,
        stage: int,
        window: Window,
        shifted: bool,
        image: Grid | None = None,
    ) -> WindowLayout | str:
        """The windows in a stage of a network of ours, if theirs had its sizes.

        Returns why theirs takes no such map, where it takes none.

        Args:
            variant: the network; theirs was made for images of its size, unless `made_for` says.
            stage: from 0.
            window: nominal size.
            shifted: whether the block shifts its windows.
            image: (height, width) in pixels of the images that it gets, if others.
        """
        grids = variant.grids if image is None else variant.grids_of(image)
        grid, sides = grids[stage], sides_of(window)
        if self.halves == "even" and stage and any(s % 2 for s in grids[stage - 1]):
            return f"{self.library} takes no odd map of {spell_size(grids[stage - 1])} to merge"
        if not self.oblong and sides[0] != sides[1]:
            return f"{self.library} takes no windows of {spell_size(sides)}"
        new_tables = self.one_size and image is not None
        if new_tables or not self.small_maps:
            if grid[0] < sides[0] or grid[1] < sides[1]:
                spelt = spell_size(window_of(sides))
                return f"{self.library} takes no map of {spell_size(grid)} with windows of {spelt}"
        shift: Shift = self.shift if shifted else "none"
        made_for = self.made_for or variant.image_size
        fixed = variant.grids if self.made_for is None else variant.grids_of(made_for)
        nominal = grid if self.one_size else fixed[stage]
        if self.by_height:
            height = made_for[0] // variant.patch_size // 2**stage
            if height < 1:
                return f"{self.library} makes no stage {stage} for images of {spell_size(made_for)}"
            shift = "always" if shifted and height > sides[0] else "none"
            side = min(height, sides[0])
            return lay_windows(grid, (side, side), "pad", shift, self.roll)
        laid = lay_windows(grid, sides, self.small_map, shift, self.roll, nominal)
        if not self.pads_maps and laid.padded != grid:
            spelt = spell_size(laid.window)
            return f"{self.library} takes no map of {spell_size(grid)} with windows of {spelt}"
        return laid


TIMM = Rules("timm", "fixed", "fixed", "bare", oblong=True, images="refuse")
ALWAYS_PARTITION = Rules(
    "timm (always_partition)", "pad", "always", "bare", oblong=True, images="refuse"
)
MICROSOFT = Rules(
    "Microsoft's code",
    *("square", "map"),
    pads_maps=False,
    one_size=True,
    halves="even",
    images="cut",
)
MICROSOFT_DENSE = Rules("Microsoft's detectors", "pad", "always")
TORCHVISION = Rules("torchvision", "pad", oblong=True, images="cut")
TRANSFORMERS = Rules("transformers", shift="map", small_maps=False)
TRANSFORMERS_BACKBONE = Rules("transformers' backbones", "pad", "always")
MMPRETRAIN = Rules("mmpretrain", shift="map", small_maps=False)
OPENMMLAB_DENSE = Rules("OpenMMLab's detectors", "pad", "always")
TRANSFORMERS_V2 = Rules("transformers", "fixed", "fixed", by_height=True, masks=2)

DEFAULTS: dict[str, Rules] = {
    "timm": TIMM,
    "microsoft": MICROSOFT,
    "torchvision": TORCHVISION,
    "huggingface": TRANSFORMERS,
    "openmmlab": MMPRETRAIN,
}
"""By layout, for a classifier of which nothing else is known."""
DEFAULTS_V2 = DEFAULTS | {"huggingface": TRANSFORMERS_V2}
"""The same, of Swin Transformer V2."""

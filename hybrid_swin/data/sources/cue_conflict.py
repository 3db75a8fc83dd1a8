"""Images with a local and a global cue to the class, which can be made to disagree.

Legend of shapes: N images, n cells per side, c pixels per side of a cell, K = 3 classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages, Source, SplitName, check_shape
from hybrid_swin.data.synthetic import drawing
from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.errors import InputError, unknown

Mode = Literal["agree", "texture", "arrangement", "conflict"]
MODES: tuple[Mode, ...] = ("agree", "texture", "arrangement", "conflict")

CLASS_NAMES = ("rows + horizontal", "columns + vertical", "diagonals + checkerboard")
"""What matches in the arrangement, and which texture goes with it."""

_CLASSES = len(CLASS_NAMES)
_PAIRS = _CLASSES * (_CLASSES - 1)  # of an arrangement and another class's texture

#: The sign of each corner (u, v) by class: rows match, columns match, diagonals match.
ARRANGEMENTS = np.array([[[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]])


@dataclass(frozen=True, eq=False)
class Cues:
    """What the images show.

    Args:
        arrangement: (N,) int64, the class of the global cue.
        texture: (N,) int64, the class of the local cue.
    """

    arrangement: NDArray[np.int64]
    texture: NDArray[np.int64]


@final
class CueConflictSource(Source):
    """A local texture and a global arrangement that agree, disagree, or stand alone.

    Three classes k. The texture is local: each cell of c x c pixels shows horizontal stripes,
    vertical stripes or a checkerboard, all of mean 0 and of random polarity; it is texture k with
    probability ``purity``, else one of the other two. The arrangement is global: four blocks of
    s x s cells, at the corners u, v in {0, 1} of a square of side r (the reach), are brighter or
    darker by

        a (1 - 2u): rows match,    a (1 - 2v): columns match,    a (1 - 2u)(1 - 2v): diagonals match

    with a = 1 or -1 by chance, the square anywhere. One block alone is bright or dark alike in all
    classes: what sees one block at a time is at chance.

    A network is trained on ``agree`` and then looked into by the inspection ``cue_conflict``.
    Images have one channel and ``grid * cell`` pixels per side, 16 by default; give
    ``image_size: 16``, ``in_channels: 1``, ``num_classes: 3`` and ``patch_size: 2``.

    Image ``index`` of a split derives from (seed, split, index) alone; the modes share its draws.
    Classes (in ``conflict``: pairs of them) take turns, so they are exactly balanced.

    Args:
        mode: ``agree``: both cues show the label; ``texture``: no arrangement; ``arrangement``:
            each cell's texture is any of the three alike; ``conflict``: the texture is another
            class's, and the label is the arrangement's.
        grid: cells per side.
        cell: pixels per side of a cell, even; best the network's patch size.
        reach: cells from a block's cell to its partners.
        side: cells per side of a block.
        margin: cells along each border where no block stands.
        purity: share of the cells that show the class's texture, above 1/3 and up to 1.
        amplitude: of the textures, plus and minus.
        brightness: of the blocks, plus and minus.
        noise: standard deviation of each pixel's Gaussian noise.
        train: images to learn from; a multiple of 6.
        validation: images to choose by; a multiple of 6.
        test: images to report; a multiple of 6.
        seed: of all draws.

    Source: ImageNet-trained CNNs are biased towards texture, 2018,
    https://arxiv.org/abs/1811.12231 (where style transfer gives a photograph another's texture).
    """

    def __init__(
        self,
        mode: Literal["agree", "texture", "arrangement", "conflict"] = "agree",
        grid: int = 8,
        cell: int = 2,
        reach: int = 5,
        side: int = 3,
        margin: int = 0,
        purity: float = 0.6,
        amplitude: float = 0.5,
        brightness: float = 1.0,
        noise: float = 0.3,
        train: int = 12288,
        validation: int = 996,
        test: int = 1998,
        seed: int = 0,
    ) -> None:
        if mode not in MODES:
            raise unknown("mode", mode, MODES)
        self.layout = Layout(grid, reach, side, 1, margin, "cue_conflict")
        drawing.check_drawing("cue_conflict", cell, noise, amplitude, seed)
        if not brightness >= 0:
            raise InputError(f"cue_conflict: brightness must be at least 0; got {brightness}")
        if not 1 / _CLASSES < purity <= 1:
            raise InputError(
                f"cue_conflict: purity must be above 1/3, which is chance, and up to 1; "
                f"got {purity}"
            )
        self.counts: dict[SplitName, int] = {
            "train": train, "validation": validation, "test": test
        }  # fmt: skip
        for name, count in self.counts.items():
            if count < _PAIRS or count % _PAIRS:
                raise InputError(
                    f"cue_conflict: {name} must be a multiple of {_PAIRS} images, so that classes "
                    f"and their pairs are balanced; got {count}"
                )
        drawing.check_size("cue_conflict", grid * cell, self.counts)
        self.mode, self.cell, self.seed = mode, cell, seed
        self.purity, self.noise = purity, noise
        self.amplitude, self.brightness = amplitude, brightness

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images of the three splits, float32, with one channel."""
        side = self.layout.grid * self.cell
        check_shape("data source cue_conflict", (side, side, 1), image_size, in_channels)
        return drawing.gather(self.images, self.counts, CLASS_NAMES)

    def cues(self, indices: NDArray[np.int64]) -> Cues:
        """The classes of both cues, also of one that the mode leaves out."""
        index = np.asarray(indices, np.int64)
        arrangement = index % _CLASSES
        turn = 1 + index // _CLASSES % (_CLASSES - 1) if self.mode == "conflict" else 0
        return Cues(arrangement, (arrangement + turn) % _CLASSES)

    def images(self, split: SplitName, indices: NDArray[np.int64]) -> drawing.Images:
        """Images (N, H, W) float32 and labels (N,) of these indices, in their order."""
        layout, cues = self.layout, self.cues(indices)
        n = layout.grid
        uniform, noise = drawing.random_numbers(
            self.seed, split, indices, 3 + 3 * n * n, n * self.cell
        )
        where, sign, cells = np.split(uniform, [2, 3], axis=1)
        pure, other, polarity = np.moveaxis(cells.reshape(-1, 3, n, n), 1, 0)
        if self.mode == "arrangement":
            cell_classes = (_CLASSES * other).astype(np.int64)
        else:
            step = np.where(pure < self.purity, 0, 1 + ((_CLASSES - 1) * other).astype(np.int64))
            cell_classes = (cues.texture[:, None, None] + step) % _CLASSES
        signs = np.where(polarity < 0.5, 1, -1)
        vertical, horizontal, checkerboard = drawing.stripes(self.cell)
        pixels = noise * np.float32(self.noise)
        for k, texture in enumerate((horizontal, vertical, checkerboard)):
            of_class = np.where(cell_classes == k, signs, 0).astype(np.int8)
            pixels += np.float32(self.amplitude) * drawing.paint(of_class, texture)
        if self.mode != "texture":
            flat = np.ones((self.cell, self.cell), np.int8)
            blocks = self._blocks(cues.arrangement, where, sign)
            pixels += np.float32(self.brightness) * drawing.paint(blocks, flat)
        return pixels, cues.arrangement

    def _blocks(
        self, classes: NDArray[np.int64], where: NDArray[np.float64], sign: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        """Bright (1) and dark (-1) cells. (N, n, n)."""
        layout = self.layout
        offsets = layout.origins() + (where[:, None] * layout.places).astype(np.int64)  # (N, 1, 2)
        corners = layout.corners()  # (2, 2, s², 2)
        y, x = np.moveaxis(offsets[:, :, None, None] + corners, -1, 0)  # (N, 2, 2, s²)
        a = np.where(sign < 0.5, 1, -1)[:, :, None]
        cells = np.zeros((len(classes), layout.grid, layout.grid), np.int8)
        image = np.arange(len(classes))[:, None, None, None]
        cells[image, y, x] = (a * ARRANGEMENTS[classes])[..., None]
        return cells

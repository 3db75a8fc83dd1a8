"""The reach task: which distance must a network bridge? Images whose truth is known.

Legend of shapes: N images, n cells per side, M constellations, k = s² cells of a block,
H, W pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages, Source, SplitName, check_shape
from hybrid_swin.data.synthetic import drawing
from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.errors import InputError


@dataclass(frozen=True, eq=False)
class Cells:
    """Images of the task as cells, before their noise.

    Args:
        labels: (N,) int64; 0: rows match, 1: columns match.
        bits: (N, n, n) int8; 1 a vertical texture, -1 a horizontal one, 0 an empty cell.
        signs: (N, n, n) int8; the polarity of each texture, 1 without random polarity.
    """

    labels: NDArray[np.int64]
    bits: NDArray[np.int8]
    signs: NDArray[np.int8]


@final
class ConstellationSource(Source):
    """The reach task: do the rows or the columns of four distant blocks match?

    Four blocks of s x s cells stand at the corners of a square of side r, the reach. A cell shows
    one bit as a texture, vertical or horizontal stripes. With fair bits a_k = 1 or -1, k a cell of
    a block, and corners u, v in {0, 1} (lower row, right column), the cell of corner (u, v) holds

        a_k (1 - 2 u) if y = 0 (rows match),    a_k (1 - 2 v) if y = 1 (columns match)

    so that each block alone, and two at a diagonal, look the same in both classes: only two blocks
    of one side tell the class. ``hybrid_swin.data.synthetic`` has the best possible accuracy, and
    ``hybrid_swin.inspection.measures.reach_ceiling`` what an architecture's reach allows.

    Image ``index`` of a split derives from (seed, split, index) alone. Labels alternate, so that
    the classes are exactly balanced.

    Args:
        grid: cells per side.
        cell: pixels per side of a cell, even; best the network's patch size.
        reach: cells from a block's cell to its partners.
        side: cells per side of a block; side² bits of evidence.
        constellations: how many an image holds, each in a sub-square of its own and all of the
            image's class; a perfect square.
        margin: empty cells along each border. A window's size less one keeps what zero padding
            tells of position away from the blocks.
        flip: probability with which each cell shows the other bit.
        noise: standard deviation of each pixel's Gaussian noise.
        amplitude: stripes are plus and minus this.
        polarity: whether a cell's stripes begin with plus or minus by chance, or with plus.
        train: images to learn from, even.
        validation: images to choose by, even.
        test: images to report, even.
        seed: of all draws.
    """

    def __init__(
        self,
        grid: int = 8,
        cell: int = 2,
        reach: int = 4,
        side: int = 2,
        constellations: int = 1,
        margin: int = 0,
        flip: float = 0.0,
        noise: float = 0.3,
        amplitude: float = 1.0,
        polarity: bool = False,
        train: int = 32768,
        validation: int = 1000,
        test: int = 4000,
        seed: int = 0,
    ) -> None:
        self.layout = Layout(grid, reach, side, constellations, margin)
        drawing.check_drawing("constellation", cell, noise, amplitude, seed)
        if not 0 <= flip <= 0.5:
            raise InputError(f"constellation: flip must be a number from 0 to 0.5; got {flip}")
        self.counts = drawing.split_counts("constellation", train, validation, test)
        drawing.check_size("constellation", grid * cell, self.counts)
        self.cell, self.flip, self.noise, self.amplitude = cell, flip, noise, amplitude
        self.polarity, self.seed = polarity, seed

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images of the three splits, float32, with one channel."""
        side = self.layout.grid * self.cell
        check_shape("data source constellation", (side, side, 1), image_size, in_channels)
        return drawing.gather(self.images, self.counts, ("rows match", "columns match"))

    def images(self, split: SplitName, indices: NDArray[np.int64]) -> drawing.Images:
        """Images (N, H, W) float32 and labels (N,) of these indices, in their order."""
        cells, noise = self._draw(split, indices)
        vertical, horizontal, _ = drawing.stripes(self.cell)
        pixels = drawing.paint(np.where(cells.bits > 0, cells.signs, 0), vertical)
        pixels += drawing.paint(np.where(cells.bits < 0, cells.signs, 0), horizontal)
        pixels *= np.float32(self.amplitude)
        pixels += noise * np.float32(self.noise)
        return pixels, cells.labels

    def cells(self, split: SplitName, indices: NDArray[np.int64]) -> Cells:
        """The same images as cells."""
        return self._draw(split, indices)[0]

    def _draw(
        self, split: SplitName, indices: NDArray[np.int64]
    ) -> tuple[Cells, NDArray[np.float32]]:
        """Cells, and standard normal noise of every pixel."""
        layout, count = self.layout, len(indices)
        many, bits = layout.constellations, layout.side**2
        # Of each constellation: where it stands, its bits, which cells flip, their polarity.
        shapes = [(many, 2), (many, bits), (many, 2, 2, bits), (many, 2, 2, bits)]
        sizes = [int(np.prod(shape)) for shape in shapes]
        uniform, noise = drawing.random_numbers(
            self.seed, split, indices, sum(sizes), layout.grid * self.cell
        )
        where, sides, flips, signs = (
            part.reshape(count, *shape)
            for part, shape in zip(
                np.split(uniform, np.cumsum(sizes)[:-1], axis=1), shapes, strict=True
            )
        )
        labels = np.asarray(indices, np.int64) % 2
        patterns = np.array([[[1, 1], [-1, -1]], [[1, -1], [1, -1]]])  # [y, u, v]
        a = np.where(sides < 0.5, 1, -1)[:, :, None, None, :]  # (N, M, 1, 1, k)
        values = a * patterns[labels][:, None, :, :, None]  # (N, M, 2, 2, k)
        values = np.where(flips < self.flip, -values, values)
        polarity = np.where(signs < 0.5, 1, -1) if self.polarity else np.ones_like(values)
        offsets = layout.origins() + (where * layout.places).astype(np.int64)  # (N, M, 2)
        y, x = np.moveaxis(offsets[:, :, None, None, None] + layout.corners(), -1, 0)
        grids = np.zeros((2, count, layout.grid, layout.grid), np.int8)
        image = np.arange(count)[:, None, None, None, None]
        grids[0, image, y, x] = values
        grids[1, image, y, x] = polarity
        return Cells(labels, grids[0], grids[1]), noise

"""Context XOR: what some cells say turns the meaning of others, wherever they stand.

Legend of shapes: N images, n cells per side, H, W pixels.
"""

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.sources import LabelledImages, Source, SplitName, check_shape
from hybrid_swin.data.synthetic import drawing
from hybrid_swin.errors import InputError


@final
class ContextXorSource(Source):
    """Context XOR: content cells mean the class or its opposite, as the context's majority says.

    With a fair hidden sign s = 1 or -1 and the class's sign t (1 for class 1), each context cell
    shows s and each content cell t s, with probability ``agreement``, else the opposite. Context
    cells show their sign as a checkerboard that begins with plus or minus, content cells as
    vertical or horizontal stripes; all stand on cells drawn by chance. So neither kind alone, nor
    any position, tells the class: the statistics of both kinds over the whole image are needed,
    and their product.

    Image ``index`` of a split derives from (seed, split, index) alone. Labels alternate, so that
    the classes are exactly balanced.

    Args:
        grid: cells per side.
        cell: pixels per side of a cell, even; best the network's patch size.
        context: context cells.
        content: content cells.
        agreement: probability with which a cell shows its sign.
        noise: standard deviation of each pixel's Gaussian noise.
        amplitude: textures are plus and minus this.
        train: images to learn from, even.
        validation: images to choose by, even.
        test: images to report, even.
        seed: of all draws.
    """

    def __init__(
        self,
        grid: int = 8,
        cell: int = 2,
        context: int = 32,
        content: int = 32,
        agreement: float = 0.7,
        noise: float = 0.3,
        amplitude: float = 1.0,
        train: int = 32768,
        validation: int = 1000,
        test: int = 4000,
        seed: int = 0,
    ) -> None:
        if grid < 1 or context < 1 or content < 1:
            raise InputError(
                f"context_xor: grid {grid}, context {context} and content {content} must all be "
                "at least 1"
            )
        if context + content > grid**2:
            raise InputError(
                f"context_xor: {context} context and {content} content cells do not fit on "
                f"{grid} x {grid} cells; choose {grid**2} or fewer in all, or a larger grid"
            )
        if not 0.5 <= agreement <= 1:
            raise InputError(
                f"context_xor: agreement must be a number from 0.5 to 1; got {agreement}"
            )
        drawing.check_drawing("context_xor", cell, noise, amplitude, seed)
        self.counts = drawing.split_counts("context_xor", train, validation, test)
        drawing.check_size("context_xor", grid * cell, self.counts)
        self.grid, self.cell, self.context, self.content = grid, cell, context, content
        self.agreement, self.noise, self.amplitude, self.seed = agreement, noise, amplitude, seed

    def load(
        self, image_size: tuple[int, int], in_channels: int, cache: Path | None
    ) -> LabelledImages:
        """All images of the three splits, float32, with one channel."""
        side = self.grid * self.cell
        check_shape("data source context_xor", (side, side, 1), image_size, in_channels)
        return drawing.gather(self.images, self.counts, ("against the context", "with the context"))

    def images(self, split: SplitName, indices: NDArray[np.int64]) -> drawing.Images:
        """Images (N, H, W) float32 and labels (N,) of these indices, in their order."""
        context, content, noise = self._draw(split, indices)
        vertical, horizontal, checkers = drawing.stripes(self.cell)
        pixels = drawing.paint(context, checkers)
        pixels += drawing.paint(np.where(content > 0, content, 0), vertical)
        pixels += drawing.paint(np.where(content < 0, -content, 0), horizontal)
        pixels *= np.float32(self.amplitude)
        pixels += noise * np.float32(self.noise)
        return pixels, np.asarray(indices, np.int64) % 2

    def cells(
        self, split: SplitName, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The signs of the context cells and of the content cells, 0 elsewhere; (N, n, n) each."""
        return self._draw(split, indices)[:2]

    def _draw(
        self, split: SplitName, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
        """Context, content, and standard normal noise of every pixel."""
        count, everywhere, used = len(indices), self.grid**2, self.context + self.content
        uniform, noise = drawing.random_numbers(
            self.seed, split, indices, 1 + everywhere + used, self.grid * self.cell
        )
        hidden = np.where(uniform[:, :1] < 0.5, 1, -1)
        places = np.argsort(uniform[:, 1 : 1 + everywhere], axis=1)[:, :used]
        values = np.where(uniform[:, 1 + everywhere :] < self.agreement, hidden, -hidden)
        sign = 2 * (np.asarray(indices, np.int64) % 2) - 1
        values[:, self.context :] *= sign[:, None]
        grids = np.zeros((2, count, everywhere), np.int8)
        kind = np.repeat([0, 1], [self.context, self.content])
        grids[kind, np.arange(count)[:, None], places] = values
        context, content = grids.reshape(2, count, self.grid, self.grid)
        return context, content, noise

"""A network and images: what an inspection looks into.

Legend of shapes: N images, B images of a batch, C channels, H and W pixels or tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Grid
from hybrid_swin.errors import InputError
from hybrid_swin.network.block import Block
from hybrid_swin.network.branches import Branch, NormedBranch
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stems import pixels_seen


@dataclass(frozen=True, eq=False)
class Place:
    """Where a block stands.

    Args:
        name: full name of the module, such as ``layers.0.blocks.1``.
        stage: from 0.
        index: of the block within its stage, from 0.
        word: the block word as it was written, such as ``w_msa+mdta``.
        stride: pixels per side that one token stands for.
        middle: the pixel, by row or column, that the first token is centred on.
        grid: tokens (height, width) of the block's map for the subject's images.
        mixer: what exchanges information between tokens, ``block.attn``.
        block: the whole block.
    """

    name: str
    stage: int
    index: int
    word: str
    stride: int
    middle: float
    grid: Grid
    mixer: Branch | Fusion
    block: Block

    @property
    def named(self) -> dict[str, Any]:
        """What a row of numbers says of it."""
        return {"block": self.name, "stage": self.stage, "index": self.index, "word": self.word}


@dataclass(frozen=True, eq=False)
class BranchPlace:
    """Where a branch stands.

    Args:
        place: of its block.
        name: the branch's word, such as ``mdta(depthwise=false)``.
        index: among the block's branches, from 0.
        module: as the fusion holds it: a ``NormedBranch`` where it has a norm of its own.
    """

    place: Place
    name: str
    index: int
    module: Branch

    @property
    def bare(self) -> Branch:
        """The branch itself, without a norm of its own."""
        return self.module.branch if isinstance(self.module, NormedBranch) else self.module

    @property
    def named(self) -> dict[str, Any]:
        """What a row of numbers says of it."""
        return self.place.named | {"branch": self.name, "branch_index": self.index}

    def undefined(self, reason: str) -> dict[str, str]:
        """An entry of ``undefined``: why there are no numbers of it."""
        return {"block": self.place.name, "branch": self.name, "reason": reason}


@dataclass(frozen=True, eq=False)
class Subject:
    """What is looked into.

    Args:
        model: in evaluation mode, on ``device``, no parameter requiring a gradient.
        images: (N, C, H, W) as the network sees them (normalised), on the CPU.
        labels: (N,) int64, or None if there are none.
        class_names: one name a class, or None.
        trained: False for random weights: the numbers then speak of the architecture.
        seed: of every random choice of an inspection.
        batch_size: images at a time.
        device: where the model lies, such as ``cpu``.
        ids: one name an image, or None.
    """

    model: HybridSwin
    images: Tensor
    labels: Tensor | None = None
    class_names: tuple[str, ...] | None = None
    trained: bool = True
    seed: int = 0
    batch_size: int = 8
    device: str = "cpu"
    ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images):
            raise InputError(
                f"images must be (N, C, H, W) with at least one image; got "
                f"{tuple(self.images.shape)}"
            )
        if self.labels is not None and len(self.labels) != len(self.images):
            raise InputError(f"{len(self.images)} images, but {len(self.labels)} labels")

    def batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Images (B, C, H, W) and labels (B,), on the device, in order."""
        for start in range(0, len(self.images), self.batch_size):
            chosen = slice(start, start + self.batch_size)
            labels = None if self.labels is None else self.labels[chosen].to(self.device)
            yield self.images[chosen].to(self.device), labels

    def blocks(self) -> list[Place]:
        """Every block, in order."""
        variant, places = self.model.variant, []
        middle = sum(pixels_seen(variant.stem, variant.patch_size)) / 2
        grids = variant.grids_of(cast(Grid, tuple(self.images.shape[-2:])))
        for stage, layer in enumerate(self.model.layers):
            words = variant.stages[stage].words()
            stride = variant.patch_size * 2**stage
            if stage and variant.merging != "conv":  # which is centred on the first of the two
                middle += stride / 4
            for index, module in enumerate(cast(nn.Sequential, layer.blocks)):
                name, block = f"layers.{stage}.blocks.{index}", cast(Block, module)
                at = stage, index, words[index], stride, middle, grids[stage]
                places.append(Place(name, *at, block.attn, block))
        return places

    def branches(self) -> list[BranchPlace]:
        """Every branch of every block, in the order in which their fusions hold them."""
        places = []
        for place in self.blocks():
            word = self.model.variant.block_words[place.stage][place.index]
            mixer = place.mixer
            modules = list(mixer.branches) if isinstance(mixer, Fusion) else [mixer]
            for index, (part, module) in enumerate(zip(word.branches, modules, strict=True)):
                places.append(BranchPlace(place, str(part), index, cast(Branch, module)))
        return places


def make_subject(
    model: HybridSwin,
    images: Tensor,
    labels: Tensor | None = None,
    class_names: tuple[str, ...] | None = None,
    *,
    trained: bool = True,
    seed: int = 0,
    batch_size: int = 8,
    device: str = "cpu",
    ids: tuple[str, ...] | None = None,
) -> Subject:
    """A subject of any model: put into evaluation mode, frozen and moved in place.

    Raises InputError for images of other channels than the network takes, or none.
    """
    channels = model.variant.in_channels
    if images.ndim == 4 and images.shape[1] != channels:
        raise InputError(
            f"the network takes {channels} channel(s); the images have {images.shape[1]}"
        )
    model = model.eval().requires_grad_(False).to(device)
    images = images.detach().to("cpu", torch.float32)
    return Subject(model, images, labels, class_names, trained, seed, batch_size, device, ids)

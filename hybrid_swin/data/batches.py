"""Normalised batches: a whole batch is indexed at once, in an order that a seed and an epoch fix.

Legend of shapes: N images, B images of a batch, H height, W width, C channels.
"""

import mmap
from collections.abc import Iterator
from typing import Any, TypeVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hybrid_swin.data.pixels import chunks, full_scale

HELD_BYTES = 256 * 1024**2  # normalised images up to this size are held in memory

Batch = tuple[Tensor, Tensor]  # images (B, C, H, W) float32, labels (B,) int64
_Indices = NDArray[np.int64]
_B = TypeVar("_B")


@final
class NormalisedImages:
    """Images by index, float32 (B, C, H, W): (x - mean) / std, with x in full scales.

    Small sets are normalised once and held; of large ones, which may be a memory map, only the
    asked for images are read. Both give the same numbers.

    Args:
        images: (N, H, W, C) uint8, uint16, float32 or float64.
        mean: of each channel, in full scales.
        std: of each channel, in full scales, above 0.
        held_bytes: largest size to hold.
    """

    def __init__(
        self,
        images: NDArray[Any],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self._images = images
        self._scale = full_scale(images.dtype)
        self._mean = torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1)
        self._std = torch.tensor(std, dtype=torch.float64).view(-1, 1, 1)
        self._held: Tensor | None = None
        if images.size * 4 <= held_bytes:
            everything = np.arange(len(images))
            self._held = torch.cat([self.take(everything[chunk]) for chunk in chunks(images)])
            self._images = images[:0]

    def take(self, indices: _Indices) -> Tensor:
        """The images at ``indices``. -> (B, C, H, W), contiguous."""
        if self._held is not None:
            return self._held[torch.from_numpy(indices)]
        picked_BHWC = torch.from_numpy(self._images[indices])
        # What needs 64 bits is standardised in them: only then does it fit into 32.
        exact = torch.float64 if picked_BHWC.dtype == torch.float64 else torch.float32
        x_BCHW = picked_BHWC.permute(0, 3, 1, 2).to(
            exact, memory_format=torch.contiguous_format, copy=True
        )
        mean, std = self._mean.to(exact), self._std.to(exact)
        return x_BCHW.div_(self._scale).sub_(mean).div_(std).to(torch.float32)

    def __getstate__(self) -> dict[str, Any]:
        """A memory map travels to another process by its name; NumPy would send all its bytes."""
        state = self.__dict__.copy()
        images = self._images
        if isinstance(images, np.memmap) and isinstance(getattr(images, "base", None), mmap.mmap):
            state["_images"] = None
            state["_map"] = (images.filename, images.dtype, "r", images.offset, images.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        where = state.pop("_map", None)
        self.__dict__.update(state)
        if where:
            self._images = np.memmap(*where)


@final
class SplitImages(Dataset[Batch]):
    """The images of one split; ``[positions]`` gives a batch."""

    def __init__(self, images: NormalisedImages, labels: _Indices, indices: _Indices) -> None:
        self._images, self._labels, self._indices = images, labels, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, positions: _Indices) -> Batch:
        indices = self._indices[positions]
        return self._images.take(indices), torch.from_numpy(self._labels[indices])


@final
class EpochBatches(Sampler[_Indices]):
    """Positions of each batch of an epoch: every image once, or so many drawn without replacement.

    With ``repeats`` r an epoch has as many images, but only 1 / r of them different: each comes r
    times in a row, to be augmented anew each time (timm's ``RepeatAugSampler``, which also leaves
    out what is more than a multiple of 256 images).

    With ``balance`` each class comes as often as any other, to within one image: its images in an
    order of their own, again and again as often as it takes.

    Source: Augment your batch: better training with larger batches, 2019,
    https://arxiv.org/abs/1901.09335

    The order of epoch e, and which images are drawn for it, derive from (seed, e) only, whatever
    was drawn before. Batches are full but the last; a last batch of one image, of which batch norm
    cannot take the variance, gets one from the batch before (where batches are of at least three).

    Args:
        count: number of images.
        batch_size: images of a full batch.
        seed: of the order; None for the order of the data.
        epoch_images: images of an epoch, at most ``count``; 0 for all.
        repeats: how often each image of an epoch comes.
        balance: the class of each image, where classes are to come equally often.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int | None,
        epoch_images: int = 0,
        repeats: int = 1,
        balance: _Indices | None = None,
    ) -> None:
        self._count, self._seed, self._epoch, self._repeats = count, seed, 0, repeats
        self._balance = balance
        self._drawn = drawn = epoch_images or count
        self._cuts = np.arange(batch_size, drawn, batch_size)
        if seed is not None and batch_size > 2 and len(self._cuts) and drawn % batch_size == 1:
            self._cuts[-1] -= 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0. Lightning calls this before every epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._cuts) + 1

    def __iter__(self) -> Iterator[_Indices]:
        if self._seed is None:
            order = np.arange(self._count)
        else:
            rng = np.random.default_rng((self._seed, self._epoch))
            if self._balance is None:
                order = rng.permutation(self._count)
            else:
                order = balanced_order(rng, self._balance, -(-self._drawn // self._repeats))
            order = order if self._repeats == 1 else np.repeat(order, self._repeats)
        yield from np.split(order[: self._drawn], self._cuts)


def balanced_order(rng: np.random.Generator, labels: _Indices, count: int) -> _Indices:
    """Indices of ``count`` images, each class that there is as often as any other."""
    classes = np.unique(labels)
    shares = np.full(len(classes), count // len(classes))
    shares[rng.permutation(len(classes))[: count % len(classes)]] += 1
    drawn = []
    for label, share in zip(classes, shares, strict=True):
        members = np.flatnonzero(labels == label)
        rounds = [rng.permutation(members) for _ in range(-(-int(share) // len(members)))]
        drawn.append(np.concatenate([members[:0], *rounds])[:share])
    return rng.permutation(np.concatenate(drawn))


def make_loader(
    images: Dataset[_B], batches: Sampler[Any], num_workers: int, to_gpu: bool = False
) -> DataLoader[_B]:
    """A loader that leaves the random numbers of the training alone.

    Args:
        images: gives a batch by what ``batches`` gives.
        batches: of an epoch.
        num_workers: processes that prepare them.
        to_gpu: they go to a CUDA GPU, faster from memory that is pinned. Where they do not, pinned
            memory would still take some of a GPU's.
    """
    return DataLoader(
        images,
        batch_size=None,  # a sample is a batch already
        sampler=batches,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=_as_it_is,
        pin_memory=to_gpu,
        generator=torch.Generator(),  # else each epoch would draw from the global one
    )


def _as_it_is(batch: Any) -> Any:
    """A named function, since spawned workers must be able to find it."""
    return batch

"""Batches cut into shares: by several devices, and by micro-batches on one, in the same way.

Order, draws and the number of steps are those of one process. Of our own sources each process reads
its shares alone. The loader of a user's own module is read whole, and its batches are cut: what it
draws for one image depends on those before.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, cast, final

from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from hybrid_swin.data.batches import EpochBatches, SplitImages, make_loader
from hybrid_swin.errors import InputError
from hybrid_swin.network.whole_batch import Share

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


class Cut:
    """A loader whose batches come in shares, as (images, labels, share).

    Args:
        loader: gives (images, labels).
        rank: of this process, from 0.
        ranks: processes.
        turns: shares that each process takes one after another.
        with_opposite: they come with the images that lie opposite.
    """

    def __init__(
        self, loader: Any, rank: int, ranks: int, turns: int, with_opposite: bool = False
    ) -> None:
        self._loader, self._turns = loader, turns
        self._cuts = rank, ranks, turns, with_opposite

    @property
    def sampler(self) -> Any:
        """The loader's, which Lightning tells of each epoch."""
        return getattr(self._loader, "sampler", None)

    @property
    def batch_sampler(self) -> Any:
        """The loader's."""
        return getattr(self._loader, "batch_sampler", None)

    def __len__(self) -> int:
        return len(cast(Sized, self._loader)) * self._turns

    def __iter__(self) -> Iterator[tuple[Any, Any, Share]]:
        # Made at once: loaders draw from the global generators when they are asked for an iterator.
        return self._shares_of(iter(self._loader))

    def _shares_of(self, batches: Iterator[Any]) -> Iterator[tuple[Any, Any, Share]]:
        for (images, labels), share in shares_of(batches, lambda batch: len(batch[1]), *self._cuts):
            yield images[share.taken], labels[share.taken], share


def shares_of(
    batches: Iterable[Any],
    size: Callable[[Any], int],
    rank: int,
    ranks: int,
    turns: int,
    with_opposite: bool = False,
) -> Iterator[tuple[Any, Share]]:
    """Each batch with each share that a process takes of it. ``size`` counts a batch's images."""
    shares, before = ranks * turns, 0
    for batch in batches:
        whole = size(batch)
        for turn in range(turns):
            index = rank * turns + turn
            begin = whole * index // shares
            count = whole * (index + 1) // shares - begin
            own = begin if count else 0, count, whole
            yield batch, Share(*own, shares, turn, turns, before, with_opposite)
        before += whole


@final
class _CutPositions(Sampler[tuple[NDArray[Any], Share]]):
    """The positions of each share of each batch, and the share."""

    def __init__(
        self, batches: EpochBatches, rank: int, ranks: int, turns: int, with_opposite: bool
    ) -> None:
        self._batches, self._turns = batches, turns
        self._cuts = rank, ranks, turns, with_opposite

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, as Lightning does before each."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._batches) * self._turns

    def __iter__(self) -> Iterator[tuple[NDArray[Any], Share]]:
        for positions, share in shares_of(self._batches, len, *self._cuts):
            yield positions[share.taken], share


@final
class _SharesOfSplit(Dataset[tuple[Tensor, Tensor, Share]]):
    """A split's images by what ``_CutPositions`` gives."""

    def __init__(self, images: SplitImages) -> None:
        self._images = images

    def __getitem__(self, part: tuple[NDArray[Any], Share]) -> tuple[Tensor, Tensor, Share]:
        positions, share = part
        return (*self._images[positions], share)


@contextmanager
def cut(
    datamodule: LightningDataModule,
    rank: int,
    ranks: int,
    turns: int,
    *,
    mixes: bool = False,
) -> Iterator[None]:
    """Have the loaders of a data module give this process's shares.

    Where the training ``mixes`` images of a batch, shares of train batches come with what lies
    opposite of their images.
    """
    if ranks * turns == 1:
        yield
        return
    own = vars(datamodule)
    before = {name: own[name] for name in _LOADERS if name in own}
    for name in _LOADERS:
        with_opposite = mixes and name == "train_dataloader"
        own[name] = _cutting(getattr(datamodule, name), rank, ranks, turns, with_opposite)
    try:
        yield
    finally:
        for name in _LOADERS:
            del own[name]
        own.update(before)


def uncut(loader: Any) -> Any:
    """The loader of a user's own module, as it is outside of ``cut``."""
    return loader._loader if isinstance(loader, Cut) else loader


def _refuse_cut(loader: Any) -> None:
    """Raise InputError for a loader that gives each process other images itself."""
    batches = getattr(loader, "batch_sampler", None)
    samplers = (getattr(loader, "sampler", None), getattr(batches, "sampler", None))
    if any(isinstance(sampler, DistributedSampler) for sampler in samplers):
        raise InputError(
            "the data module has a DistributedSampler, which gives each device other images; "
            "batches are shared out here already, so let it give the same ones everywhere, as "
            "shuffle=True does"
        )


def _cutting(make: Any, rank: int, ranks: int, turns: int, with_opposite: bool) -> Any:
    @functools.wraps(make)  # by which Lightning sees whether a loader is given at all
    def cut_loader() -> Any:
        loader = make()
        images, batches = (getattr(loader, name, None) for name in ("dataset", "sampler"))
        if not isinstance(images, SplitImages) or not isinstance(batches, EpochBatches):
            if ranks > 1:
                _refuse_cut(loader)
            return Cut(loader, rank, ranks, turns, with_opposite)
        parts = _SharesOfSplit(images), _CutPositions(batches, rank, ranks, turns, with_opposite)
        ours = cast(DataLoader[Any], loader)
        return make_loader(*parts, ours.num_workers, ours.pin_memory)

    return cut_loader

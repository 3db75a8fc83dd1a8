"""Batches cut into shares: by several devices, and by micro-batches on one, in the same way.

Each process reads every batch whole, in the order of one process, and takes its shares of it. So
order, draws and the number of steps are those of one process, whatever the data module.
"""

import functools
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any, cast

from lightning.pytorch import LightningDataModule

from hybrid_swin.network.whole_batch import Share

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


class Cut:
    """A loader whose batches come in shares, as (images, labels, share).

    Args:
        loader: gives (images, labels).
        rank: of this process, from 0.
        ranks: processes.
        turns: shares that each process takes one after another.
    """

    def __init__(self, loader: Any, rank: int, ranks: int, turns: int) -> None:
        self._loader, self._rank, self._ranks, self._turns = loader, rank, ranks, turns

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
        shares, before = self._ranks * self._turns, 0
        for images, labels in batches:
            whole = len(labels)
            for turn in range(self._turns):
                index = self._rank * self._turns + turn
                begin = whole * index // shares
                size = whole * (index + 1) // shares - begin
                share = Share(begin if size else 0, size, whole, shares, turn, self._turns, before)
                yield images[share.rows], labels[share.rows], share
            before += whole


@contextmanager
def cut(datamodule: LightningDataModule, rank: int, ranks: int, turns: int) -> Iterator[None]:
    """Have the loaders of a data module give this process's shares."""
    if ranks * turns == 1:
        yield
        return
    own = vars(datamodule)
    before = {name: own[name] for name in _LOADERS if name in own}
    for name in _LOADERS:
        own[name] = _cutting(getattr(datamodule, name), rank, ranks, turns)
    try:
        yield
    finally:
        for name in _LOADERS:
            del own[name]
        own.update(before)


def _cutting(make: Any, rank: int, ranks: int, turns: int) -> Any:
    @functools.wraps(make)  # by which Lightning sees whether a loader is given at all
    def cut_loader() -> Any:
        return Cut(make(), rank, ranks, turns)

    return cut_loader

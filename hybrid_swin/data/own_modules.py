"""A LightningDataModule of the user's own: what it draws, and how its images are told from others.

Modules often split by the global generators, without a seed: each process, and each call of
``setup``, would draw other splits, and test on images that were trained on. So the generators are
seeded around ``__init__``, ``prepare_data`` and ``setup``; a module that draws in another way is
known by the first images of its validation split.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar

import torch

from hybrid_swin.data.seeding import seed_all, seeded
from hybrid_swin.data.shares import uncut

_Module = TypeVar("_Module")
_SEED = "_hybrid_swin_split_seed"
_IMAGES = 256  # that are looked at
_MOST_COMPARED = 4096  # images, or a batch more

# How modules call the number of their classes, or the list of them.
_COUNTS = ("num_classes", "n_classes", "num_class", "nb_classes", "number_of_classes", "num_labels")
_NAMES = ("class_names", "classes", "class_list", "label_names")


def made_by(make: Callable[[], _Module], split_seed: int) -> _Module:
    """The module that a call makes, which draws by the seed: now and whenever it is set up."""
    with seeded(split_seed, "data"):
        module = make()
    vars(module)[_SEED] = split_seed
    return module


def drawn_alike(module: object) -> AbstractContextManager[None]:
    """Around what a module of ``made_by`` draws: the same numbers each time."""
    return seeded(vars(module)[_SEED], "data") if _SEED in vars(module) else nullcontext()


def seed_for_setup(module: object) -> None:
    """The same where Lightning calls ``prepare_data`` and ``setup`` next."""
    if _SEED in vars(module):
        seed_all(vars(module)[_SEED], "data")


def count_classes(module: object) -> Iterator[tuple[str, int]]:
    """What a data module says of the number of its classes: attribute, number."""
    for name in (*_COUNTS, *_NAMES):
        value = getattr(module, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value
        elif isinstance(value, list | tuple | set | dict) and value:
            yield name, len(value)


def set_up(module: Any) -> None:
    """What Lightning's ``fit`` does first."""
    with drawn_alike(module):
        module.prepare_data()
        module.setup("fit")


def shared_images(module: Any) -> tuple[int, int]:
    """How many test images are train images too, and how many were compared; (0, 0) if none can be.

    The first thousands of each are looked at, as the loaders give them: images that are changed for
    training are not known again. Train images come from a module that ``set_up`` has set up.
    """
    with suppress(Exception):
        with drawn_alike(module):
            train = set(_hashes_of(module.train_dataloader()))
        with drawn_alike(module):
            module.prepare_data()
            module.setup("test")
            test = _hashes_of(module.test_dataloader())
        return sum(one in train for one in test), len(test)
    return 0, 0


def _hashes_of(loader: Iterable[Any]) -> list[bytes]:
    hashes: list[bytes] = []
    for images, _ in loader:
        rows = torch.as_tensor(images).detach().cpu().contiguous().flatten(1).view(torch.uint8)
        hashes += [hashlib.blake2b(row.numpy().data, digest_size=16).digest() for row in rows]
        if len(hashes) >= _MOST_COMPARED:
            break
    return hashes


def validation_digest(module: Any) -> str | None:
    """Ten hex digits over the first validation images and labels, and their number.

    None for a module that is not set up, or has no such images.
    """
    shas = hashlib.sha256(), hashlib.sha256()  # of images and of labels, whatever the batch size
    with suppress(Exception), drawn_alike(module):
        loader = uncut(module.val_dataloader())
        with suppress(TypeError, AttributeError):
            shas[1].update(str(len(loader.dataset)).encode())
        left = _IMAGES
        for batch in loader:
            for sha, tensor in zip(shas, batch, strict=True):
                part = torch.as_tensor(tensor)[:left].detach().cpu().contiguous()
                sha.update(part.flatten().view(torch.uint8).numpy().data)
            left -= len(batch[1])
            if left <= 0:
                break
        shas[1].update(shas[0].digest())
        return shas[1].hexdigest()[:10] if left < _IMAGES else None
    return None

"""Randomness that derives from a seed and a place, whatever was drawn before."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(seed: int, *place: object) -> None:
    """Seed python, numpy and torch from the run's seed and a place in it, such as an epoch."""
    text = "/".join(map(str, (seed, *place)))
    derived = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    random.seed(derived)
    np.random.seed(derived % 2**32)
    torch.manual_seed(derived)


@contextmanager
def seeded(seed: int, *place: object) -> Iterator[None]:
    """The same for what is inside; after it, the generators go on as if nothing had been drawn."""
    from lightning.pytorch.utilities.seed import isolate_rng  # seconds to import

    with isolate_rng(include_cuda=False):
        seed_all(seed, *place)
        yield

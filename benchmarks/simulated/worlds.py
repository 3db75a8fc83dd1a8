"""Simulated trainings whose true accuracies are known: which images each seed of an arm gets right.

An arm is right on an image where a normal score passes a threshold: the arm's mean, the seed's
skill, the image's ease, how the image suits the arm, and noise; ease and noise are shared in part
between the arms. So the true accuracy over new seeds and new images is known, and, for given
images, that over new seeds only.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special


@dataclass(frozen=True)
class World:
    """Standard deviations beside noise of 1: seeds' skills, images' ease, images x arms.

    Args:
        accuracies: of the arms, over new seeds and images.
        images: how many.
        seed: luck of a seed; 0.1 moves an accuracy of 90% by 0.9 points, 0.3 by 2.7.
        ease: how much images differ.
        suits: how much an image suits one arm more than another.
        shared: share of the noise and of the seed's luck that is the same in all arms; 0 where
            arms have seeds of their own.
    """

    accuracies: tuple[float, ...]
    images: int
    seed: float = 0.1
    ease: float = 1.5
    suits: float = 0.4
    shared: float = 0.5


@lru_cache(maxsize=4)
def simulate(
    world: World, seeds: int, replays: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Right or wrong (arms, replays, seeds, images), and the accuracies for these very images."""
    rng = np.random.default_rng([seeds, replays, *repr(world).encode()])

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32)

    total = np.sqrt(world.seed**2 + world.ease**2 + world.suits**2 + 1)
    ease = world.ease * normal(replays, 1, world.images)
    noise = np.sqrt(world.shared) * normal(replays, seeds, world.images)
    skill = np.sqrt(world.shared) * world.seed * normal(replays, seeds, 1)
    right, truths = [], []
    for accuracy in world.accuracies:
        level = special.ndtri(accuracy) * total + ease
        level = level + world.suits * normal(replays, 1, world.images)
        truths.append(special.ndtr(level / np.sqrt(world.seed**2 + 1)).mean(axis=(1, 2)))
        level = level + skill + np.sqrt(1 - world.shared) * world.seed * normal(replays, seeds, 1)
        level = level + noise
        for start in range(0, replays, 100):  # little memory
            part = level[start : start + 100]
            part += np.sqrt(1 - world.shared) * normal(*part.shape)
        right.append(level > 0)
    return np.stack(right), np.stack(truths)

"""Batch, steps and epochs by the number of images."""

import math

import pytest

from search.launch.proposal.recipe import batch_size, learning_rate, schedule


@pytest.mark.parametrize(
    ("train", "batch"), [(3, 16), (39, 16), (320, 32), (639, 32), (640, 64), (10**6, 128)]
)
def test_the_batch_leaves_ten_steps_an_epoch(train, batch):
    assert batch_size(train) == batch


@pytest.mark.parametrize("train", [39, 650, 5000, 50_000, 10**6])
@pytest.mark.parametrize("steps", [100, 400, 1500])
def test_trainings_come_to_the_steps(train, steps):
    plan = schedule(train, steps)
    assert 10 <= plan.epochs <= 300
    reached = min(steps, 300 * math.ceil(train / plan.batch))
    assert 0.7 * reached <= plan.steps <= 1.3 * reached
    assert plan.epoch_images <= train
    assert plan.whole == (plan.epoch_images == train)


def test_few_images_are_not_seen_more_than_300_times():
    assert schedule(20, 10_000).epochs == 300


@pytest.mark.parametrize(("batch", "rate"), [(16, 0.001), (64, 0.002), (128, 0.003)])
def test_the_rate_grows_with_the_square_root_of_the_batch(batch, rate):
    assert learning_rate(batch) == rate

"""Batches: their numbers, their order, their way through processes."""

import pickle

import numpy as np
import pytest
import torch

from hybrid_swin.data.batches import EpochBatches, NormalisedImages, SplitImages, make_loader
from hybrid_swin.data.pixels import mean_and_std


def images(dtype=np.uint8, count=30):
    values = np.random.default_rng(0).integers(0, 256, (count, 5, 4, 3))
    return (values if dtype == np.uint8 else values / 100).astype(dtype)


def mapped(tmp_path):
    np.save(tmp_path / "images.npy", images())
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("held_bytes", [0, 10**6])
def test_images_are_normalised_and_channels_come_first(dtype, held_bytes):
    values = images(dtype)
    everything = np.arange(len(values))
    mean, std = mean_and_std(values, everything)
    x = NormalisedImages(values, mean, std, held_bytes).take(everything)
    assert x.shape == (30, 3, 5, 4)
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3), correction=0), torch.ones(3))
    raw = torch.from_numpy(values).permute(0, 3, 1, 2).double()
    expected = (raw - raw.mean((0, 2, 3), keepdim=True)) / raw.std(
        (0, 2, 3), keepdim=True, correction=0
    )
    torch.testing.assert_close(x, expected.float(), atol=1e-5, rtol=1e-5)


def test_held_read_and_mapped_images_are_equal_to_the_bit(tmp_path):
    indices = np.array([7, 3, 3, 29])
    args = ((0.4, 0.5, 0.6), (0.2, 0.3, 0.1))
    held = NormalisedImages(images(), *args).take(indices)
    assert torch.equal(NormalisedImages(images(), *args, held_bytes=0).take(indices), held)
    assert torch.equal(NormalisedImages(mapped(tmp_path), *args, 0).take(indices), held)


def test_taken_images_may_be_changed():
    source = images(np.float32)
    for held_bytes in (0, 10**6):
        normalised = NormalisedImages(source, (0.0,) * 3, (1.0,) * 3, held_bytes)
        before = normalised.take(np.arange(3)).clone()
        normalised.take(np.arange(3)).zero_()
        assert torch.equal(normalised.take(np.arange(3)), before)


def test_a_memory_map_travels_by_name(tmp_path):
    source = mapped(tmp_path)
    normalised = NormalisedImages(source, (0.4,) * 3, (0.2,) * 3, held_bytes=0)
    sent = pickle.dumps(normalised)
    assert len(sent) < source.nbytes
    indices = np.arange(30)
    assert torch.equal(pickle.loads(sent).take(indices), normalised.take(indices))  # noqa: S301
    part = NormalisedImages(source[10:], (0.4,) * 3, (0.2,) * 3, held_bytes=0)
    arrived = pickle.loads(pickle.dumps(part))  # noqa: S301
    assert torch.equal(arrived.take(np.arange(20)), normalised.take(np.arange(10, 30)))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 17, 63])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_image_comes_once_and_no_batch_is_too_large(count, batch_size, seed):
    batches = EpochBatches(count, batch_size, seed)
    epoch = list(batches)
    assert len(epoch) == len(batches)
    assert sorted(np.concatenate(epoch)) == list(range(count))
    sizes = [len(batch) for batch in epoch]
    assert max(sizes) <= batch_size
    assert set(sizes[:-2]) <= {batch_size}
    if seed is not None and count > 1 and batch_size > 2:
        assert min(sizes) > 1
    if seed is None:
        assert np.concatenate(epoch).tolist() == list(range(count))
        assert set(sizes[:-1]) <= {batch_size}


def orders(batches, epochs):
    for epoch in epochs:
        batches.set_epoch(epoch)
        yield np.concatenate(list(batches)).tolist()


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_only():
    *_, after_others = orders(EpochBatches(50, 8, seed=5), range(4))
    (resumed,) = orders(EpochBatches(50, 8, seed=5), [3])
    assert after_others == resumed
    every = [*orders(EpochBatches(50, 8, 5), range(4)), *orders(EpochBatches(50, 8, 6), range(4))]
    assert len({tuple(order) for order in every}) == 8


@pytest.mark.parametrize(("count", "drawn"), [(50, 12), (50, 17), (50, 50), (9, 3)])
def test_so_many_images_are_drawn_anew_for_each_epoch(count, drawn):
    batches = EpochBatches(count, 4, seed=5, epoch_images=drawn)
    epochs = list(orders(batches, range(60)))
    assert len(batches) == len(list(batches)) == -(-drawn // 4)
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == drawn
    assert {index for epoch in epochs for index in epoch} == set(range(count))
    assert len({tuple(epoch) for epoch in epochs}) > min(count, 50) / 2
    (resumed,) = orders(EpochBatches(count, 4, 5, drawn), [41])
    assert resumed == epochs[41]
    assert 1 not in {len(batch) for batch in batches}


def test_all_images_are_drawn_in_the_order_of_old():
    (order,) = orders(EpochBatches(50, 8, seed=5), [3])
    assert order == np.random.default_rng((5, 3)).permutation(50).tolist()
    assert list(orders(EpochBatches(50, 8, 5, 0), [3])) == [order]
    assert list(orders(EpochBatches(50, 8, 5, 50), [3])) == [order]


def loader(num_workers=0, held_bytes=0):
    normalised = NormalisedImages(images(), (0.4,) * 3, (0.2,) * 3, held_bytes)
    part = SplitImages(normalised, np.arange(30) % 7, np.arange(5, 28))
    return make_loader(part, EpochBatches(len(part), 4, seed=1), num_workers)


def test_a_loader_gives_images_with_their_labels():
    batches = list(loader())
    assert len(batches) == len(loader()) == 6
    assert len(loader().dataset) == 23
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert y.dtype == torch.int64
    order = np.concatenate(list(EpochBatches(23, 4, seed=1))) + 5
    assert y.tolist() == (order % 7).tolist()
    expected = NormalisedImages(images(), (0.4,) * 3, (0.2,) * 3).take(order)
    assert torch.equal(x, expected)


def test_a_loader_leaves_the_global_random_numbers_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(loader())
    assert torch.equal(torch.get_rng_state(), before)


def test_worker_processes_give_the_same_batches_in_every_epoch():
    alone, helped = loader(), loader(num_workers=1)
    for epoch in range(2):
        for each in (alone, helped):
            each.sampler.set_epoch(epoch)
        for (x, y), (other_x, other_y) in zip(alone, helped, strict=True):
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)

"""Which devices each worker takes."""

import pytest

from hybrid_swin.errors import InputError
from search.execution.devices import check_devices, shared_out
from search.settings.experiment import WorkerSettings

FOUR = ["0", "1", "5", "GPU-8f6d"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, FOUR),
        ({"per_device": 2}, FOUR * 2),
        ({"devices": 2}, ["0,1", "5,GPU-8f6d"]),
        ({"devices": 3}, ["0,1,5"]),
        ({"devices": 4, "count": 1}, ["0,1,5,GPU-8f6d"]),
        ({"count": 7}, FOUR),  # they are shared in turn
    ],
)
def test_gpus_of_each_worker(settings, expected):
    assert shared_out(FOUR, WorkerSettings(**settings)) == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 5}, ["workers.devices 5", "the 4 GPUs", "at most 4"]),
        ({"devices": 2, "count": 3}, ["workers.count 3", "workers.devices 2", "at most 2"]),
    ],
)
def test_more_gpus_than_there_are(settings, words):
    with pytest.raises(InputError) as error:
        shared_out(FOUR, WorkerSettings(**settings))
    assert all(word in str(error.value) for word in words)


def test_parts_of_a_gpu_do_not_train_together():
    parts = ["MIG-a1", "MIG-b2"]
    assert shared_out(parts, WorkerSettings()) == parts
    with pytest.raises(InputError, match=r"devices 2: parts of a GPU \(MIG-a1\) .* to 1"):
        shared_out(parts, WorkerSettings(devices=2))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 2, "accelerator": "mps"}, ["workers.devices 2", "mps", "one device"]),
        ({"devices": 2, "per_device": 3}, ["workers.per_device 3", "workers.devices 2"]),
    ],
)
def test_what_no_machine_has(settings, words):
    with pytest.raises(InputError) as error:
        check_devices(WorkerSettings(**settings))
    assert all(word in str(error.value) for word in words)

"""Which errors say that memory ran out."""

import numpy as np
import pytest
import torch

from hybrid_swin.training.memory import OutOfMemoryError, memory_watched


def too_large_for_this_cpu():
    torch.empty(2**60, dtype=torch.uint8)


def too_large_for_numpy():
    np.empty(2**60, dtype=np.uint8)


def raise_(error):
    raise error


@pytest.mark.parametrize(
    "run_out",
    [
        too_large_for_this_cpu,
        too_large_for_numpy,
        lambda: raise_(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")),
        lambda: raise_(RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)")),
        lambda: raise_(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")),
    ],
)
def test_out_of_memory(run_out):
    with (
        pytest.raises(OutOfMemoryError, match="out of memory with 8 images at once"),
        memory_watched(8),
    ):
        run_out()


def test_other_errors_are_none():
    for error in (RuntimeError("shapes differ"), ValueError("out of memory, a user wrote")):
        with pytest.raises(type(error)) as raised, memory_watched(8):
            raise error
        assert raised.value is error


def test_images_that_fit_in_no_memory_are_not_the_networks_fault():
    with pytest.raises(MemoryError), memory_watched(8, computes=lambda: False):
        raise MemoryError
    with pytest.raises(OutOfMemoryError), memory_watched(8, computes=lambda: False):
        raise torch.OutOfMemoryError("CUDA out of memory")

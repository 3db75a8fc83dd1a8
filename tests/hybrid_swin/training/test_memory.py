"""Which errors say that memory ran out, and in which words."""

import numpy as np
import pytest
import torch

from hybrid_swin.training import memory
from hybrid_swin.training.memory import Batching, OutOfMemoryError, memory_watched, shortage


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
        memory_watched(Batching(8)),
    ):
        run_out()


def test_other_errors_are_none():
    for error in (RuntimeError("shapes differ"), ValueError("out of memory, a user wrote")):
        with pytest.raises(type(error)) as raised, memory_watched(Batching(8)):
            raise error
        assert raised.value is error


def test_images_that_fit_in_no_memory_are_not_the_networks_fault():
    with pytest.raises(MemoryError), memory_watched(Batching(8), computes=lambda: False):
        raise MemoryError
    with pytest.raises(OutOfMemoryError), memory_watched(Batching(8), computes=lambda: False):
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("batching", "words"),
    [
        (Batching(8), "8 images at once"),
        (Batching(1), "1 image at once"),
        (Batching(256, 2), "128 images at once (a batch of 256 over 2 devices)"),
        (Batching(255, 1, 2), "128 images at once (a batch of 255 in 2 micro-batches)"),
        (Batching(64, 4, 2), "8 images at once (a batch of 64 over 4 devices in 2 micro-batches)"),
    ],
)
def test_how_many_images_there_were(batching, words):
    assert str(batching) == words


# As torch 2.13, NumPy and Apple's backend say it.
CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.15 GiB of "
    "which 2.00 MiB is free. {others}Of the allocated memory 1.00 GiB is allocated by PyTorch, and "
    "1.00 MiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large "
    "try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
)
OTHERS = (
    "Process 71 has 60.00 GiB memory in use. Process 72 has 2.50 GiB memory in use. Including "
    "non-PyTorch memory, this process has 16.64 GiB memory in use. "
)
MPS = (
    "MPS backend out of memory (MPS allocated: 8.10 GiB, other allocations: 1.02 GiB, max allowed: "
    "9.07 GiB). Tried to allocate 256.00 MiB on private pool."
)
ON_CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes. Error"
NUMPY = "Unable to allocate 3.00 GiB for an array with shape (3221225472,) and data type uint8"
GPU_WORDS = "it asked for 20.00 MiB more, and 2.00 MiB of the GPU's 79.15 GiB were free"
LIMIT = "; a limit on this process (ulimit -v) holds it back"


@pytest.mark.parametrize(
    ("error", "free", "words"),
    [
        (torch.OutOfMemoryError(CUDA.format(others="")), None, GPU_WORDS),
        (
            torch.OutOfMemoryError(CUDA.format(others=OTHERS)),
            None,
            f"{GPU_WORDS}; other programs hold 60.00 GiB + 2.50 GiB",
        ),
        (
            RuntimeError(MPS),
            None,
            "it asked for 256.00 MiB more, and held 8.10 GiB + 1.02 GiB of the 9.07 GiB allowed",
        ),
        (
            RuntimeError(ON_CPU),
            2**30,
            "it asked for 3.0 GiB more, and this machine has 1.0 GiB free",
        ),
        (
            MemoryError(NUMPY),
            2**30,
            "it asked for 3.00 GiB more, and this machine has 1.0 GiB free",
        ),
        (
            MemoryError(NUMPY),
            2**33,
            f"it asked for 3.00 GiB more, and this machine has 8.0 GiB free{LIMIT}",
        ),
        (MemoryError(NUMPY), None, "it asked for 3.00 GiB more"),
        (MemoryError(), 2**30, "MemoryError"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
            None,
            "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`",
        ),
    ],
)
def test_what_was_asked_for_and_what_was_free(monkeypatch, error, free, words):
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    assert shortage(error) == words

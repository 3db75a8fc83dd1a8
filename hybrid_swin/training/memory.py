"""Training that ran out of memory: a kind of failure that smaller micro-batches may mend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

# Of RuntimeErrors that are not torch.OutOfMemoryError: torch's allocator on a CPU, that on an Apple
# GPU, and CUDA's libraries, which allocate for themselves.
_TEXTS = (
    "can't allocate memory",
    "Cannot allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class OutOfMemoryError(RuntimeError):
    """A training or a reading needed more memory than there was."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


@contextmanager
def memory_watched(images: int, computes: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Raise OutOfMemoryError if memory runs out inside, where so many images are held at once.

    ``computes`` says whether the network runs by now. What the CPU's memory has no room for before
    that is the whole set of images, at which smaller batches mend nothing.
    """
    try:
        yield
    except Exception as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not is_out_of_memory(error) or not (on_gpu or computes()):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise OutOfMemoryError(f"out of memory with {images} images at once ({first})") from error

"""Training that ran out of memory: a kind of failure that smaller micro-batches may mend."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from hybrid_swin.errors.plain_text import described, message_of
from hybrid_swin.training.hardware import free_memory

# Of RuntimeErrors that are not torch.OutOfMemoryError: torch's allocator on a CPU, that on an Apple
# GPU, and CUDA's libraries, which allocate for themselves.
_TEXTS = (
    "can't allocate memory",
    "Cannot allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)

_SIZE = r"(\d+(?:\.\d+)? ?[kKMGTP]?i?B|\d+ bytes)"
_REQUEST = re.compile(rf"(?:[Tt]ried|[Uu]nable) to allocate {_SIZE}")  # torch, NumPy
# Of CUDA, and of Apple's GPUs.
_FREE = re.compile(rf"total capacity of {_SIZE} of which {_SIZE} is free")
_ALLOWED = re.compile(rf"MPS allocated: {_SIZE}, other allocations: {_SIZE}, max allowed: {_SIZE}")
_OTHERS = re.compile(rf"Process \d+ has {_SIZE} memory in use")
_UNITS = {"B": 1, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class OutOfMemoryError(RuntimeError):
    """A training or a reading needed more memory than there was."""


@dataclass(frozen=True)
class Batching:
    """How many images a network takes at once: those of a batch, in so many parts.

    Args:
        batch: images.
        devices: that share the batch.
        micro_batches: parts of a device's share that it takes one after another.
    """

    batch: int
    devices: int = 1
    micro_batches: int = 1

    @property
    def images(self) -> int:
        """At once, on each device, at most."""
        return -(-self.batch // (self.devices * self.micro_batches))

    def __str__(self) -> str:
        """As in "128 images at once (a batch of 256 over 2 devices)"."""
        over = f" over {self.devices} devices" if self.devices > 1 else ""
        parts = f" in {self.micro_batches} micro-batches" if self.micro_batches > 1 else ""
        whole = f" (a batch of {self.batch}{over}{parts})" if over or parts else ""
        return f"{self.images} image{'s' if self.images != 1 else ''} at once{whole}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in message_of(error) for text in _TEXTS)


@contextmanager
def memory_watched(
    batching: Batching, computes: Callable[[], bool] = lambda: True
) -> Iterator[None]:
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
        raise OutOfMemoryError(f"out of memory with {batching}: {shortage(error)}") from error


def shortage(error: BaseException) -> str:
    """What was asked for and what was free, in words, of an error that says so."""
    message = message_of(error)
    match = _REQUEST.search(message)
    if match is None:
        return (described(error).splitlines() or [""])[0][:160]
    request = match[1]
    if on_gpu := _FREE.search(message):
        total, free = on_gpu.groups()
        text = f"it asked for {request} more, and {free} of the GPU's {total} were free"
        others = _OTHERS.findall(message)
        return text + (f"; other programs hold {' + '.join(others)}" if others else "")
    if on_apple := _ALLOWED.search(message):
        own, other, most = on_apple.groups()
        return f"it asked for {request} more, and held {own} + {other} of the {most} allowed"
    if isinstance(error, torch.OutOfMemoryError):
        return f"it asked for {request} more of the GPU's memory"
    size, free_now = _bytes_of(request), free_memory()
    request = request if size is None or not request.endswith("bytes") else _sized(size)
    if free_now is None:
        return f"it asked for {request} more"
    text = f"it asked for {request} more, and this machine has {_sized(free_now)} free"
    held_back = size is not None and size < free_now
    return text + ("; a limit on this process (ulimit -v) holds it back" if held_back else "")


def _bytes_of(text: str) -> float | None:
    number, _, unit = text.partition(" ")
    return float(number) * _UNITS[unit] if unit in _UNITS else None


def _sized(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"

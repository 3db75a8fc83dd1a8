"""What this machine has for workers: processors, free memory and GPUs."""

import os
from contextlib import suppress
from pathlib import Path

_MEMORY_NEED = 2 * 1024**3  # bytes that one CPU worker may want
MIG = "MIG-"  # how the names of parts of a GPU begin
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def cpu_workers(threads: int, devices: int = 1) -> int:
    """CPU workers for which this process has cores, quota and free memory; at least one.

    Each worker takes ``devices`` processes of ``threads`` threads.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    most = min(cores, _allocated(), _quota())
    limits = [most / threads, _free_memory() / _MEMORY_NEED]
    return max(1, int(min(limits) / devices))


def visible_gpus(accelerator: str) -> list[str]:
    """The GPUs that this process may use, by the names that its workers must be given.

    Where CUDA_VISIBLE_DEVICES is set (a scheduler's, a user's), GPU 0 is the first one named there.
    Empty for an accelerator that is not CUDA. Of parts of a GPU (MIG) CUDA shows one to a process,
    and each worker can have another.
    """
    import torch

    from hybrid_swin.training.hardware import resolve_accelerator

    if resolve_accelerator(accelerator) != "cuda":
        return []
    count = torch.cuda.device_count()
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    named = [name.strip() for name in given.split(",") if name.strip()]
    if named and all(name.startswith(MIG) for name in named):
        return named
    return (named or [str(index) for index in range(count)])[:count]


def _allocated() -> float:
    """CPUs that Slurm grants on this node, which not every cluster enforces; infinite elsewhere."""
    with suppress(ValueError):
        return int(os.environ.get("SLURM_CPUS_ON_NODE", "")) or float("inf")
    return float("inf")


def _quota() -> float:
    """CPUs that the control group (of a container) grants; infinite without a limit."""
    with suppress(OSError, ValueError):
        quota, period = _CONTROL_GROUP.joinpath("cpu.max").read_text().split()
        return int(quota) / int(period)
    return float("inf")


def _free_memory() -> float:
    """Bytes of free memory, within the control group; infinite if unknown."""
    known = [float("inf")]
    with suppress(OSError, ValueError, IndexError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        known.append(float(available.split()[1]) * 1024)
    with suppress(OSError, ValueError):
        known.append(float(_CONTROL_GROUP.joinpath("memory.max").read_text()))  # or "max"
    return min(known)

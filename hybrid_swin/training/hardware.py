"""What a training runs on: accelerator, precision, the device's name, peak memory."""

import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from hybrid_swin.errors import InputError, did_you_mean, quote
from hybrid_swin.spec.recipe import Precision

# Below so many MACs an image, autocast's casts are taken to cost more than bf16 products save on a
# CPU. An estimate: a network of 25M MACs is 2.5-3 times faster in bf16, one of 4M spends most of
# its time outside of products.
MIN_MACS_FOR_BF16_ON_CPU = 10_000_000
_BF16_FROM_CAPABILITY = (8, 0)  # Ampere: the first with bf16 tensor cores

_ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


def resolve_accelerator(accelerator: str) -> str:
    """``cpu``, ``cuda`` or ``mps`` for what was asked.

    Raises InputError for an unknown name, or a device that this machine does not have.
    """
    if accelerator not in _ACCELERATORS:
        raise InputError(
            f"accelerator must be one of {', '.join(_ACCELERATORS)}; got {accelerator!r}"
            + did_you_mean(accelerator, _ACCELERATORS)
        )
    if accelerator != "cpu":
        devices = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        for name, is_here in devices.items():
            if is_here and accelerator in (name, "auto", "gpu"):
                return name
    if accelerator not in ("auto", "cpu"):
        why = "" if accelerator == "mps" else _why_no_gpu()
        raise InputError(
            f"accelerator {accelerator!r} is not on this machine{why}; choose auto or cpu"
        )
    return "cpu"


def _why_no_gpu() -> str:
    """What hides a GPU that may be there; '' if unknown."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f": this torch ({torch.__version__}) is built without CUDA"
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if given is None else f": CUDA_VISIBLE_DEVICES={quote(given)} shows none"


@dataclass(frozen=True)
class Hardware:
    """What a machine's precision depends on.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        fast_bf16: whether it multiplies bf16 faster than float32.
    """

    device: str
    fast_bf16: bool

    def precision(self, macs: int | None) -> str:
        """What ``auto`` stands for; ``macs`` are those of one image, unknown counts as not tiny."""
        is_tiny = self.device == "cpu" and macs is not None and macs < MIN_MACS_FOR_BF16_ON_CPU
        return "bf16-mixed" if self.fast_bf16 and not is_tiny else "32-true"

    def lacks(self, precision: str) -> str:
        """Why a precision cannot be had here; empty if it can. A CPU takes bf16, if slowly."""
        if precision == "16-mixed" and self.device == "cpu":
            return "precision '16-mixed' needs a GPU; on a CPU choose bf16-mixed, 32-true or auto"
        if precision == "bf16-mixed" and self.device == "cuda" and not self.fast_bf16:
            return (
                "precision 'bf16-mixed' needs a GPU of compute capability 8.0 or later; for others "
                "give 16-mixed or 32-true"
            )
        return ""


def hardware_of(accelerator: str) -> Hardware:
    """That of this machine. Raises InputError as `resolve_accelerator`."""
    device = resolve_accelerator(accelerator)
    if device == "cuda":
        fast = torch.cuda.get_device_capability() >= _BF16_FROM_CAPABILITY
    else:
        fast = device == "cpu" and _cpu_multiplies_bf16()
    return Hardware(device, fast)


def resolve_precision(
    precision: Precision | str, accelerator: str = "auto", macs: int | None = None
) -> str:
    """Lightning's name of the precision to train in.

    ``auto`` is bf16-mixed where the hardware multiplies it faster than float32: CUDA from compute
    capability 8.0, and a CPU with AVX512-BF16 or AMX where the network is not tiny; else 32-true.

    ``macs`` are those of one image; unknown counts as not tiny. Raises InputError for 16-mixed
    without a GPU.
    """
    hardware = hardware_of(accelerator)
    if precision == "auto":
        return hardware.precision(macs)
    if precision == "16-mixed" and (why := hardware.lacks(precision)):
        raise InputError(why)
    return precision


def device_name(accelerator: str, count: int = 1) -> str:
    """What a result names as its device: the GPU, or the CPU and how many threads were used.

    ``count`` devices of a training are named as "2 x NVIDIA H200".
    """
    if count > 1:
        return f"{count} x {device_name(accelerator)}"
    if accelerator == "cuda":
        return str(torch.cuda.get_device_name())
    if accelerator == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"{_cpu_name()}, {threads} thread{'s' if threads > 1 else ''}"


class PeakMemory:
    """Most memory in use since it was made: on the GPU by tensors, else by this process, in MB.

    A process's peak is that of its whole life where the system cannot reset it (outside Linux).
    """

    def __init__(self, accelerator: str) -> None:
        self._cuda = accelerator == "cuda"
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            return
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM; see proc(5)

    def read(self) -> float:
        """Megabytes (10^6 bytes)."""
        if self._cuda:
            return torch.cuda.max_memory_allocated() / 1e6
        peak = resident_memory("VmHWM")
        return _lifetime_peak() if peak is None else peak


def resident_memory(kind: Literal["VmHWM", "VmRSS"]) -> float | None:
    """Megabytes of this process at its peak or now; None if the system does not say."""
    value = _line_of("/proc/self/status", kind)
    return int(value.split()[0]) * 1024 / 1e6 if value else None


def free_memory() -> float | None:
    """Bytes of this machine's memory that programs can still have; None if it does not say."""
    value = _line_of("/proc/meminfo", "MemAvailable")
    return int(value.split()[0]) * 1024.0 if value else None


def _line_of(file: str, name: str) -> str:
    """What a line of a system file says after its name and colon; '' where there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, "")


def _lifetime_peak() -> float:
    try:
        import resource  # not on Windows
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _cpu_multiplies_bf16() -> bool:
    """Torch's probes are private; a torch without them counts as a CPU without."""
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        with suppress(AttributeError, RuntimeError):
            if getattr(torch.cpu, probe)():
                return True
    return False


def _cpu_name() -> str:
    known = _line_of("/proc/cpuinfo", "model name")
    return known or platform.processor() or platform.machine()

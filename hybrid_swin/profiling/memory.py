"""The most memory that a step needs beyond the network itself, measured in a fresh process.

A process's allocator keeps what was freed, so each figure has a process of its own:
``python -m hybrid_swin.profiling.memory`` reads a job as JSON and answers with JSON.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import described, message_of
from hybrid_swin.profiling.timing import Setup, Work, make_step
from hybrid_swin.spec import registry
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.processes import python_command, python_environment
from hybrid_swin.training.hardware import PeakMemory, resident_memory

# Run first, so that what libraries load and keep at their first use is not counted.
_SMALL = Variant((32, 32), stages=(Stage(16, 2, 2, ("w_msa+mdta", "conv+sw_msa")),))
# glibc hands what is larger straight back to the system when it is freed, so that the figure is
# what is in use and repeats within 1%; left to itself it varies by half.
_RETURN_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def peak_memory(
    variant: Variant, work: Work, setup: Setup, plugins: Iterable[str | Path] = ()
) -> float:
    """Megabytes (10^6 bytes) at the peak of a step, above those in use once the network is built.

    For a forward pass those are activations; in training also gradients and AdamW's two moments. On
    the GPU what tensors take, on the CPU the process's resident memory. Raises InputError if there
    is not the memory for it, or the network cannot do it.
    """
    job = {
        "variant": variant.to_dict(),
        "work": work,
        "setup": asdict(setup),
        "plugins": [str(Path(plugin).expanduser().resolve()) for plugin in plugins],
    }
    threads = str(setup.threads)
    environment = python_environment(
        OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, **_RETURN_AT_ONCE
    )
    done = subprocess.run(
        python_command(__name__),
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode < 0:
        raise _refusal(variant, work, setup, "runs out of memory")
    if done.returncode:
        raise RuntimeError(f"{__name__} failed:\n{done.stderr}")
    answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    if "error" in answer:
        raise _refusal(variant, work, setup, answer["error"])
    return float(answer["megabytes"])


def _refusal(variant: Variant, work: Work, setup: Setup, error: str) -> InputError:
    return InputError(
        f"{work} of {variant.name!r} with a batch of {setup.batch} {error}; choose another batch "
        "or other images"
    )


def _measure(job: Mapping[str, Any]) -> float:
    """What the fresh process does."""
    for plugin in job["plugins"]:
        registry.add_plugin(plugin)
    setup, work = Setup(**job["setup"]), job["work"]
    with setup.threaded():
        _run(make_step(_SMALL, work, setup))
        step = make_step(Variant.from_dict(job["variant"]), work, setup)
        gc.collect()
        before = _in_use(setup)
        peak = PeakMemory(setup.device)
        _run(step)
        setup.synchronize()
        return max(peak.read() - before, 0.0)


def _run(step: Any) -> None:
    for _ in range(2):  # the optimizer's moments exist from the second step on
        step()


def _in_use(setup: Setup) -> float:
    """Megabytes now."""
    if setup.device == "cuda":
        return torch.cuda.memory_allocated() / 1e6
    now = resident_memory("VmRSS")
    return PeakMemory(setup.device).read() if now is None else now  # at least the most so far


def main() -> None:
    """Answer one job."""
    try:
        answer: dict[str, Any] = {"megabytes": _measure(json.load(sys.stdin))}
    except (torch.OutOfMemoryError, MemoryError):
        answer = {"error": "does not fit in memory"}
    except Exception as error:  # what a user's own part raises is for the user to see
        no_memory = "can't allocate memory" in message_of(error)  # torch's allocator on the CPU
        message = f"fails ({described(error)})"
        answer = {"error": "does not fit in memory" if no_memory else message}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

"""How long one network takes for a batch of images, measured by the worker that trained it."""

from typing import Any

import torch
from torch import nn

from hybrid_swin.profiling.timing import Setup, forward_step, interleaved, median_interval
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.hardware import device_name, resolve_accelerator

ROUNDS = 15


def measure_latency(
    network: nn.Module, variant: Variant, accelerator: str
) -> dict[str, Any] | None:
    """Milliseconds of a forward pass on one batch: median, and a 95% interval of it.

    Measured as ``hybrid_swin.profiling.timing`` measures everything, with the threads of this
    process, but alone: beside whatever else the machine is doing. Two of these figures do not show
    a difference; only networks measured in turn do. None if the device has too little memory for
    it: a trained network must not be lost over a timing.
    """
    kind = resolve_accelerator(accelerator)
    setup = Setup("cuda" if kind == "gpu" else kind, torch.get_num_threads())
    network = network.to(setup.device).eval()
    try:
        step = forward_step(network, variant, setup)
        [seconds] = interleaved([step], setup.synchronize, ROUNDS)
    except torch.OutOfMemoryError:
        return None
    low, middle, high = median_interval(seconds)
    return {
        "median_ms": middle * 1e3,
        "low_ms": low * 1e3,
        "high_ms": high * 1e3,
        "rounds": ROUNDS,
        "batch": setup.batch,
        "threads": setup.threads,
        "device": device_name(kind),
        "beside_other_work": True,  # other workers may train on the same machine
    }

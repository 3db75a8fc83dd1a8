"""How long one network takes for a batch of images, measured."""

from typing import Any

import torch
from torch import nn
from torch.utils.benchmark import Timer

from hybrid_swin.hardware import device_name, resolve_accelerator
from hybrid_swin.variant import Variant

BATCH = 64
_MIN_SECONDS = 0.2


def measure_latency(
    network: nn.Module, variant: Variant, accelerator: str
) -> dict[str, Any] | None:
    """Milliseconds of a forward pass on one batch: median and interquartile range.

    Measured in float32 and with the threads of this process, beside whatever else the machine is
    doing; for a figure to rely on, measure variants interleaved on an idle machine. None where the
    device has not the memory for it: what was trained shall not be lost over it.
    """
    kind = resolve_accelerator(accelerator)
    device = torch.device("cuda" if kind in ("gpu", "cuda") else kind)
    images = torch.zeros(BATCH, variant.in_channels, *variant.image_size, device=device)
    network = network.to(device).eval()
    with torch.inference_mode():
        try:
            network(images)
        except torch.OutOfMemoryError:
            return None
        timer = Timer(
            "network(images)",
            globals={"network": network, "images": images},
            num_threads=torch.get_num_threads(),
        )
        measured = timer.blocked_autorange(min_run_time=_MIN_SECONDS)
    return {
        "median_ms": measured.median * 1e3,
        "iqr_ms": measured.iqr * 1e3,
        "batch": BATCH,
        "threads": torch.get_num_threads(),
        "device": device_name(kind),
    }

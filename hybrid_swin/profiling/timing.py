"""How long networks take, measured side by side in interleaved rounds."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.hardware import device_name, resolve_accelerator

Work = Literal["forward", "training"]
Step = Callable[[], object]

_THREADS, _BATCH = Range(1, 1024), Range(1, 2**16)
_LATENCY_ROUNDS = 15
_LEAST_SECONDS = 0.02  # of one sample: shorter steps are repeated within it


@dataclass(frozen=True)
class Setup:
    """What is measured with. Always float32, as plain PyTorch computes it.

    Raises InputError for a device that is not here, or numbers below 1.
    """

    device: str = "auto"  # ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``
    threads: int = 1  # CPU threads
    batch: int = 8  # images per step

    def __post_init__(self) -> None:
        check_ranges({"threads": (self.threads, _THREADS), "batch": (self.batch, _BATCH)})
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        object.__setattr__(self, "device", resolve_accelerator(device))

    @property
    def label(self) -> str:
        """Device, threads, batch and precision in words."""
        with self.threaded():
            return f"{device_name(self.device)}, batch {self.batch}, float32"

    @contextmanager
    def threaded(self) -> Iterator[None]:
        """With this many threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def synchronize(self) -> None:
        """Wait for the device: what a clock would not see."""
        if self.device == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a step, and how they compare with the first of those beside it.

    ``ratio`` is the median over rounds of this one's time over the first one's in the same round,
    so that what slows a whole round down drops out.
    """

    median_ms: float
    iqr_ms: float
    ratio: float
    ratio_iqr: float
    rounds: int


def make_step(variant: Variant, work: Work, setup: Setup) -> Step:
    """A forward pass without gradients, or a training step: forward, backward and AdamW."""
    model = HybridSwin(variant).to(setup.device).train(work == "training")
    if work == "forward":
        return forward_step(model, variant, setup)
    images = _images(variant, setup)
    optimizer = torch.optim.AdamW(model.parameters())
    labels = torch.randint(max(variant.num_classes, 1), (setup.batch,), device=setup.device)

    def train() -> None:
        optimizer.zero_grad()
        _loss(model, images, labels).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        optimizer.step()

    return train


def forward_step(model: nn.Module, variant: Variant, setup: Setup) -> Step:
    """A forward pass of a network that is on its device, in the mode that it is in."""
    images = _images(variant, setup)

    def forward() -> None:
        with torch.inference_mode():
            model(images)

    return forward


def _images(variant: Variant, setup: Setup) -> Tensor:
    shape = (setup.batch, variant.in_channels, *variant.image_size)
    return torch.randn(shape, device=setup.device)


def _loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy; the mean square of the features where there are no classes."""
    out: Tensor = model(images)
    return F.cross_entropy(out, labels) if model.num_classes else out.square().mean()


def compare_times(
    variants: Sequence[Variant],
    work: Work,
    setup: Setup,
    rounds: int = 10,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Timing]:
    """Time variants in turn, round after round, in this process; a first, untimed round warms up.

    The first variant is what the others are compared with; ``progress`` is told of rounds done.
    Raises InputError if the GPU has not the memory for it.
    """
    try:
        with setup.threaded():
            steps = [make_step(variant, work, setup) for variant in variants]
            samples = interleaved(steps, setup.synchronize, rounds, progress)
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{work} of {len(variants)} variants with a batch of {setup.batch} does not fit in "
            "memory; choose a smaller batch, or fewer variants at once"
        ) from error
    return [_timing(own, samples[0]) for own in samples]


def interleaved(
    steps: Sequence[Step],
    synchronize: Callable[[], None],
    rounds: int,
    progress: Callable[[int], None] = lambda _: None,
) -> list[list[float]]:
    """Seconds of each step in each round, A/B/A/B: drift of the machine meets all alike."""
    repeats = []
    for step in steps:
        _seconds(step, 1, synchronize)  # allocates, compiles, chooses kernels
        repeats.append(math.ceil(_LEAST_SECONDS / max(_seconds(step, 1, synchronize), 1e-6)))
    samples: list[list[float]] = [[] for _ in steps]
    for done in range(rounds):
        for step, count, own in zip(steps, repeats, samples, strict=True):
            own.append(_seconds(step, count, synchronize))
        progress(done + 1)
    return samples


def _seconds(step: Step, count: int, synchronize: Callable[[], None]) -> float:
    synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        step()
    synchronize()
    return (time.perf_counter() - begin) / count


def _timing(own: Sequence[float], first: Sequence[float]) -> Timing:
    ratios = [a / b for a, b in zip(own, first, strict=True)]
    return Timing(
        statistics.median(own) * 1e3,
        _iqr(own) * 1e3,
        statistics.median(ratios),
        _iqr(ratios),
        len(own),
    )


def measure_latency(
    network: nn.Module, variant: Variant, accelerator: str
) -> dict[str, Any] | None:
    """Milliseconds of a forward pass on one batch: median, and a 95% interval of it.

    With the threads of this process, alone: beside whatever else the machine is doing. Two of
    these figures do not show a difference; only networks measured in turn do. None if the device
    has too little memory for it: a trained network must not be lost over a timing.
    """
    kind = resolve_accelerator(accelerator)
    setup = Setup("cuda" if kind == "gpu" else kind, torch.get_num_threads())
    network = network.to(setup.device).eval()
    try:
        step = forward_step(network, variant, setup)
        [seconds] = interleaved([step], setup.synchronize, _LATENCY_ROUNDS)
    except torch.OutOfMemoryError:
        return None
    low, middle, high = median_interval(seconds)
    return {
        "median_ms": middle * 1e3,
        "low_ms": low * 1e3,
        "high_ms": high * 1e3,
        "rounds": _LATENCY_ROUNDS,
        "batch": setup.batch,
        "threads": setup.threads,
        "device": device_name(kind),
        "beside_other_work": True,  # other workers may train on the same machine
    }


def median_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Interval of the median, by order statistics, with the median between its ends.

    From the k-th smallest to the k-th largest value of n, with the largest k for which
    ``1 - 2 P(X < k) >= confidence``, X binomial with n and 1/2: whatever the distribution.

    Raises:
        ValueError: too few values for any interval, as fewer than 6 at 95%.

    Source: David and Nagaraja, Order Statistics, 2003, section 7.1.
    """
    ordered, n = sorted(values), len(values)
    k, below = 0, 0.0
    while 2 * (below := below + math.comb(n, k) / 2**n) <= 1 - confidence:
        k += 1
    if k == 0:
        raise ValueError(f"{n} values are too few for an interval of the median at {confidence}")
    return ordered[k - 1], statistics.median(ordered), ordered[n - k]


def _iqr(values: Sequence[float]) -> float:
    """From the first to the third quartile; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low

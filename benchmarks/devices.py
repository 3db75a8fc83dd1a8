"""Seconds per step of one training over one and over two devices, by turns, in one run.

    python benchmarks/devices.py                  two processes of one thread on this CPU (2 min)
    python benchmarks/devices.py --accelerator gpu --devices 4 --batch_size 1024 --images 20000

Both train the same network on the same batches, and end with the same weights but for rounding: the
largest difference of the last epoch's metrics is printed, too. On a CPU each process has one
thread. Beside the time on the clock stands that of the processor, of the process that needs most:
it says what each device has to do, also where other programs run.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.fit import FitResult, fit
from hybrid_swin.training.processes import Processes

VARIANT = Variant.from_dict(
    {
        "image_size": 32,
        "in_channels": 1,
        "num_classes": 2,
        "patch_size": 2,
        "window_size": 4,
        "stages": [
            {"width": 48, "depth": 2, "num_heads": 3, "blocks": ["w_msa", "sw_msa"]},
            {"width": 96, "depth": 2, "num_heads": 6, "blocks": ["w_msa+mdta", "sw_msa"]},
        ],
    }
)


class _Clock(L.Callback):
    """Seconds per step of each epoch after the first: on the clock, and of this processor."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []
        self._begin = 0.0, 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begin = time.perf_counter(), time.process_time()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *rest: Any
    ) -> None:
        if trainer.is_last_batch and trainer.current_epoch:
            now, count = (time.perf_counter(), time.process_time()), trainer.num_training_batches
            wall, cpu = ((n - b) / count for n, b in zip(now, self._begin, strict=True))
            self.steps.append((wall, cpu))


def main() -> None:
    """Print both, and how they compare."""
    options = _options()
    if options.port:
        processes = Processes.join(options.rank, options.devices, options.port)
        for turn in range(options.turns):
            _train(options, f"several-{turn}", processes)
        return
    with tempfile.TemporaryDirectory() as folder:
        options.folder = folder
        several, port = Processes.lead(options.devices)
        own = ["--port", str(port), "--folder", folder]
        others = [
            subprocess.Popen([sys.executable, __file__, *sys.argv[1:], *own, "--rank", str(rank)])
            for rank in range(1, options.devices)
        ]
        try:
            for turn in range(options.turns):
                one = _train(options, f"one-{turn}", None)
                two = _train(options, f"several-{turn}", several)
            for other in others:
                other.wait(60)
        finally:
            for other in others:
                other.kill()
                other.wait()
        times = {
            count: [_slowest(Path(folder) / f"{name}-{turn}") for turn in range(options.turns)]
            for count, name in ((1, "one"), (options.devices, "several"))
        }
    for count, both in times.items():
        wall, cpu = (1000 * statistics.median(kind) for kind in zip(*both, strict=True))
        print(f"{count} device(s)  {wall:8.1f} ms per step, {cpu:8.1f} ms of a processor")
    for index, what in enumerate(("on the clock", "by the processor")):
        ratios = [
            one[index] / two[index]
            for one, two in zip(times[1], times[options.devices], strict=True)
        ]
        low, high = min(ratios), max(ratios)
        print(
            f"{options.devices} devices are {statistics.median(ratios):.2f} times as fast as one "
            f"{what} ({low:.2f} to {high:.2f} over {options.turns} turns)"
        )
    largest = max(abs(one.metrics[name] - two.metrics[name]) for name in one.metrics)
    print(f"on {two.device}; the last epoch's metrics differ by at most {largest:.1e}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4, help="the first is not counted")
    parser.add_argument("--images", type=int, default=512, help="of an epoch")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _slowest(folder: Path) -> tuple[float, ...]:
    """Seconds per step of a training: of the process that needs most, median over epochs."""
    of_each = [json.loads(file.read_text()) for file in folder.glob("rank-*.json")]
    medians = [[statistics.median(kind) for kind in zip(*steps, strict=True)] for steps in of_each]
    return tuple(max(kind) for kind in zip(*medians, strict=True))


def _train(options: argparse.Namespace, name: str, processes: Processes | None) -> FitResult:
    torch.set_num_threads(1)
    recipe = Recipe(
        epochs=options.epochs,
        batch_size=options.batch_size,
        drop_path=0.1,
        shift=2,
        precision="32-true",
    )
    images = {"grid": 16, "cell": 2, "train": options.images, "validation": 200, "test": 2}
    data = DataSettings(source="context_xor", options=images)
    folder, clock = Path(options.folder) / name, _Clock()
    result = fit(
        VARIANT,
        recipe,
        make_datamodule(data, VARIANT, recipe.batch_size, 0),
        seed=0,
        folder=folder,
        accelerator=options.accelerator,
        checkpoint_every_seconds=1e9,
        processes=processes,
        callbacks=[clock],
    )
    (folder / f"rank-{options.rank}.json").write_text(json.dumps(clock.steps))
    return result


if __name__ == "__main__":
    main()

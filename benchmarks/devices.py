"""Seconds per step of one training over one and over two devices, by turns, in one run.

    python benchmarks/devices.py                  two processes of one thread on this CPU
    python benchmarks/devices.py --accelerator gpu --devices 4 --batch_size 1024 --images 20000

Both train the same network on the same batches, and end with the same weights but for rounding: the
largest difference of the last epoch's metrics is printed, too. On a CPU each process has one
thread.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.fit import FitResult, fit
from hybrid_swin.training.processes import Processes

VARIANT = Variant.from_dict(
    {
        "image_size": 32,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 4,
        "stages": [
            {"width": 48, "depth": 2, "num_heads": 3, "blocks": ["w_msa", "sw_msa"]},
            {"width": 96, "depth": 2, "num_heads": 6, "blocks": ["w_msa+mdta", "sw_msa"]},
        ],
    }
)


class _Noise(LightningDataModule):
    """Random images, some of whose pixels tell the class."""

    def __init__(self, count: int, batch_size: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        labels = torch.randint(10, (count,), generator=draw)
        images = torch.randn(count, 1, 32, 32, generator=draw)
        images[torch.arange(count), 0, 3 * labels, 3 * labels] += 5
        self._data, self._batch_size = TensorDataset(images, labels), batch_size

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._data, self._batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._data, self._batch_size)


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
        steps: dict[int, list[float]] = {1: [], options.devices: []}
        try:
            for turn in range(options.turns):
                one = _train(options, f"one-{turn}", None)
                two = _train(options, f"several-{turn}", several)
                for count, result in ((1, one), (options.devices, two)):
                    steps[count].append(result.seconds["fit"] / _num_steps(options))
        finally:
            for other in others:
                other.terminate()
                other.wait()
    largest = max(abs(one.metrics[name] - two.metrics[name]) for name in one.metrics)
    for count, seconds in steps.items():
        middle = statistics.median(seconds)
        print(f"{count} device(s)  {1000 * middle:8.1f} ms per step")
    ratio = statistics.median(steps[1]) / statistics.median(steps[options.devices])
    print(f"{options.devices} devices are {ratio:.2f} times as fast as one")
    print(f"on {two.device}; the last epoch's metrics differ by at most {largest:.1e}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=512, help="of an epoch")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _num_steps(options: argparse.Namespace) -> int:
    return int(options.epochs * -(-options.images // options.batch_size))


def _train(options: argparse.Namespace, name: str, processes: Processes | None) -> FitResult:
    torch.set_num_threads(1)
    recipe = Recipe(
        epochs=options.epochs,
        batch_size=options.batch_size,
        drop_path=0.1,
        shift=2,
        precision="32-true",
    )
    return fit(
        VARIANT,
        recipe,
        _Noise(options.images, recipe.batch_size),
        seed=0,
        folder=Path(options.folder) / name,
        accelerator=options.accelerator,
        checkpoint_every_seconds=1e9,
        processes=processes,
    )


if __name__ == "__main__":
    main()

"""How fast images come: ours beside a plain torch DataLoader and timm's loader, on one core.

Command::

    python -m benchmarks.loading              # needs timm: see benchmarks/timm_calls.py
    python -m benchmarks.loading --images 3000 --without-timm

Makes a folder of JPEG files (10 classes, about 300 x 260 pixels) and reads it at 64 x 64 pixels,
RGB, resized by covering and cutting the middle, normalised, in batches of 128. All readers take
turns in one process on one core, without workers; a figure is images per second of the process's
own CPU time, the median over rounds with the lowest and the highest. Ours is measured twice: the
first reading, which decodes all files into a cache, finds copies and makes hashes, and an epoch
after it. What others decode in each epoch we decode once.

Then the time that batches take is set against the training step of the first network of
configs/search/images.yaml, forward and backward.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hybrid_swin.data.batches import EpochBatches, SplitImages, make_loader
from hybrid_swin.data.loading import LoadedData, _load, _load_images, load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

CLASSES, SIDE, BATCH = 10, 64, 128
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Reader = Callable[[], Iterator[Tensor]]


def write_images(folder: Path, count: int) -> None:
    """JPEG files with smooth structure and noise, so that they are as large as photographs."""
    rng = np.random.default_rng(0)
    for index in range(count):
        place = folder / f"class{index % CLASSES}"
        place.mkdir(exist_ok=True)
        size = (260 + index % 60, 300 + index % 40)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(place / f"{index:05}.jpg", quality=90)


class PlainFolder(Dataset[tuple[Tensor, int]]):
    """What users write: open, resize, normalise, one image at a time."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*/*.jpg"))
        self._mean, self._std = (torch.tensor(value).view(3, 1, 1) for value in (MEAN, STD))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self._files[index]) as opened:
            image = ImageOps.fit(opened.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC)
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)
        return (x - self._mean) / self._std, index % CLASSES


def plain_reader(folder: Path) -> Reader:
    """A torch DataLoader over files."""
    loader: DataLoader[Any] = DataLoader(PlainFolder(folder), BATCH, shuffle=True)
    return lambda: (images for images, _ in loader)


def timm_reader(folder: Path) -> Reader:
    """The loader that timm's script makes for validation: resize and centre crop."""
    from benchmarks.timm_calls import import_timm

    timm = import_timm()
    create_dataset, create_loader = timm.data.create_dataset, timm.data.create_loader
    loader = create_loader(
        create_dataset("", root=str(folder)),
        input_size=(3, SIDE, SIDE),
        batch_size=BATCH,
        is_training=False,
        use_prefetcher=False,
        interpolation="bicubic",
        crop_pct=1.0,
        num_workers=0,
        device=torch.device("cpu"),
    )
    return lambda: (images for images, _ in loader)


def our_images(folder: Path, cache: Path) -> LoadedData:
    """Our images: decoded into the cache, split and measured."""
    settings = DataSettings("folder", {"path": str(folder)})
    return load_data(settings, (SIDE, SIDE), 3, cache)


def our_reader(data: LoadedData) -> Reader:
    """Train batches, in an order of their own."""
    index = data.splits.train
    batches = EpochBatches(len(index), BATCH, 0)
    loader = make_loader(SplitImages(data.normalised, data.images.labels, index), batches, 0)
    return lambda: (images for images, _ in loader)


def network() -> HybridSwin:
    """The first network of configs/search/images.yaml."""
    words = ("w_msa", "sw_msa")
    stages = (Stage(48, 2, 3, words), Stage(96, 4, 6, words))
    sizes: dict[str, Any] = {"image_size": SIDE, "in_channels": 3, "num_classes": CLASSES}
    variant = Variant(patch_size=4, window_size=4, mlp_ratio=2.0, stages=stages, **sizes)
    return HybridSwin(variant)


def rate(read: Reader) -> float:
    """Images per second of CPU time."""
    begin, count = time.process_time(), 0
    for images in read():
        count += len(images)
    return count / (time.process_time() - begin)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rates, and what a step waits for its batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-timm", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        write_images(folder, options.images)
        readers = {"torch DataLoader": plain_reader(folder)}
        if not options.without_timm:
            readers["timm's loader"] = timm_reader(folder)
        rates: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for name, read in readers.items():
                rates.setdefault(name, []).append(rate(read))
            _load.cache_clear()
            _load_images.cache_clear()
            begin = time.process_time()
            data = our_images(folder, Path(place) / f"cache{number}")
            seconds = time.process_time() - begin
            rates.setdefault("ours, first reading", []).append(options.images / seconds)
            ours = our_reader(data)
            rates.setdefault("ours, an epoch", []).append(rate(ours))
        batch = next(ours())
    print("| reader | images per second and core: median (lowest to highest) |")
    print("|---|---|")
    for name, values in rates.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"| {name} | {middle:,.0f} ({low:,.0f} to {high:,.0f}) |")
    step = step_seconds(batch)
    wait = BATCH / statistics.median(rates["ours, an epoch"])
    print(f"\na training step of {BATCH} images takes {step:.3f} s, its batch {wait:.4f} s: ")
    print(f"{wait / (wait + step):.2%} of the time is spent on data")


def step_seconds(images: Tensor) -> float:
    """CPU time of forward and backward, the median of several."""
    model, times = network().train(), []
    for _ in range(7):
        begin = time.process_time()
        model(images).square().mean().backward()
        times.append(time.process_time() - begin)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()

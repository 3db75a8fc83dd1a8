"""What timm's augmentations draw, as numbers that ours are tested against.

Commands::

    python benchmarks/augmentations_timm.py     # about a minute

Needs timm, which needs torchvision, which this project does without: make an environment for it.
Writes ``tests/golden/timm_augmentations.json``: quantiles of what is drawn, how often each
operation happens, and mixed targets. ``tests/hybrid_swin/training/test_timm_augmentations.py``
draws as often with ours and says how far apart the two may be.
"""

import itertools
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from timm.data import auto_augment, mixup
from timm.data.distributed_sampler import RepeatAugSampler
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomResizedCropAndInterpolation
from torchvision.transforms import ColorJitter

OUT = Path(__file__).parents[1] / "tests" / "golden" / "timm_augmentations.json"
DRAWS = 20_000
SIZE = 48, 64  # height and width
LEVELS = 0.05, 0.25, 0.5, 0.75, 0.95
_JITTERED = "brightness", "contrast", "saturation", "hue"
_SCALE, _RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def main() -> None:
    """Draw, and write down what came."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    found = {
        "about": {"timm": timm.__version__, "torchvision": torchvision.__version__},
        "draws": DRAWS,
        "size": SIZE,
        "levels": LEVELS,
        "random_resized_crop": crops(SIZE),
        "random_resized_crop_of_a_strip": crops((8, 64)),
        "random_erasing": erased(1),
        "random_erasing_of_three": erased(3),
        "rand_augment": operations("rand-m9-mstd0.5-inc1"),
        "rand_augment_not_increasing": operations("rand-m6-n1-p0.8-mstd1"),
        "color_jitter": jittered(),
        "mixing": mixing(),
        "targets": targets(),
        "repeats": repeats(),
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"-> {OUT}")


def quantiles(values: list[float]) -> list[float]:
    """At ``LEVELS``."""
    return [round(float(q), 6) for q in np.quantile(values, LEVELS, method="inverted_cdf")]


def summarised(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """Quantiles by name."""
    return {name: quantiles([row[name] for row in rows]) for name in rows[0]}


def crops(size: tuple[int, int]) -> dict[str, Any]:
    """Boxes of random resized crops."""
    height, width = size
    image, rows = Image.new("L", (width, height)), []
    for _ in range(DRAWS):
        top, left, h, w = RandomResizedCropAndInterpolation.get_params(image, _SCALE, _RATIO)
        rows.append({"area": h * w, "ratio": w / h, "top": top, "left": left, "height": h})
    return {"size": size, "quantiles": summarised(rows)}


def erased(count: int) -> dict[str, Any]:
    """What random erasing leaves of ones."""
    erase = RandomErasing(
        0.25, 0.02, 0.33, mode="const", min_count=count, max_count=count, device="cpu"
    )
    areas, tops, heights = [], [], []
    for _ in range(DRAWS):
        gone = erase(torch.ones(1, *SIZE))[0] == 0
        if gone.any():
            rows = gone.any(1).nonzero()[:, 0]
            areas.append(float(gone.sum()))
            tops.append(float(rows[0]))
            heights.append(float(rows[-1] - rows[0] + 1))
    drawn = {"area": quantiles(areas), "top": quantiles(tops), "height": quantiles(heights)}
    return {"count": count, "happens": len(areas) / DRAWS, "quantiles": drawn}


def operations(config: str) -> dict[str, Any]:
    """How often each operation of RandAugment happens, and with which argument."""
    transform = auto_augment.rand_augment_transform(config, {"img_mean": (128, 128, 128)})
    counts: dict[str, int] = defaultdict(int)
    arguments: dict[str, list[float]] = defaultdict(list)
    for op in transform.ops:

        def record(image: Any, *args: float, name: str = op.name, **_: Any) -> Any:
            counts[name] += 1
            arguments[name] += [float(a) for a in args]
            return image

        op.aug_fn = record
    image = Image.new("RGB", (4, 4))
    for _ in range(DRAWS):
        transform(image)
    return {
        "config": config,
        "per_image": {name: counts[name] / DRAWS for name in sorted(counts)},
        "quantiles": {
            name: quantiles(arguments[name]) for name in sorted(arguments) if arguments[name]
        },
    }


def jittered() -> dict[str, Any]:
    """Factors of torchvision's ColorJitter, and how often each comes first."""
    jitter = ColorJitter(0.4, 0.3, 1.5, 0.1)
    rows, first = [], [0] * 4
    for _ in range(DRAWS):
        order, *factors = jitter.get_params(
            jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
        )
        first[int(order[0])] += 1
        rows.append(
            dict(zip(("brightness", "contrast", "saturation", "hue"), factors, strict=True))
        )
    return {"first": [count / DRAWS for count in first], "quantiles": summarised(rows)}


def mixing() -> dict[str, Any]:
    """λ of mixup and CutMix, and how often each happens."""
    mix = mixup.Mixup(0.8, 1.0, prob=0.7, switch_prob=0.4, num_classes=3)
    kept: dict[str, list[float]] = {"mixup": [], "cutmix": []}
    for _ in range(DRAWS):
        x = torch.stack([torch.zeros(1, *SIZE), torch.ones(1, *SIZE)])
        share = mix._mix_batch(x)
        if share != 1.0:
            is_cut = set(x.flatten().tolist()) == {0.0, 1.0}
            kept["cutmix" if is_cut else "mixup"].append(float(share))
    return {
        "given": {"mixup": 0.8, "cutmix": 1.0, "probability": 0.7, "switch_probability": 0.4},
        "happens": {name: len(values) / DRAWS for name, values in kept.items()},
        "quantiles": {name: quantiles(values) for name, values in kept.items()},
    }


def targets() -> list[dict[str, Any]]:
    """Soft targets of labels, λ and smoothing."""
    labels = [0, 2, 1, 2, 3]
    return [
        {
            "labels": labels,
            "classes": 4,
            "kept": kept,
            "smoothing": smoothing,
            "targets": mixup.mixup_target(torch.tensor(labels), 4, kept, smoothing).tolist(),
        }
        for kept in (0.3, 1.0)
        for smoothing in (0.0, 0.1)
    ]


def repeats() -> list[dict[str, Any]]:
    """What a repeating sampler of one process gives: images of an epoch, and different ones."""
    found = []
    for images, times in ((512, 3), (256, 1), (1024, 4)):
        sampler = RepeatAugSampler(range(images), 1, 0, num_repeats=times)
        order = [int(index) for index in sampler]
        runs = 1 + sum(a != b for a, b in itertools.pairwise(order))
        found.append(
            {
                "images": images,
                "repeats": times,
                "drawn": len(order),
                "different": len(set(order)),
                "runs": runs,
            }
        )
    return found


if __name__ == "__main__":
    main()

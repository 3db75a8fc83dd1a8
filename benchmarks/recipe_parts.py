"""What each part of a recipe adds to a training step.

Commands::

    python benchmarks/recipe_parts.py             # CPU, one thread: about 15 minutes on 2 cores
    python benchmarks/recipe_parts.py --rounds 3 --batch 32    # a look: about 2 minutes
    python benchmarks/recipe_parts.py --device cuda

The network is the first of ``configs/search/images.yaml``, 64x64 pixels in colour. A step is all
that a training does with a batch: the images' changes, forward, loss, backward, clipping,
optimizer, average of the weights. A plain one has shift, flip and AdamW.

All recipes take turns in one process: a round times a step of each, and ratios to the plain step
are taken within a round. The median over rounds is reported with its 95% bootstrap interval, in the
process's own CPU time (on CUDA in the time of the whole step). Each part is to cost less than 10%
of a step. On a CPU, what is done to the images is also timed by itself, which a loaded machine
disturbs less.

Writes ``benchmarks/results/recipe_parts.json`` and ``.md``.
"""

import argparse
import datetime
import gc
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch  # threads are set before torch is imported
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.hardware import device_name
from hybrid_swin.training.loss import classification_loss
from hybrid_swin.training.optimization import make_optimizer
from hybrid_swin.training.train_images import TrainImages
from search.space.space import Space

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
STUDY = ROOT / "configs" / "search" / "images.yaml"
PLAIN = "plain"
LIMIT = 1.1  # of a plain step
Step = Callable[[], None]


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each recipe")
    parser.add_argument("--batch", type=int, default=128, help="images per step")
    parser.add_argument("--only", nargs="+", help="parts, by name")
    parser.add_argument("--note", default="", help="what else was going on, such as 'idle machine'")
    parser.add_argument("--out", type=Path, help="results, without the ending")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    variant, recipe = network()
    recipes = {n: r for n, r in parts(recipe).items() if n == PLAIN or n in (given.only or {n})}
    on_images: dict[str, list[float]] = {name: [] for name in recipes}
    steps = {n: step_of(variant, own, given, on_images[n]) for n, own in recipes.items()}
    times = take_turns(steps, given.rounds, given.device)
    report = {
        "about": {
            "device": device_name(given.device),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "date": datetime.date.today().isoformat(),
            "batch": given.batch,
            "rounds": given.rounds,
            "note": given.note,
        },
        "seconds": times,
        "on_images": on_images,
        "ratios": {name: ratio(times[name], times[PLAIN]) for name in times if name != PLAIN},
    }
    out = given.out or RESULTS / ("recipe_parts" if given.device == "cpu" else "recipe_parts_cuda")
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    out.with_suffix(".md").write_text(text := table(report))
    print(text)


def network() -> tuple[Variant, Recipe]:
    """The study's first network, and its first recipe with a shift."""
    study = yaml.safe_load(STUDY.read_text())
    space = Space(study["variant"], study["recipe"])
    variant, recipe = space.resolve(space.default())
    return variant, replace(recipe, shift=4)


def parts(plain: Recipe) -> dict[str, Recipe]:
    """Recipes that differ from the plain one by what their name says."""
    augmentations = registry.names("augmentation")
    changes: dict[str, dict[str, Any]] = {
        PLAIN: {},
        **{name: {"augmentations": (name,)} for name in augmentations},
        "color_jitter(hue=0.1)": {"augmentations": ("color_jitter(hue=0.1)",)},
        "mixup": {"mixup": 0.8},
        "cutmix": {"cutmix": 1.0},
        "swin_imagenet's augmentations": {
            "augmentations": ("random_resized_crop", "rand_augment", "random_erasing"),
            "mixup": 0.8,
            "cutmix": 1.0,
        },
        "layer_decay": {"layer_decay": 0.8},
        "ema": {"ema": 0.9999},
        **{name: {"optimizer": name} for name in registry.names("optimizer") if name != "adamw"},
    }
    found = {}
    for name, change in changes.items():
        try:
            found[name] = replace(plain, **change)
        except InputError as error:  # such as a newer torch that it needs
            print(f"left out: {name}: {error}")
    return found


def step_of(
    variant: Variant, recipe: Recipe, given: argparse.Namespace, on_images: list[float]
) -> Step:
    """A training step, done once, so that nothing is left to set up.

    It notes its CPU time ``on_images``, before the network gets them.
    """
    torch.manual_seed(0)
    model = HybridSwin(variant, recipe.drop_path).to(given.device).train()
    cuts = TrainImages(recipe, variant.in_channels)
    cuts.prepare(SimpleNamespace(mean=(0.45,) * 3, std=(0.25,) * 3))
    optimizer = make_optimizer(model, recipe, fused=True)
    loaded = torch.rand(given.batch, variant.in_channels, *variant.image_size)
    images = ((loaded - 0.45) / 0.25).to(given.device)
    labels = torch.arange(given.batch, device=given.device) % variant.num_classes
    trainer, average = SimpleNamespace(global_step=0), average_of(recipe)
    average.on_train_start(trainer, model)

    def step() -> None:
        begin = time.process_time()
        batch = cuts(images, labels)
        on_images.append(time.process_time() - begin)
        with torch.autocast("cuda", torch.bfloat16, enabled=given.device == "cuda"):
            logits = model(batch.images)
        smoothing = recipe.label_smoothing
        loss = classification_loss(
            logits.float(), batch.labels, smoothing, None, batch.opposite, batch.kept
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
        optimizer.step()
        trainer.global_step += 1
        average.on_train_batch_end(trainer, model)

    step()
    on_images.clear()
    return step


def average_of(recipe: Recipe) -> Any:
    """The callback that averages weights, or one that does nothing."""
    if not recipe.ema:
        nothing = lambda *_: None  # noqa: E731
        return SimpleNamespace(on_train_start=nothing, on_train_batch_end=nothing)
    from hybrid_swin.training.averaging import WeightAverage

    return WeightAverage(recipe.ema)


def take_turns(steps: dict[str, Step], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of a step of each, one per round, in an order that changes."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = np.random.default_rng(0)
    gc.collect()
    gc.disable()
    for index in range(rounds):
        for name in order.permutation(list(steps)):
            times[name].append(_seconds(steps[name], device))
        print(f"round {index + 1} of {rounds}", flush=True)
    gc.enable()
    return times


def _seconds(step: Step, device: str) -> float:
    if device == "cpu":
        begin = time.process_time()
        step()
        return time.process_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / 10


def ratio(times: list[float], plain: list[float]) -> dict[str, float]:
    """Median over rounds of the ratio to the plain step, with its 95% bootstrap interval."""
    ratios = np.array(times) / np.array(plain)
    draws = np.random.default_rng(0).integers(len(ratios), size=(2000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), (0.025, 0.975))
    return {"median": float(np.median(ratios)), "low": float(low), "high": float(high)}


def table(report: dict[str, Any]) -> str:
    """As Markdown."""
    about = report["about"]
    plain = float(np.median(report["seconds"][PLAIN]))
    lines = [
        "# What each part of a recipe adds to a training step",
        "",
        f"`python benchmarks/recipe_parts.py`, {about['date']}, {about['device']}, torch "
        f"{about['torch']}, {about['rounds']} rounds{', ' * bool(about['note'])}{about['note']}. "
        f"The first network of configs/search/images.yaml, {about['batch']} images per step; a "
        f"plain step takes {plain * 1e3:.0f} ms. Ratios to it are taken within a round; with 95% "
        "bootstrap intervals.",
        "",
        "| part | step, plain = 1 | 95% interval | below 1.10 | on images, of a plain step |",
        "|---|---|---|---|---|",
    ]
    for name, r in report["ratios"].items():
        verdict = "yes" if r["high"] < LIMIT else "no" if r["low"] > LIMIT else "cannot be told"
        alone = float(np.median(report["on_images"][name])) / plain
        interval = f"{r['low']:.3f} to {r['high']:.3f}"
        lines.append(f"| {name} | {r['median']:.3f} | {interval} | {verdict} | {alone:.1%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""What a trial costs beside its training: our worker against a naive Optuna, Lightning, W&B loop.

Command: ``python benchmarks/overhead.py`` (about 2 minutes on 2 cores). Trials alternate between
the two in one run, since machines are noisy, and train the same network on the same images for the
same epochs. Counted is everything from the trial's begin to the first training step's hook, and
from the last one's to being ready for the next trial: building, logging, saving, telling.
Lightning's own loop between the two hooks is reported apart.

Writes ``benchmarks/results/overhead.json`` and ``.md``.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "offline"

import lightning.pytorch as L  # threads are set before torch is imported
import optuna
import torch
import wandb
from lightning.pytorch.loggers import WandbLogger

from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.classifier import Classifier
from search.execution.dispatcher import Dispatcher
from search.execution.executors.local import LocalExecutor
from search.execution.view import Silent
from search.records.identity import candidate_id
from search.records.runs import RunSpec
from search.records.versions import code_hash
from search.settings.experiment import WorkerSettings

TRIALS = 9  # of each; the first of each is warm-up and not counted
VARIANT = Variant.from_dict(
    {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "stages": [{"width": 32, "depth": 2, "num_heads": 4, "blocks": ["w_msa", "sw_msa"]}],
    }
)
RECIPE = Recipe(epochs=5, batch_size=64)
RESULTS = Path(__file__).parent / "results"


class Loop(L.Callback):
    """Notes when Lightning's loop begins and ends."""

    begun = ended = 0.0

    def on_train_start(self, *_: Any) -> None:
        """The loop begins."""
        self.begun = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        """The loop has ended."""
        self.ended = time.perf_counter()


def naive_trial(study: optuna.Study, folder: Path) -> tuple[float, float]:
    """One trial as tutorials write it; returns seconds beside the loop and in it."""
    loop = Loop()

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        recipe = Recipe(epochs=RECIPE.epochs, batch_size=RECIPE.batch_size, learning_rate=rate)
        data = make_datamodule(DataSettings(), VARIANT, RECIPE.batch_size, 0)
        logger = WandbLogger(project="naive", name=f"trial-{trial.number}", save_dir=folder)
        trainer = L.Trainer(
            max_epochs=RECIPE.epochs,
            logger=logger,
            callbacks=[loop],
            default_root_dir=folder,
            accelerator="cpu",
        )
        trainer.fit(Classifier(VARIANT.to_dict(), recipe.to_dict()), datamodule=data)
        wandb.finish()
        return float(trainer.callback_metrics["val/accuracy"])

    begin = time.perf_counter()
    study.optimize(objective, n_trials=1)
    total = time.perf_counter() - begin
    return total - (loop.ended - loop.begun), loop.ended - loop.begun


def our_trial(dispatcher: Dispatcher, index: int) -> tuple[float, float]:
    """One trial through our worker, from submission to its result in hand."""
    spec = RunSpec(
        study="overhead",
        key=f"trials/{index:04d}",
        kind="trial",
        stage="search",
        label="w_msa",
        variant=VARIANT.to_dict(),
        recipe=RECIPE.to_dict(),
        variant_id=VARIANT.id,
        candidate_id=candidate_id(VARIANT, RECIPE),
        seed=index,
    )
    begin = time.perf_counter()
    dispatcher.submit(spec)
    ended: list[Any] = []
    while not ended:
        ended = list(dispatcher.results())
    total = time.perf_counter() - begin
    loop = ended[0][1].seconds["fit"]
    return total - loop, loop


def main() -> None:
    """Alternate, measure, write."""
    torch.set_num_threads(1)
    ours, naive = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        executor = LocalExecutor(1, 1, folder / "logs")
        common = {
            "plugins": [],
            "data": DataSettings().to_dict(),
            "variant": VARIANT.to_dict(),
            "precision": "32-true",
            "objective": {"monitor": "val/accuracy", "mode": "max"},
            "cache": str(folder / "images"),
            "accelerator": "cpu",
            "devices": 1,
            "checkpoint_seconds": 10.0,
            "code_hash": code_hash(),
        }
        dispatcher = Dispatcher(folder, executor, WorkerSettings(), common, Silent())
        study = optuna.create_study(storage=f"sqlite:///{folder}/naive.db", direction="maximize")
        try:
            for index in range(TRIALS):
                ours.append(our_trial(dispatcher, index))
                naive.append(naive_trial(study, folder))
        finally:
            executor.close()
    write({"ours": ours[1:], "naive": naive[1:]})


def write(measured: dict[str, list[tuple[float, float]]]) -> None:
    """The figures as JSON and as a table."""
    lines = [
        "| | beside the loop: median (min to max), s | Lightning's loop: median, s |",
        "|---|---|---|",
    ]
    medians = {}
    for name, pairs in measured.items():
        beside, loop = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        medians[name] = statistics.median(beside)
        lines.append(
            f"| {name} | {medians[name]:.3f} ({min(beside):.3f} to {max(beside):.3f}) "
            f"| {statistics.median(loop):.2f} |"
        )
    ratio = statistics.median(
        n[0] / o[0] for n, o in zip(measured["naive"], measured["ours"], strict=True)
    )
    about = (
        f"{TRIALS - 1} counted trials of each, alternating; {RECIPE.epochs} epochs on digits; "
        f"{platform.machine()}, {os.cpu_count()} cores, one thread, torch "
        f"{torch.__version__}. The naive loop spends {ratio:.0f} times as much beside "
        "Lightning's loop (median of pairwise ratios)."
    )
    text = "\n".join(["# Overhead of a trial", "", *lines, "", about, ""])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overhead.md").write_text(text)
    (RESULTS / "overhead.json").write_text(
        json.dumps(
            {"seconds_beside_and_in_the_loop": measured, "medians": medians, "ratio": ratio},
            indent=1,
        )
        + "\n"
    )
    print(text)


if __name__ == "__main__":
    main()

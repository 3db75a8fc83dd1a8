"""The training of one run: on how many images, and at which rungs it may stop."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as L

from hybrid_swin.data.datamodule import ImageData, make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.fit import FitResult, fit
from hybrid_swin.training.memory import Batching
from hybrid_swin.training.processes import Processes
from search.execution.answers import ValidationAnswers
from search.records.runs import RunSpec

Report = Callable[[dict[str, Any]], None]


class Training:
    """The training of one run: first on few images where the run has such rungs, then on all."""

    def __init__(
        self,
        spec: RunSpec,
        settings: Mapping[str, Any],
        folder: Path,
        report: Report,
        processes: Processes | None,
    ) -> None:
        recipe = Recipe.from_dict(spec.recipe or {})
        if recipe.precision == "auto":
            recipe = dataclasses.replace(recipe, precision=settings["precision"])
        self.variant, self.recipe = Variant.from_dict(spec.variant or {}), recipe
        self._spec, self._folder, self._report = spec, folder, report
        self._settings = settings if spec.data is None else {**settings, "data": spec.data}
        self._processes = processes
        self.devices = 1 if processes is None else processes.count
        self.micro_batches = settings.get("micro_batches", 1)  # of each device
        self.micro_batch = Batching(recipe.batch_size, self.devices, self.micro_batches).images
        self._cutoffs = {int(rung): cutoff for rung, cutoff in spec.cutoffs.items()}
        self.answers = ValidationAnswers(calibrates=spec.stage == "final")
        self.passes = 0.0  # over the train split, in all
        self.seconds_before = 0.0  # of trainings on few images

    def run(self) -> tuple[FitResult, L.LightningDataModule, dict[str, float]]:
        """The last training, its data, and the scores at rungs of images."""
        scores: dict[str, float] = {}
        objective = self._settings["objective"]
        whole = self._data(0)
        if self._spec.image_rungs:
            whole.setup("fit")  # for the size of the train split
        for images in self._spec.image_rungs:
            data = self._data(images)
            fitted = self._fit(data, self._folder / f"images-{images}", {}, images)
            share = images / len(whole.splits.train) if isinstance(whole, ImageData) else 0.0
            self.passes += fitted.epochs * share
            score = fitted.kept.get(objective["monitor"])
            if score is not None:
                scores[str(images)] = score
            cutoff = self._cutoffs.get(images)
            short = cutoff is not None and falls_short(score, cutoff, objective["mode"])
            if short and fitted.state == "complete":
                fitted = dataclasses.replace(fitted, state="stopped")
            if fitted.state != "complete":
                return fitted, data, scores
            self.seconds_before += fitted.seconds.get("fit", 0.0)
        cutoffs = {} if self._spec.image_rungs else self._cutoffs
        fitted = self._fit(whole, self._folder, cutoffs)
        self.passes += fitted.epochs
        return fitted, whole, scores

    def _data(self, images: int) -> L.LightningDataModule:
        settings = self._settings
        if images:
            settings = {**settings, "data": {**settings["data"], "train_images": images}}
        return data_of(settings, self.variant, self.recipe, self._spec.seed)

    def _fit(
        self,
        data: L.LightningDataModule,
        folder: Path,
        cutoffs: Mapping[int, float],
        images: int = 0,
    ) -> FitResult:
        settings = self._settings
        objective = settings["objective"]
        report = self._report
        if images:  # an epoch of few images says nothing of how long one of all takes
            report = lambda data: self._report(data | {"images": images})  # noqa: E731
        watch = _Watch(objective["monitor"], objective["mode"], cutoffs, report)
        folder.mkdir(exist_ok=True)
        return fit(
            self.variant,
            self.recipe,
            data,
            seed=self._spec.seed,
            folder=folder,
            accelerator=settings["accelerator"],
            processes=self._processes,
            micro_batches=self.micro_batches,
            callbacks=[watch, self.answers],
            checkpoint_every_seconds=settings["checkpoint_seconds"],
            init=self._spec.init or None,
            weights_prefix=self._spec.weights_prefix,
            init_strict=self._spec.init_strict,
            monitor=objective["monitor"],
            mode=objective["mode"],
        )


class _Watch(L.Callback):
    """Reports every epoch, and ends the training at a rung that it does not reach."""

    def __init__(
        self, monitor: str, mode: Any, cutoffs: Mapping[int, float], report: Report
    ) -> None:
        self._monitor, self._mode, self._cutoffs, self._report = monitor, mode, cutoffs, report

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        logged = trainer.callback_metrics.get(self._monitor)
        score = float("nan") if logged is None else float(logged)
        self._report({"epoch": epoch, "epochs": trainer.max_epochs, "score": score})
        cutoff = self._cutoffs.get(epoch)
        ends_anyway = epoch == trainer.max_epochs
        if cutoff is not None and not ends_anyway and falls_short(score, cutoff, self._mode):
            trainer.should_stop = True
        # Rank 0's verdict is that of all: one that went on alone would wait for ever.
        trainer.should_stop = trainer.strategy.broadcast(trainer.should_stop)


def data_of(
    settings: Mapping[str, Any], variant: Variant, recipe: Recipe, seed: int
) -> L.LightningDataModule:
    """The images of a job, in batches as the recipe wants them."""
    return make_datamodule(
        DataSettings.from_dict(settings["data"]),
        variant,
        recipe.batch_size,
        seed,
        Path(settings["cache"]),
        repeats=recipe.repeats,
        sampling=recipe.sampling,
        test_image_size=recipe.test_image_size,
    )


def falls_short(score: float | None, cutoff: float, mode: Literal["max", "min"]) -> bool:
    """Whether a score is below the cut-off; an equal one goes on, NaN or none does not."""
    return score is None or not (score >= cutoff if mode == "max" else score <= cutoff)

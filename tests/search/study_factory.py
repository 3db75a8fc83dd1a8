"""Fabricated study folders: real files in the real layout, made without training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from hybrid_swin.system.files import write_json_atomically
from search.records.runs import RunResult, RunSpec
from search.records.validation import save_answers

CLASSES = 10
VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": CLASSES,
    "patch_size": 1,
    "window_size": 4,
    "mlp_ratio": 2.0,
    "stages": [{"width": 32, "depth": 2, "num_heads": 4, "blocks": ["w_msa", "sw_msa"]}],
}
RECIPE = {"epochs": 20, "batch_size": 64, "learning_rate": 0.001}


class StudyFactory:
    """Writes one study, run by run; every method returns what it wrote."""

    def __init__(self, folder, monitor="val/accuracy", mode="max", images=300, **settings):
        self.folder, self.monitor, self.images = Path(folder), monitor, images
        self.rng = np.random.default_rng(0)
        self.ease = self.rng.normal(3.0, 1.5, images)  # of each test image, shared by all arms
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "schema_version": 1,
            "name": self.folder.name,
            "seed": 0,
            "objective": {"monitor": monitor, "mode": mode},
            "data": {"source": "digits", "options": {}},
            "wandb": {"mode": "offline", "project": "fabricated"},
            **settings,
        }
        (self.folder / "settings.yaml").write_text(yaml.safe_dump(settings))

    def trial(self, number, score, label="w_msa", **changes):
        return self.run(f"trials/{number:04d}", "trial", score, label, **changes)

    def baseline(self, number, score, label="w_msa", **changes):
        changes = {"is_baseline": True, **changes}
        return self.run(f"baselines/{number:02d}", "baseline", score, label, **changes)

    def reference(self, name, score, test=None, **changes):
        changes = {"variant": None, "recipe": None, "history": (), "epochs": 0, **changes}
        changes["test"] = None if test is None else {"test/accuracy": test}
        changes["cost"] = {"parameters": 650}
        return self.run(f"references/{name}", "reference", score, name, **changes)

    def finalist(
        self, candidate, scores, origin="trials/0000", label="w_msa", skill=0.0, **changes
    ):
        """All seeds of one candidate; ``skill`` (logits) moves its test accuracy; None: no test."""
        runs = []
        for seed, score in enumerate(scores):
            key = f"finalists/{candidate}/{seed}"
            test = None if skill is None else self.predictions(key, skill)
            runs.append(
                self.run(
                    key,
                    "finalist",
                    score,
                    label,
                    **{
                        "candidate_id": candidate,
                        "origin": origin,
                        "stage": "final",
                        "seed": 1000 + seed,
                        "seed_index": seed,
                        "test": test,
                        **changes,
                    },
                )
            )
        return runs

    def predictions(self, key, skill):
        """Write ``predictions.npz`` of one seed; returns the metrics that it tells."""
        chance = 1 / (1 + np.exp(-(self.ease + skill + self.rng.normal(0, 0.2))))
        labels = np.arange(self.images) % CLASSES
        right = self.rng.random(self.images) < chance
        logits = np.eye(CLASSES)[np.where(right, labels, (labels + 1) % CLASSES)]
        path = self.folder / key / "predictions.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = np.array([f"image-{i}" for i in range(self.images)])
        np.savez(path, ids=ids, groups=np.array([]), labels=labels, logits=logits)
        return {"test/accuracy": float(right.mean()), "test/loss": 0.3}

    def validate(self, runs, skill=0.0, images="v"):
        """Give ended runs validation answers and the scores that these tell."""
        for spec, result in runs:
            chance = 1 / (1 + np.exp(-(self.ease + skill + self.rng.normal(0, 0.2))))
            right = self.rng.random(self.images) < chance
            save_answers(
                self.folder / spec.key, right, [f"{images}{i}" for i in range(self.images)]
            )
            told = replace(result, score=float(right.mean()), validation_images=self.images)
            write_json_atomically(self.folder / spec.key / "result.json", told.to_dict())

    def run(self, key, kind, score, label, ended=True, **changes):
        """One run folder; ``changes`` replace any field of `RunSpec` or `RunResult`."""
        spec = RunSpec(
            study=self.folder.name,
            key=key,
            kind=kind,
            stage="search",
            label=label,
            variant=VARIANT,
            recipe=RECIPE,
            variant_id=f"v{key[-4:].replace('/', '')}",
            candidate_id=f"c{key[-4:].replace('/', '')}",
            seed=7,
            cost={"parameters": 23_400, "macs": 1_210_000, "activations": 40_000},
            params={"stages.0.width": 32, "recipe.learning_rate": 0.001},
        )
        spec = replace(spec, **{k: v for k, v in changes.items() if hasattr(spec, k)})
        write_json_atomically(self.folder / key / "run.json", spec.to_dict())
        if not ended:
            return spec, None
        shape = 1 - 0.8 * np.exp(-np.arange(1, 21) / 2.5)  # flat well before the last fifth
        curve = [] if score is None else [float(score * s / shape[-1]) for s in shape]
        metrics = {} if score is None else {self.monitor: float(score), "val/loss": 0.25}
        result = RunResult(
            key=key,
            attempt=1,
            state="complete",
            score=score,
            epochs=20,
            epochs_planned=20,
            history=tuple(
                {"epoch": epoch + 1, "train/loss": 2.0 / (epoch + 1), self.monitor: value}
                for epoch, value in enumerate(curve)
            ),
            metrics=metrics,
            seconds={"setup": 0.2, "fit": 21.5, "teardown": 0.1, "total": 21.8},
            peak_memory_mb=512.0,
            latency={"median_ms": 3.5, "iqr_ms": 0.1, "batch": 64, "threads": 1, "device": "cpu"},
            device="cpu",
            precision="32-true",
            data_hash="d0d0d0d0d0",
            split_hash="5e5e5e5e5e",
            test_hash="7e577e5700",
            code_hash="c0c0c0c0c0",
            validation_images=225,
            test_images=self.images,
        )
        result = replace(result, **{k: v for k, v in changes.items() if hasattr(result, k)})
        write_json_atomically(self.folder / key / "result.json", result.to_dict())
        return spec, result


def whole_study(folder, seeds=5, **settings):
    """A finished study: a clear winner, a tie, a worse baseline, stopped and failed trials."""
    study = StudyFactory(folder, **settings)
    words = ["w_msa+mdta", "w_msa+conv", "w_msa", "conv(kernel=7)+w_msa:gate", "mdta"]
    for number in range(12):
        label, score = words[number % 5], 0.970 - 0.004 * number
        if number in (4, 9):
            study.trial(number, score / 2, label, state="stopped", epochs=5)
        elif number == 7:
            study.trial(number, None, label, state="failed", epochs=0, error="out of memory")
        else:
            study.trial(number, score, label)
    study.baseline(0, 0.90, "w_msa | sw_msa")
    noise = study.rng.normal(0, 0.004, (4, seeds))
    study.finalist("cand-mdta", 0.958 + noise[0], "trials/0000", words[0], skill=1.0)
    study.finalist("cand-conv", 0.955 + noise[1], "trials/0001", words[1], skill=0.9)
    study.finalist("cand-gate", 0.948 + noise[2], "trials/0003", words[3], skill=0.4)
    changes = {"skill": -0.9, "is_baseline": True}
    study.finalist("cand-base", 0.900 + noise[3], "baselines/00", "w_msa | sw_msa", **changes)
    study.reference("logistic regression on pixels", 0.951, test=0.947)
    return study

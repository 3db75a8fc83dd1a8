"""Whole studies and comparisons in a second: all but their trainings is the program's own."""

import hashlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
import yaml

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import write_json_atomically
from search.execution.job import Event
from search.launch import session
from search.records.predictions import write_predictions
from search.records.runs import RESULT_FILE, RunResult, RunSpec
from search.records.study_folder import recorded_test_read
from search.records.validation import save_answers

IMAGES, CLASSES = 90, 10
HASHES = {"data_hash": "d0d0d0d0d0", "test_hash": "7e577e5700"}
VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": CLASSES,
    "patch_size": 2,
    "window_size": 2,
    "mlp_ratio": 1.0,
    "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]}],
}
COMMON = {
    "data": {"source": "digits"},
    "recipe": {"epochs": 5, "batch_size": 256, "learning_rate": 0.01},
    "wandb": {"mode": "disabled"},
    "workers": {"count": 1},
}
BLOCKS = {"choose": [["w_msa"], ["mdta"], ["w_msa+mdta"]]}
STUDY = {
    **COMMON,
    "name": "study",
    "variant": {**VARIANT, "stages": [{**VARIANT["stages"][0], "blocks": BLOCKS}]},
    "baselines": [{"label": "plain", "blocks": ["w_msa"]}],
    "recipe": {**COMMON["recipe"], "learning_rate": {"from": 0.001, "to": 0.01, "log": True}},
    "trials": 12,
    "sampler": {"name": "random", "lookahead": 2},
    "rungs": {"first": 0},
    "finalists": {"top": 1, "seeds": 2, "random": 0},
}
COMPARISON = {
    **COMMON,
    "name": "comparison",
    "variant": {
        **VARIANT,
        "mlp_ratio": 2.0,
        "stages": [{"width": 96, "depth": 1, "num_heads": 3, "blocks": ["w_msa"]}],
    },
    "arms": [{"label": "base"}, {"add": "mdta"}],
    "match": {"by": ["macs"], "tolerance": 0.5},
    "factors": {},
    "learning_rates": [0.01, 0.003],
    "seeds": 3,
}


class InstantWorkers:
    """An executor whose jobs end at once, each with what follows from its candidate and seed."""

    slots, nodes, waiting, hardware = 1, (), "", None

    def __init__(self):
        self.happened, self.trained = [], []

    def wait_until_ready(self, timeout=0):
        return True

    def require(self, precision):
        pass

    def submit(self, job):
        spec = RunSpec.from_dict(job.settings["spec"])
        self.trained.append(spec.key)
        result = train(spec, Path(job.folder), job)
        write_json_atomically(Path(job.folder) / RESULT_FILE, result.to_dict())
        self.happened += [Event(kind, job.key, job.attempt, "w") for kind in ("started", "done")]

    def events(self, timeout):
        happened, self.happened = self.happened, []
        return happened

    def cancel(self, key):
        pass

    def close(self, whole=False):
        pass


def hashes(spec, job):
    """Of the images: those that the study is bound to, if it says so."""
    bound = job.settings.get("images", {"data": None, "hashes": {}})
    known = HASHES | {"split_hash": f"s{spec.seed_index}"}
    for name in known if spec.data in (None, bound["data"]) else HASHES:
        known[name] = bound["hashes"].get(name, known[name])
    return known


def train(spec, attempt, job):
    """The result of a run, and in its folder what a worker leaves there."""
    text = f"{spec.candidate_id} {spec.seed}"
    rng = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
    right = rng.random(IMAGES) < rng.uniform(0.6, 0.9)
    score, test, ids = float(right.mean()), None, [f"image-{i}" for i in range(IMAGES)]
    epochs = (spec.recipe or {}).get("epochs", 0)
    if spec.kind != "reference":
        save_answers(attempt, right, ids)
    if spec.kind == "reference" or spec.stage == "final":
        study = attempt.parents[len(Path(spec.key).parts)]
        with recorded_test_read(study, job.settings["command"], spec.key, "c", hashes(spec, job)):
            test = {"test/accuracy": predict(attempt, rng, score)}
    if spec.stage == "final" and spec.variant and not (attempt / "final.ckpt").exists():
        keep_weights(spec, attempt / "final.ckpt")
    return RunResult(
        key=spec.key,
        attempt=job.attempt,
        state="complete",
        score=score,
        epochs=epochs,
        epochs_planned=epochs,
        passes=float(epochs),
        history=tuple(
            {"epoch": epoch, "val/accuracy": score * (1 - 0.8 * 0.1**epoch)}
            for epoch in range(1, epochs + 1)
        ),
        metrics={"val/accuracy": score},
        test=test,
        seconds={"fit": 1.0, "total": 1.0},
        device="cpu",
        precision="32-true",
        code_hash=job.settings["code_hash"],
        validation_images=IMAGES,
        test_images=IMAGES,
        **hashes(spec, job),
    )


def predict(folder, rng, accuracy):
    """Write the predictions of a run; gives their accuracy."""
    labels = np.arange(IMAGES) % CLASSES
    right = rng.random(IMAGES) < accuracy
    answers = np.where(right, labels, (labels + 1) % CLASSES)
    ids = np.array([f"image-{i}" for i in range(IMAGES)])
    logits = np.eye(CLASSES, dtype=np.float32)[answers]
    write_predictions(folder, {"ids": ids, "labels": labels, "logits": logits})
    return float(right.mean())


def keep_weights(spec, file):
    """Leave a network that has learned nothing, as a training does."""
    torch.manual_seed(spec.seed)
    model = HybridSwin(Variant.from_dict(spec.variant))
    names = [str(number) for number in range(CLASSES)]
    channels = model.variant.in_channels
    mean, std = [0.3] * channels, [0.4] * channels
    scale = 1.0 if channels == 1 else 255.0  # of the bundled digits, and of files
    content = {
        "state_dict": {f"model.{name}": tensor for name, tensor in model.state_dict().items()},
        "hyper_parameters": {"variant": spec.variant},
        "data": {"mean": mean, "std": std, "full_scale": scale, "class_names": names},
    }
    torch.save(content, file)


def use_instant_workers(monkeypatch):
    """Let commands of this process train in no time; returns the list of keys that they train."""
    workers = InstantWorkers()
    monkeypatch.setattr(session, "start_workers", lambda *_: nullcontext(workers))
    return workers.trained


def write_config(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


CONTENT = {"study": STUDY, "comparison": COMPARISON}

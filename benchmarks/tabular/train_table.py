"""Train the tabular benchmark: every candidate of a small space, over seeds, to its end.

Command: ``python benchmarks/tabular/train_table.py`` (970 trainings; about 80 minutes of CPU time,
half of it on 2 cores; started again it goes on). All 270 candidates of ``space.yaml`` are trained
over 3 seeds, which vary initialisation, order of the images and the validation split; then 8 of
them, from the best to the lower quartile, over 20 further seeds, with one reading of test each.

Writes ``curves.csv.gz`` (one line per training: candidate, seed, seconds, validation accuracy and
loss by epoch), ``seeds.npz`` (the 8 x 20: validation accuracy, and which test images were got
right) and ``receipt.json``.
"""

import argparse
import csv
import dataclasses
import gzip
import io
import itertools
import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from hybrid_swin.cost import count_cost
from hybrid_swin.data.loading import LoadedData, load_data
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import write_json_atomically
from search.execution.dispatcher import Dispatcher
from search.execution.workers import common_job_settings, start_workers
from search.records.identity import candidate_id, derive_seed
from search.records.predictions import read_correctness
from search.records.receipt import about_data
from search.records.runs import FinishedRun, RunSpec
from search.records.study_folder import locked
from search.records.versions import code_hash
from search.reporting.terminal import Terminal
from search.settings.reading import read_config_as
from search.settings.study import StudySettings
from search.space.choices import Choice
from search.space.space import Space

HERE = Path(__file__).parent
SEEDS, MORE_SEEDS = 3, 20
# Of the 8: places in the order of the mean over the first seeds, as shares of all candidates.
PLACES = (0.0, 0.004, 0.01, 0.04, 0.1, 0.25, 0.5, 0.75)
METRICS = ("val/accuracy", "val/loss")


def all_params(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination, the last parameter changing fastest."""
    labels = [p.labels for p in space.parameters if isinstance(p, Choice)]
    for values in itertools.product(*labels):
        yield {p.path: value for p, value in zip(space.parameters, values, strict=True)}


def make_spec(settings: StudySettings, space: Space, params: dict[str, Any], seed: int) -> RunSpec:
    """The training of one candidate with one of the first seeds."""
    variant, recipe = space.resolve(params)
    identity = candidate_id(variant, recipe)
    data = dataclasses.replace(settings.data, validation_seed=seed)
    return RunSpec(
        study=settings.name,
        key=f"trials/{identity}-{seed}",
        kind="trial",
        stage="search",
        label=variant.blocks_name,
        variant=variant.to_dict(),
        recipe=recipe.to_dict(),
        variant_id=variant.id,
        candidate_id=identity,
        seed=derive_seed(settings.seed, "table", seed),
        seed_index=seed,
        cost=count_cost(variant).to_dict(),
        params=params,
        data=data.to_dict(),
    )


def with_more_seeds(settings: StudySettings, spec: RunSpec) -> Iterator[RunSpec]:
    """The trainings of one of the 8, which read test."""
    for index in range(SEEDS, SEEDS + MORE_SEEDS):
        data = dataclasses.replace(settings.data, validation_seed=index)
        yield dataclasses.replace(
            spec,
            key=f"finalists/{spec.candidate_id}/{index}",
            kind="finalist",
            stage="final",
            seed=derive_seed(settings.seed, "table", index),
            seed_index=index,
            data=data.to_dict(),
        )


def train(dispatcher: Dispatcher, specs: list[RunSpec]) -> list[FinishedRun]:
    """All of these, in the order of ``specs``."""
    for spec in specs:
        dispatcher.submit(spec)
    ended = {}
    while dispatcher.busy:
        for spec, result in dispatcher.results():
            ended[spec.key] = (spec, result)
    return [ended[spec.key] for spec in specs]


def choose(ended: list[FinishedRun]) -> list[RunSpec]:
    """The 8: from the best by the mean over seeds down to the lower quartile."""
    by_candidate: dict[str, list[float]] = {}
    specs = {}
    for spec, result in ended:
        by_candidate.setdefault(spec.candidate_id, []).append(result.score or 0.0)
        specs[spec.candidate_id] = spec
    ranked = sorted(by_candidate, key=lambda one: (-fmean(by_candidate[one]), one))
    places = dict.fromkeys(round(place * len(ranked)) for place in PLACES)  # fewer of few
    return [specs[ranked[place]] for place in places]


def write_curves(ended: list[FinishedRun], space: Space) -> None:
    """One line per training, gzipped without a date so that equal tables are equal files."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    paths = [parameter.path for parameter in space.parameters]
    writer.writerow([*paths, "candidate", "seed", "seconds", "parameters", "macs", *METRICS])
    for spec, result in ended:
        curves = [" ".join(f"{epoch[m]:.6g}" for epoch in result.history) for m in METRICS]
        costs = [spec.cost["parameters"], spec.cost["macs"]]
        seconds = f"{result.seconds['fit']:.3f}"
        values = [spec.params[path] for path in paths]
        writer.writerow([*values, spec.candidate_id, spec.seed_index, seconds, *costs, *curves])
    with (HERE / "curves.csv.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as file:
        file.write(text.getvalue().encode())


def write_seeds(ended: list[FinishedRun], folder: Path) -> None:
    """Validation accuracy (8 x 20) and which test images were got right (8 x 20 x images)."""
    by_candidate: dict[str, list[FinishedRun]] = {}
    for spec, result in ended:
        by_candidate.setdefault(spec.candidate_id, []).append((spec, result))
    validation, correct = [], []
    for runs in by_candidate.values():
        validation.append([result.score for _, result in runs])
        folders = {spec.seed_index: folder / spec.key for spec, _ in runs}
        test = {spec.seed_index: (result.test or {})["test/accuracy"] for spec, result in runs}
        found = read_correctness(folders, test)
        if found is None:
            raise RuntimeError("predictions are missing")
        correct.append(found.matrix.astype(bool))
    np.savez_compressed(
        HERE / "seeds.npz",
        candidates=np.array(list(by_candidate)),
        labels=np.array([runs[0][0].label for runs in by_candidate.values()]),
        validation=np.array(validation, np.float32),
        correct=np.packbits(np.array(correct), axis=-1),
        images=np.array(len(correct[0][0])),
    )


def write_receipt(settings: StudySettings, ended: list[FinishedRun], data: LoadedData) -> None:
    """What it takes to make the table again."""
    write_json_atomically(
        HERE / "receipt.json",
        {
            "command": "python benchmarks/tabular/train_table.py",
            "settings": settings.to_dict() | {"folder": "runs"},
            "seeds": {str(i): derive_seed(settings.seed, "table", i) for i in range(23)},
            "validation_seeds": "the number of the seed",
            "data": about_data(data),
            "trainings": len(ended),
            "states": sorted({result.state for _, result in ended}),
            "training_seconds": sum(result.seconds["fit"] for _, result in ended),
            "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a training",
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "lightning", "torchmetrics", "numpy")},
            },
            "code_hash": code_hash(),
            "code_hashes_of_runs": sorted({result.code_hash for _, result in ended}),
        },
    )


def main() -> None:
    """Train what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", default="runs", help="where the trainings are kept")
    parser.add_argument("--limit", type=int, help="train so many of the first candidates only")
    options = parser.parse_args()
    settings = read_config_as(str(HERE / "space.yaml"), StudySettings)
    settings = dataclasses.replace(settings, folder=options.folder)
    space = Space(settings.variant, settings.recipe)
    params = list(all_params(space))[: options.limit]
    specs = [make_spec(settings, space, p, seed) for seed in range(SEEDS) for p in params]
    variant, _ = space.resolve(space.default())
    data = load_data(settings.data, variant.image_size, variant.in_channels, None)
    total = len(specs) + len(PLACES) * MORE_SEEDS
    with locked(settings.path), start_workers(settings) as executor:
        objective = settings.objective
        view = Terminal(Console(), total, objective.monitor, objective.mode, lambda: executor.slots)
        common = common_job_settings(settings, variant, {})
        dispatcher = Dispatcher(settings.path, executor, settings.workers, common, view)
        with view:
            ended = train(dispatcher, specs)
            write_curves(ended, space)
            more = [s for spec in choose(ended) for s in with_more_seeds(settings, spec)]
            repeated = train(dispatcher, more)
    write_seeds(repeated, settings.path)
    write_receipt(settings, [*ended, *repeated], data)
    print(json.dumps({"trainings": len(ended) + len(repeated)}))


if __name__ == "__main__":
    main()

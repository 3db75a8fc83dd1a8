"""The command `retrain`: the study that trains a candidate again."""

import sys
from pathlib import Path

from hybrid_swin.data.loading import load_data
from hybrid_swin.spec import registry
from hybrid_swin.system.answer import print_text
from hybrid_swin.system.console import Console
from hybrid_swin.system.yaml_files import to_yaml
from hybrid_swin.training.metric_facts import metric_text
from hybrid_swin.training.training_record import read_training_record
from search.cli import experiments
from search.cli.options import RunOptions
from search.cli.retrain.options import RetrainQuestion, run_of
from search.execution.workers import image_cache
from search.settings.study import StudySettings


def retrain(question: RetrainQuestion) -> int:
    """Train the candidate again, or go on with it. Returns the exit code.

    Raises InputError for a place without a trained candidate, or images that do not fit it.
    """
    options = question.options
    run, which = run_of(options.target)
    console = Console(stderr=options.print_config)
    if which:
        console.say(f"candidate  {which}")
    settings = question.settings(run)
    if before := _scores(run, settings.objective.monitor):
        console.say(f"before     {before}")
    if question.has_other_images and settings.data.class_path is None:
        classes, before = _count_classes(settings), settings.variant["num_classes"]
        if "variant.num_classes" not in question.given and classes != before:
            console.say(f"classes    {classes} of these images, instead of {before}")
            settings = question.settings(run, num_classes=classes)
    if options.print_config:
        print_text(to_yaml(settings.to_dict()))
        return 0
    return experiments.run(RunOptions(dry_run=options.dry_run, format=options.format), settings, [])


def _scores(run: Path, monitor: str) -> str:
    """What the run scored, and its row over seeds; empty if its folder does not say."""
    record, name = read_training_record(run), monitor.rpartition("/")[2]
    texts = []
    if name in record.metrics:
        texts.append(f"{monitor} {metric_text(name, record.metrics[name])} in this run")
    row = record.row
    ends = [v for end in ("mean", "low", "high") if isinstance(v := row.get(f"test_{end}"), float)]
    if len(ends) == 3:
        mean, low, high = (metric_text(name, value) for value in ends)
        texts.append(f"test {mean} [{low}, {high}] over {row.get('seeds')} seeds")
    return "; ".join(texts)


def _count_classes(settings: StudySettings) -> int:
    """How many classes the images have, which are decoded into the study's own cache."""
    for plugin in settings.plugins:
        registry.add_plugin(plugin)
    size = settings.variant["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    print("looking at the images ...", file=sys.stderr, flush=True)
    channels: int = settings.variant["in_channels"]
    data = load_data(settings.data, (height, width), channels, image_cache(settings))
    return len(data.images.class_names)

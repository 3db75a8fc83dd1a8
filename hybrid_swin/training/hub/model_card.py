"""A model card: what a network is, was trained on, scores, and how it is used.

Source: Model Cards for Model Reporting, 2019, https://arxiv.org/abs/1810.03993; the layout of the
Hugging Face Hub, https://huggingface.co/docs/hub/model-cards
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from hybrid_swin.cost import count_cost
from hybrid_swin.errors.plain_text import one_line
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from hybrid_swin.training.metric_facts import metric_text
from hybrid_swin.training.prediction.calibration import Calibration
from hybrid_swin.training.training_record import TrainingRecord

_CLASSES = 20  # that are listed
_SPLITS = ("train", "validation", "test")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def model_card(
    title: str,
    variant: Variant,
    classes: Sequence[str] | None,
    normalisation: Normalisation | None,
    record: TrainingRecord,
    calibration: Calibration | None,
) -> str:
    """The content of ``README.md``; all that is the user's own stands there as text only."""
    head = {
        "library_name": "hybrid-swin",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "hybrid-swin", "swin"],
    }
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}"
        "# license: (yours to choose, and to write here)\n---\n",
        f"# {text(title)}\n",
        "\n".join(_about(variant, classes)),
        "## Use\n",
        _USE,
        "## Images\n",
        "\n".join(_images(variant, normalisation)),
        "## Training\n",
        "\n".join(_training(record)),
        "## Results\n",
        "\n".join(_results(record, calibration)),
        "## Limits\n",
        _LIMITS,
    ]
    return "\n".join(parts) + "\n"


_USE = """\
```python
import hybrid_swin as hs

model = hs.load("FOLDER")  # this folder; in evaluation mode, with model.classes, mean and std
```

```bash
python -m hybrid_swin predict FOLDER images --output answers.csv
python -m hybrid_swin fit --init FOLDER --variant FOLDER --folder runs/tuned  # and --data of yours
```
"""

_LIMITS = """\
The numbers above are of images like those it was trained on. How it does on others (another camera,
another hospital, another year) was not measured. Its author adds here what it is meant for and what
it must not be used for.
"""


def _about(variant: Variant, classes: Sequence[str] | None) -> Iterator[str]:
    cost = count_cost(variant)
    words = [" ".join(stage.words()) for stage in variant.stages]
    yield (
        f"An image classifier of the Swin family: {cost.parameters:,} parameters, {cost.macs:,} "
        "multiply-accumulates per image.\n"
    )
    yield "| stage | width | heads | blocks |\n|---|---|---|---|"
    for index, (stage, word) in enumerate(zip(variant.stages, words, strict=True), 1):
        yield f"| {index} | {stage.width} | {stage.num_heads} | {text(word)} |"
    if classes:
        listed = ", ".join(text(name) for name in classes[:_CLASSES])
        more = f" and {len(classes) - _CLASSES} more" if len(classes) > _CLASSES else ""
        yield f"\n{len(classes)} classes: {listed}{more}.\n"
    else:
        yield f"\n{variant.num_classes} classes without names.\n"


def _images(variant: Variant, normalisation: Normalisation | None) -> Iterator[str]:
    height, width = variant.image_size
    channels = {1: "grey", 3: "RGB", 4: "RGB and opacity"}.get(
        variant.in_channels, f"{variant.in_channels} channels"
    )
    yield f"{height} x {width} pixels, {channels}."
    if normalisation is None:
        yield "How pixels were normalised is not known.\n"
        return
    low, high = normalisation.limits
    mean, std = (", ".join(f"{x:.4g}" for x in v) for v in (normalisation.mean, normalisation.std))
    scale = f"Pixels from {low:g} to {high:g} count as 0 to 1"
    if normalisation.value_range is None and normalisation.full_scale > 1:
        scale = "Pixels count as shares of their full scale: 255 of 8 bits, 65,535 of 16"
    yield f"{scale}; then ({mean}) is taken off and ({std}) divides."
    if normalisation.resize:
        yield f"Images of other sizes: resize {normalisation.resize}."
    yield ""


def _training(record: TrainingRecord) -> Iterator[str]:
    counts = [f"{name} {record.images[name]:,}" for name in _SPLITS if name in record.images]
    if record.source:
        yield f"- data source: {text(record.source)}"
    if counts:
        yield f"- images: {', '.join(counts)}"
    if record.epochs:
        yield f"- {record.epochs} epochs on {text(record.device or 'an unknown device')}"
    if record.seed is not None:
        yield f"- seed {record.seed}"
    default = Recipe().to_dict()
    changed = {
        name: value for name, value in record.recipe.items() if default.get(name, value) != value
    }
    if changed:
        values = ", ".join(f"{text(name)} {text(value)}" for name, value in changed.items())
        yield f"- recipe, as far as it is not the default one: {values}"
    if record == TrainingRecord():
        yield "Nothing is known of it."
    yield ""


def _results(record: TrainingRecord, calibration: Calibration | None) -> Iterator[str]:
    names = [name for name in record.metrics if name != "loss"]
    if names:
        splits = {"validation": record.metrics, "test": record.test}
        splits = {split: values for split, values in splits.items() if values}
        yield f"This network:\n\n| metric | {' | '.join(splits)} |\n|---|{'---|' * len(splits)}"
        for name in names:
            cells = [metric_text(name, v[name]) if name in v else "" for v in splits.values()]
            yield f"| {text(name)} | {' | '.join(cells)} |"
        yield ""
    yield from _of_seeds(record)
    if calibration is not None and not calibration.is_any:
        yield f"Calibration: {calibration}; probabilities are the network's own.\n"
    elif calibration is not None:
        yield f"Calibration: {calibration} (Guo et al., 2017). `predict` uses it.\n"
    if not names and calibration is None:
        yield "Nothing is known of them.\n"


def _of_seeds(record: TrainingRecord) -> Iterator[str]:
    """The interval over seeds, and what it is conditional on."""
    row, study = record.row, record.study
    try:
        seeds, rank, monitor = int(row["seeds"]), int(row["rank"]), str(study["monitor"])
        mean, low, high = (float(row[f"test_{end}"]) for end in ("mean", "low", "high"))
    except (KeyError, TypeError, ValueError):
        return
    name = monitor.rpartition("/")[2]
    interval = f"{metric_text(name, mean)} [{metric_text(name, low)}, {metric_text(name, high)}]"
    yield (
        f"Over {seeds} seeds of this network, test {text(name)} is {interval} (95% for new seeds"
        + (" and new images" if row.get("test_covers") == "seeds and images" else "")
        + f"). It was rank {rank} on validation among the networks that were retrained, after "
        f"{study.get('tried', 0)} trials of a search; the test split was read "
        f"{study.get('test_reads', 0)} times in that study, once by each training.\n"
    )


def text(value: Any) -> str:
    """A value that Markdown and HTML only show, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(str(value)))
    return escaped.replace("://", r":\//").replace("www.", r"www\.")  # else these become links

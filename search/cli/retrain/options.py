"""Options of the command `retrain`, and the study that they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, here, quote
from hybrid_swin.spec.own_code.kept_plugins import (
    adopt_kept_plugins,
    recorded_hashes,
    study_of,
)
from hybrid_swin.spec.own_code.module_sources import check_data_code
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.spec.recipe import Recipe, with_defaults
from hybrid_swin.spec.run_reference import (
    is_study,
    names_run,
    run_data,
    run_first_weights,
    run_folder,
    run_variant,
    study_winner,
)
from hybrid_swin.spec.values import Range, check_ranges
from hybrid_swin.system.answer import JsonOptions
from hybrid_swin.system.file_names import PLUGIN_FOLDER, RUN_FILE
from hybrid_swin.system.files import expanded
from hybrid_swin.system.options import Options
from hybrid_swin.system.schema import build_settings
from search.records.runs import RunSpec, read_record
from search.records.settings import read_study
from search.settings.experiment import MOST_SEEDS
from search.settings.names import MOST_LABEL, MOST_NAME
from search.settings.reading import with_words
from search.settings.study import StudySettings


@dataclass(frozen=True, kw_only=True)
class RetrainOptions(CodeOptions, JsonOptions):
    """Train a candidate of a study again, at full length, over fresh seeds.

    Network, recipe, images and objective are those of the run. Every setting of a study can be
    changed, such as --recipe.epochs 100. With other images (--images, or --data.source and
    --data.options) the number of classes follows them. It is a study of its own, in a folder of
    its own: the same command goes on with it, and test is read once per seed. The candidate
    retrained in another way needs another --name.

    Args:
        target: the folder of a run of a study or comparison, or of a study, of which its first row
            is meant.
        seeds: fresh seeds; at least 5 for a claim.
        images: other images: one folder per class, a folder with train, val and test, a .csv or an
            .npz.
        dry_run: train nothing: say what would be trained, and how long it takes.
        print_config: print all settings as YAML, to be edited, and end.

    Examples:
      python search.py retrain runs/digits --seeds 8
      python search.py retrain runs/digits/finalists/0a1b2c/0 --recipe.epochs 100
      python search.py retrain runs/digits --images photos --variant.in_channels 3
    """

    target: str
    seeds: int = 5
    images: str | None = None
    dry_run: bool = False
    print_config: bool = False

    def __post_init__(self) -> None:
        check_ranges({"--seeds": (self.seeds, Range(1, MOST_SEEDS))})


@dataclass(frozen=True)
class RetrainQuestion:
    """What is to be trained again, as the command line says it.

    Args:
        options: the command's own.
        parser: of the words.
        words: of the command line.
    """

    options: RetrainOptions
    parser: Options
    words: Sequence[str]

    @cached_property
    def given(self) -> frozenset[str]:
        """Paths of the settings that the words give."""
        names = {field.name for field in fields(RetrainOptions)}
        return frozenset(path for path, _ in self.parser.read(self.words) if path not in names)

    @property
    def has_other_images(self) -> bool:
        """Whether the words say which images."""
        return self.options.images is not None or any(p.startswith("data.") for p in self.given)

    def settings(self, run: Path, **variant: Any) -> StudySettings:
        """The study that trains the candidate of a run, with other values of its network.

        Raises InputError for a run that cannot be read, or one that needs code which nobody asked
        to run.
        """
        options = self.options
        adopt_kept_plugins(run, options.plugin, options.trust)
        names = {"data.source", "data.class_path"} & self.given
        content = _content(run, options, checks_module="data.class_path" not in names)
        if names:
            content["data"] = {}  # the run's options are of its own source
        if options.images is not None:
            from search.launch.proposal.images import images_in

            source, source_options = images_in(options.images)
            content["data"] = {"source": source, "options": source_options}
        content = with_words(content, self.parser, self.words, RetrainOptions, StudySettings)
        content["finalists"] = {**content["finalists"], "top": 0, "random": 0}
        content["variant"] = content["variant"] | variant
        return build_settings(StudySettings, content)


def question_of(parser: Options, words: Sequence[str]) -> RetrainQuestion:
    """What the words ask; no file is read. Raises InputError for what they cannot say."""
    names = {field.name for field in fields(RetrainOptions)}
    given = [(path, value) for path, value in parser.read(words) if path in names]
    return RetrainQuestion(parser.built(RetrainOptions, given), parser, words)


def run_of(target: str) -> tuple[Path, str]:
    """The folder of the run, and the row that it is of where a study was named.

    Raises InputError for a place that holds no trained candidate.
    """
    place = expanded(target)
    if not place.exists():
        raise InputError(f"{quote(target, 120)}: there is no such folder{here(target)}")
    if is_study(place):
        return study_winner(place)
    if not names_run(place):
        raise InputError(
            f"{quote(target, 120)} is not a run of a study; give the folder of one, such as "
            "runs/digits/finalists/0a1b2c/0, or of a study"
        )
    return run_folder(place), ""


def _content(run: Path, options: RetrainOptions, checks_module: bool) -> dict[str, Any]:
    """Settings of a study that trains the run's candidate as its only row."""
    spec = read_record(run / RUN_FILE, RunSpec.from_dict)
    study = study_of(run)
    variant, data = run_variant(run), dict(run_data(run))
    data.pop("validation_seed", None)  # of one finalist; each seed here draws its own
    if checks_module:
        recorded = recorded_hashes(study, "modules") if study else {}
        check_data_code(data.get("class_path"), recorded, f"the run {str(run)!r}", options.trust)
    known = None if study is None else read_study(study)
    label = spec.label or spec.candidate_id
    ending = f"-{spec.candidate_id}-retrained"
    place = "run" if study is None else study.name[: MOST_NAME - len(ending)]
    content: dict[str, Any] = {
        "name": place + ending,
        "seed": 1 + (0 if known is None else known.seed),
        "data": data,
        "variant": variant.to_dict(),
        "recipe": with_defaults(Recipe.from_dict(spec.recipe or {}).to_dict()),
        "trials": 0,
        "baselines": [{"label": label[:MOST_LABEL]}],
        "finalists": {"seeds": options.seeds},
    }
    if start := run_first_weights(run):
        content["init"] = {"weights": start["init"], "prefix": start.get("weights_prefix")}
        _check_same_file(run, start)
    if known is not None:
        objective: Mapping[str, Any] = known.to_dict()["objective"]
        content["objective"] = {name: objective[name] for name in ("monitor", "mode")}
        if options.trust:
            files = sorted((study / PLUGIN_FOLDER).glob("*.py")) if study else []
            content["plugins"] = [str(file) for file in files]
    return content


def _check_same_file(run: Path, start: Mapping[str, str]) -> None:
    """Raise InputError where the weights that a run started from are gone, or others by now."""
    from hybrid_swin.interop.weights.source.files import init_hash  # torch

    expected = start.get("init_hash")
    if expected not in (None, init_hash(start["init"], start.get("weights_prefix"))):
        raise InputError(
            f"{str(run)!r} began from weights, and {start['init']!r} is another file by now; put "
            "it back"
        )

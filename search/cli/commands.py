"""The commands of the door: what each is called, its options, and the function that answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hybrid_swin.interop.export.options import ExportOptions
from hybrid_swin.system.options import Options
from hybrid_swin.system.program import program
from search.cli.cost.rows import Question
from search.cli.data.options import DataOptions
from search.cli.data.options import question_of as data_question
from search.cli.inspect.options import InspectQuestion
from search.cli.inspect.options import question_of as inspect_question
from search.cli.options import (
    AttributionOptions,
    BlocksOptions,
    CompareOptions,
    FiguresOptions,
    LeaderboardOptions,
    PapersOptions,
    RunOptions,
    SpaceOptions,
    StatusOptions,
    TimeOptions,
    WorkOptions,
)
from search.cli.retrain.options import RetrainOptions
from search.cli.retrain.options import question_of as retrain_question
from search.settings.comparison import DEFAULT_CONFIG as DEFAULT_COMPARISON
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ExperimentSettings
from search.settings.reading import parse_settings
from search.settings.study import DEFAULT_CONFIG, StudySettings

DESCRIPTION = """\
Which mix of local and global information is best for your images, at your budget, and how sure can
you be? Searches networks made of Swin's window attention and other branches beside it, retrains
the best over fresh seeds beside baselines and controls, and ranks them with intervals and ties.

Without a command it runs the default study on bundled real data: python search.py
"""

EPILOG = """\
examples:
  python search.py                                              the default study
  python search.py run --config configs/search/digits.yaml --trials 40 --finalists.seeds 5
  python search.py run --images photos --hours 1                your own images, done in an hour
  python search.py run --dry-run                                what it would train, and how long
  python search.py run --print_config > mine.yaml               all settings, to be edited
  python search.py work /shared/runs/mine                       from another machine: lend workers
  python search.py data photos                                  look at your images first
  python search.py space mine.yaml                              what there is to search, and fits
  python search.py status runs/digits --watch 2                 how it stands, from another shell
  python search.py leaderboard runs/digits                      the answer again; --all: all of it
  python search.py leaderboard runs/digits runs/wide            both studies in one table
  python search.py compare --dry-run                            arms and controls at equal cost
  python search.py compare --config reach.yaml                  which distance can a block bridge?
  python search.py retrain runs/digits --seeds 8                the winner again, over fresh seeds
  python search.py papers                                       what papers claim, to be rerun here
  python search.py attribution runs/digits-controls             effects of blocks by stage
  python search.py inspect runs/digits/finalists/0a1b2c/0       where it looks, what it needs
  python search.py blocks --plugin my_branch.py --check         test a branch of your own
  python search.py cost swin_t "w_msa+mdta:gate"                parameters and MACs; --measure: time
  python search.py export runs/digits/finalists/0a1b2c/0 --format onnx

The same command continues a study that was interrupted, also after kill -9.
Exit codes: 0 done, 2 something to fix (one message says what), 130 interrupted.
"""


@dataclass(frozen=True)
class Command:
    """One command."""

    about: str  # what it does, in a line
    options: type  # the dataclass of its options, whose docstring is its help
    function: str  # that answers it, as ``module:name``; imported only then, since it may be heavy
    positional: str = ""  # the option that words without ``--`` are for
    # what its config files hold, and which of them is meant without any
    settings: tuple[type[ExperimentSettings], str] | None = None
    # what its words ask, of a command whose words mean more than its options and settings say
    question: Callable[[Options, Sequence[str]], Any] | None = None

    def parser(self, name: str) -> Options:
        """The parser of its words."""
        parser = Options(f"{program()} {name}", self.options, self.positional)
        return parser.declare(self.settings[0]) if self.settings else parser

    def parse(self, name: str, words: Sequence[str]) -> tuple[Any, ...]:
        """What its function takes. Raises InputError for words that it does not."""
        parser = self.parser(name)
        if self.question:
            return (self.question(parser, words),)
        if self.settings:
            given: tuple[Any, ...] = parse_settings(parser, words, self.options, *self.settings)
            return (*given, words) if issubclass(self.options, TimeOptions) else given
        return (parser.build(self.options, words),)

    def run(self, name: str, words: Sequence[str]) -> int:
        """Answer it. Returns the exit code."""
        given = self.parse(name, words)
        module, _, function = self.function.partition(":")
        code: int = getattr(import_module(module), function)(*given)
        return code


_STUDY, _COMPARISON = (StudySettings, DEFAULT_CONFIG), (ComparisonSettings, DEFAULT_COMPARISON)

COMMANDS = {
    "run": Command(
        "run a study, or go on with it (the default)",
        RunOptions,
        "search.cli.experiments:run",
        settings=_STUDY,
    ),
    "compare": Command(
        "compare arms with controls at matched cost",
        CompareOptions,
        "search.cli.experiments:run",
        settings=_COMPARISON,
    ),
    "papers": Command(
        "published ablations to be rerun here, with their numbers",
        PapersOptions,
        "search.cli.papers:run",
        "name",
    ),
    "retrain": Command(
        "train a candidate again, at full length over fresh seeds",
        RetrainOptions,
        "search.cli.retrain.command:retrain",
        "target",
        _STUDY,
        retrain_question,
    ),
    "work": Command(
        "lend this machine's workers to a study that runs elsewhere",
        WorkOptions,
        "search.cli.work:run",
        "study",
    ),
    "space": Command(
        "what there is to search, and what fits",
        SpaceOptions,
        "search.cli.space:print_space",
        "config",
        _STUDY,
    ),
    "data": Command(
        "look at images as a network will be fed them",
        DataOptions,
        "search.cli.data.command:show_data",
        "config",
        _STUDY,
        data_question,
    ),
    "inspect": Command(
        "look into a network, trained or not",
        InspectQuestion,
        "search.cli.inspect.command:inspect",
        "target",
        question=inspect_question,
    ),
    "attribution": Command(
        "what each block does in each stage, from random trials or a comparison",
        AttributionOptions,
        "search.cli.attribution:run",
        "study",
    ),
    "leaderboard": Command(
        "show a study's leaderboard",
        LeaderboardOptions,
        "search.cli.leaderboard:run",
        "studies",
    ),
    "status": Command(
        "how a study stands, running or not", StatusOptions, "search.cli.status:run", "study"
    ),
    "figures": Command(
        "draw a study's figures again", FiguresOptions, "search.cli.figures:run", "study"
    ),
    "blocks": Command(
        "list branches and other parts; check your own",
        BlocksOptions,
        "search.cli.blocks:run",
        "names",
    ),
    "cost": Command(
        "what variants cost", Question, "search.cli.cost.command:print_costs", "variants"
    ),
    "export": Command(
        "write a trained network",
        ExportOptions,
        "hybrid_swin.training.hub.command:export",
        "checkpoint",
    ),
}

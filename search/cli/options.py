"""What may be said to each command; `inspect` and `cost` have theirs in folders of their own.

A docstring is the command's help: what it does, its options, examples.
"""

from dataclasses import dataclass
from typing import Literal

from hybrid_swin.errors import InputError
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.system.answer import JsonOptions, TableOptions
from search.settings.reading import ConfigOptions

TimeBy = Literal["estimate", "pilots", "none"]

MOST_WORKERS, MOST_PATIENCE = 1024, 366 * 24 * 60


@dataclass(frozen=True, kw_only=True)
class TimeOptions(ConfigOptions, JsonOptions):
    """Options of what trains: on which images, for how long.

    Args:
        images: your own images: one folder per class, a folder with train, val and test, a .csv or
            an .npz. All settings are proposed from what lies there and a timed pilot, and written
            to begin.yaml in the folder of the study or comparison.
        hours: the most that the whole command takes, its end page included: a study's trials and a
            comparison's seeds are fitted to it; with --images, 1 where left out.
        preset: with --images: quick, or careful with more seeds, trials and epochs; by the hours
            where left out.
        dry_run: train nothing: say what would be trained and at which cost, the time that timed
            pilots tell, and the smallest difference these seeds can show.
    """

    images: str | None = None
    hours: float | None = None
    preset: Literal["quick", "careful"] | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.preset is not None and self.images is None:
            raise InputError(
                f"--preset {self.preset} belongs to --images; a --config has its own numbers"
            )
        if self.images is not None and self.print_config:
            raise InputError(
                "--images writes all settings to begin.yaml; leave --print_config out, and give "
                "--dry-run to train nothing"
            )


@dataclass(frozen=True, kw_only=True)
class RunOptions(TimeOptions):
    """Run a study, or go on with it. Without --config: configs/search/digits.yaml.

    Any setting of the file can be overridden here, for example --recipe.epochs 20.

    Args:
        import_trials: known good candidates to try first: the folder of another study or
            comparison, its leaderboard.json or .csv, a network's YAML, or a list of block words.
            Finished runs of the same images, split, recipe and code are taken over.
        import_trials_top: how many of them at most; left out, all of a list, and of a study the ten
            best, but at most half of the trials.

    Examples:
      python search.py run --config mine.yaml --import-trials runs/wide
    """

    import_trials: str | None = None
    import_trials_top: int | None = None


@dataclass(frozen=True, kw_only=True)
class CompareOptions(TimeOptions):
    """Compare arms with their controls at matched cost over paired seeds, or go on with it.

    Without --config: configs/compare/digits.yaml. Any setting can be overridden here.
    """


@dataclass(frozen=True, kw_only=True)
class PapersOptions(JsonOptions):
    """List published ablations that can be rerun here, or show one of them whole.

    Each is a comparison in configs/papers with the published numbers in it. When it is run, it says
    beside its own numbers whether each published one is reproduced, contradicted, or cannot be told
    with these seeds.

    Args:
        name: one of them, to be shown whole; all of them if left out.
        time: how to find the hours that each takes on this machine: estimate, from counted MACs
            and a timed training step, in seconds; pilots, by timed pilot trainings, in minutes;
            none.

    Examples:
      python search.py papers
      python search.py papers swin_shift_and_bias --time pilots
      python search.py compare --config configs/papers/swin_shift_and_bias.yaml
    """

    name: str | None = None
    time: TimeBy = "estimate"


@dataclass(frozen=True, kw_only=True)
class SpaceOptions(ConfigOptions, JsonOptions):
    """What a study's space holds, before anything is trained.

    Its parameters, how many candidates they make, how many of these fit the budget, the lowest and
    highest cost, and the values that never fit. The study's file comes first; without one:
    configs/search/digits.yaml.

    Args:
        samples: combinations to draw where there are too many to look at one by one; more are
            slower and narrow the intervals.

    Examples:
      python search.py space
      python search.py space mine.yaml --budget.macs 50M
      python search.py space mine.yaml --samples 5000 --format json
    """

    samples: int = 1000


@dataclass(frozen=True, kw_only=True)
class LeaderboardOptions(CodeOptions, TableOptions):
    """Show a study's leaderboard, or what a comparison found; finished or not.

    Several studies stand in one table where they have the same objective, images and test split.

    Args:
        studies: the folder of the study or comparison; or of several studies.
        all: the full page: every row and every sentence, instead of the answer on one page.
        svg: write the full page as a picture as well.
    """

    studies: tuple[str, ...] = ("runs/digits",)
    all: bool = False
    svg: str | None = None


@dataclass(frozen=True, kw_only=True)
class StatusOptions(JsonOptions):
    """How a study or a comparison stands, from another shell while it runs, or after.

    What has ended, the machines with their slots and what they train, what waits and why, attempts
    that were lost and why, the best so far, the time left. Reads the folder only and disturbs
    nothing.

    Args:
        study: the folder of the study or comparison; or of several, to list them.
        watch: look again every so many seconds while it runs; json: one line each.
    """

    study: str = "runs/digits"
    watch: float | None = None


@dataclass(frozen=True, kw_only=True)
class FiguresOptions(JsonOptions):
    """Draw a study's figures again, finished or not, into STUDY/figures.

    The best score against trials and time, scores against costs, learning curves. A study draws
    them by itself at its end.

    Args:
        study: the folder of the study.
    """

    study: str = "runs/digits"


@dataclass(frozen=True, kw_only=True)
class AttributionOptions(CodeOptions, JsonOptions):
    """What each block does in each stage, with intervals that hold together with 95%.

    From the trials of a random study without early stopping, or from the paired seeds of a
    comparison's arms, matched in one way. Trials that a sampler chose or a rung stopped are
    refused: they are biased.

    Args:
        study: the folder of a study or of a comparison.
        out: a folder for attribution.json, .csv, .md and the heat map; the study's if left out.
        match: of a comparison, tell of the arms matched by this, such as macs or parameters; left
            out, the first of its match.by.
        interactions: also what the blocks of two stages do together beyond the sum of their
            effects.
        adjust: tell effects at equal cost of this kind; none: with what a block costs more in them.

    Examples:
      python search.py run --name random --sampler.name random --rungs.first 0 --trials 60
      python search.py attribution runs/random
      python search.py attribution runs/random --interactions --adjust macs --out effects/
      python search.py attribution runs/digits-controls --match parameters
    """

    study: str
    out: str | None = None
    match: str | None = None
    interactions: bool = False
    adjust: Literal["none", "macs", "parameters"] = "none"


@dataclass(frozen=True, kw_only=True)
class BlocksOptions(JsonOptions):
    """List branches, fusions and all other parts with their options, yours too; check them.

    Args:
        names: of parts to be shown; all of them if left out.
        plugin: a file with a part of your own, such as a branch, a data source or an optimizer; may
            be given again.
        check: run the contract tests on these plug-ins and names.

    Examples:
      python search.py blocks
      python search.py blocks rand_augment
      python search.py blocks --plugin my_branch.py --check
    """

    names: tuple[str, ...] = ()
    plugin: tuple[str, ...] = ()
    check: bool = False


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """Lend this machine's workers to a study that runs elsewhere, until it is over or Ctrl-C.

    The study's folder must be on a file system that both machines see. The study goes on without
    this machine when it leaves; its trainings continue elsewhere from their last checkpoints.

    Args:
        study: the folder of the study or comparison, as this machine sees it.
        count: worker processes; left out, one per visible GPU, else one per usable CPU core as
            memory allows.
        patience: minutes to wait for the study to be run, at the beginning and between two starts.

    Examples:
      python search.py work /shared/runs/mine
      python search.py work /shared/runs/mine --count 4 --patience 60
    """

    study: str
    count: int | None = None
    patience: float = 10.0

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= MOST_WORKERS:
            raise InputError(f"--count must be from 1 to {MOST_WORKERS}; got {self.count}")
        if not 0 < self.patience <= MOST_PATIENCE:
            raise InputError(
                f"--patience must be above 0 and at most {MOST_PATIENCE:,} minutes; got "
                f"{self.patience:g}"
            )

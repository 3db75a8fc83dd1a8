"""What variants cost, and what they would be if they cost as much as another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from hybrid_swin.cost import Cost, count_cost
from hybrid_swin.cost.width_solver import match_cost
from hybrid_swin.errors import InputError
from hybrid_swin.interop.variant_sources import resolve_variant
from hybrid_swin.spec import published, registry
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.own_code.trust import CodeOptions
from hybrid_swin.spec.run_reference import names_run
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.answer import TableOptions
from search.settings.kinds import read_variant
from search.space.budget import amount

if TYPE_CHECKING:
    from hybrid_swin.profiling.timing import Timing

By = Literal["parameters", "macs", "activations", "latency"]
Named = Sequence[tuple[str, Variant]]

_SIZE = re.compile(r"([0-9]{1,6})(?:x([0-9]{1,6}))?")
_MILLISECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:ms)?")


@dataclass(frozen=True)
class Question(CodeOptions, TableOptions):
    """What variants cost, side by side: parameters, MACs and activations in closed form.

    With --measure also time and memory; with --match as they would be if they cost as much as
    another.

    Args:
        variants: published names (swin_t), YAML files, folders of studies' runs, or block words
            such as w_msa+mdta, which take the place of Swin-T's blocks; none for all published
            ones.
        image_size: pixels instead of the variants' own, 224 or 224x160.
        match: change widths, then the MLP ratio, so that each costs what this variant costs; or an
            amount such as 2M, or milliseconds.
        by: the cost to match.
        tolerance: how nearly to match, as a share; left out, 0.01, and 0.05 for latency.
        measure: take time and memory of a forward pass and of a training step.
        device: what to measure on.
        threads: CPU threads to measure with.
        batch: images per step.
        rounds: samples of each, taken in turn.
        save: a folder to write the variants to, as YAML.
        plugin: a file with branches or fusions that the variants use; may be given again.

    Examples:
      python search.py cost                                         all published variants
      python search.py cost swin_t "w_msa+mdta" mine.yaml
      python search.py cost "w_msa+mdta" --match swin_t --by macs --save matched/
      python search.py cost mine.yaml --match 2M --by parameters
      python search.py cost swin_t hybrid_t --measure --batch 1 --image-size 64
    """

    variants: tuple[str, ...] = ()
    image_size: str | None = None
    match: str | None = None
    by: By = "macs"
    tolerance: float | None = None
    measure: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1
    batch: int = 8
    rounds: int = 10
    save: str | None = None

    @property
    def nearness(self) -> float:
        """The tolerance, given or not."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.05 if self.by == "latency" else 0.01


@dataclass(frozen=True)
class Measurement:
    """Time of a forward pass and of a training step, and the megabytes that each needs."""

    forward: "Timing"
    training: "Timing"
    forward_mb: float
    training_mb: float


@dataclass(frozen=True)
class CostRow:
    """One variant.

    ``relative`` holds by what share each cost exceeds that of the target, or of the first row;
    ``adjuster`` what was moved to match, empty where nothing was to be matched.
    """

    name: str
    variant: Variant
    cost: Cost
    relative: dict[str, float] = field(default_factory=dict)
    adjuster: str = ""
    measured: Measurement | None = None


def named_variants(question: Question) -> list[tuple[str, Variant]]:
    """What the question names; parts of the user's own become known."""
    for plugin in question.plugin:
        registry.add_plugin(plugin)
    for place in (*question.variants, question.match or ""):
        if names_run(place):
            adopt_kept_plugins(place, question.plugin, question.trust)
    names = question.variants or sorted(published.names(), key=lambda name: name != "swin_t")
    return [(name, find_variant(name, question.image_size)) for name in names]


def find_variant(name: str, image_size: str | None = None) -> Variant:
    """A published variant, a file's, a run's, or Swin-T with a word for its blocks."""
    is_file = name.endswith((".yaml", ".yml"))
    variant = read_variant(name) if is_file else resolve_variant(name)
    return variant if image_size is None else replace(variant, image_size=_read_size(image_size))


def _read_size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if not match:
        raise InputError(f"--image-size must be pixels such as 224 or 224x160; got {text!r}")
    return int(match[1]), int(match[2] or match[1])


def counted(named: Named) -> list[CostRow]:
    """Rows in closed form, compared with the first."""
    first, *rest = (CostRow(name, variant, count_cost(variant)) for name, variant in named)
    return [first, *(replace(row, relative=row.cost.relative_to(first.cost)) for row in rest)]


def matched(named: Named, question: Question) -> list[CostRow]:
    """Rows in closed form, each with the target's cost; where that is a variant, it comes first."""
    target = target_of(question)
    rows = reference_rows(question, target)
    for name, variant in others(named, question):
        match = match_cost(variant, target, question.by, tolerance=question.nearness)  # type: ignore[arg-type]  # not latency
        rows.append(CostRow(name, match.variant, match.cost, match.residuals, match.adjuster))
    return rows


def target_of(question: Question) -> Variant | float:
    """What is to be matched: a variant, an amount, or milliseconds."""
    text = str(question.match)
    if not text[:1].isdigit():
        return find_variant(text, question.image_size)
    if question.by != "latency":
        return amount(text, "--match")
    match = _MILLISECONDS.fullmatch(text)
    if not match:
        raise InputError(f"--match must be a variant or milliseconds such as 25; got {text!r}")
    return float(match[1])


def reference_rows(question: Question, target: Variant | float) -> list[CostRow]:
    """The row of what is matched, where that is a variant."""
    if not isinstance(target, Variant):
        return []
    return [CostRow(str(question.match), target, count_cost(target))]


def others(named: Named, question: Question) -> Named:
    """All but the reference, which has a row already."""
    return [(name, variant) for name, variant in named if name != question.match]

"""Which weight goes where: settled, and all errors found, before the network is touched."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from torch import Tensor, nn

from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.weights.comparison.attentions import (
    Attention,
    TakenBlock,
    attentions_of,
)
from hybrid_swin.interop.weights.comparison.block_differences import differences
from hybrid_swin.interop.weights.comparison.differences import Difference
from hybrid_swin.interop.weights.comparison.outside import look_at_pool, look_outside
from hybrid_swin.interop.weights.filling.fitting import fitting
from hybrid_swin.interop.weights.filling.mixers import (
    CONTINUOUS,
    SCALE,
    TABLE,
    MixerPlan,
    MixerSource,
    plan_mixer,
)
from hybrid_swin.interop.weights.filling.refusals import (
    check_numbers,
    refuse_incomplete,
    refuse_kinds,
    refuse_other_shell,
    refuse_other_version,
    refuse_parts,
    refuse_unread,
)
from hybrid_swin.interop.weights.filling.shell import plan_head, plan_shell, refuse
from hybrid_swin.interop.weights.report import BlockStart, Resized
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.block import Block
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.windows import MASKED
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import Part, arguments_of, own_window, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import Grid, Window

_IN_BLOCK = re.compile(r"^.*?(blocks\.\d+|features\.\d+\.\d+)\.")  # what leads to a block
_NOTHING = 16  # exp(-16) is nothing beside 1, in single precision


@dataclass
class LoadPlan:
    """What to do to a network.

    Args:
        values: by the network's own names.
        resized: those that were fitted to the network.
        used: names of the source's weights that have a place.
        blocks: how each block will start.
        starts: mixers that shall start as one of their branches, by the index of their block.
        differences: of blocks whose difference can be measured, by their index.
        attentions: the model's window attentions that take one of the source's.
        outside: what differs from the source outside of blocks.
        left_out: names of what gave the source's last map and has no place in the model.
        notes: for the user.
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    resized: list[Resized] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    blocks: list[BlockStart] = field(default_factory=list)
    starts: dict[int, tuple[Fusion, int]] = field(default_factory=dict)
    differences: dict[int, Difference] = field(default_factory=dict)
    attentions: list[Attention] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_plan(
    model: nn.Module, variant: Variant, source: WeightSource, strict: bool = True
) -> LoadPlan:
    """Compare a network with the weights of another.

    Without ``strict`` what does not fit is left fresh.

    Raises:
        InputError: the weights are of another network, or not all there.
    """
    target: dict[str, Tensor] = model.state_dict()
    refuse_unread(source)
    if strict:
        refuse_other_shell(source, target)
        refuse_other_version(source, variant, target)
    refuse_kinds(source)
    plan = LoadPlan(notes=[source.choice] if source.choice else [])
    plan.notes += source.judgement.notes
    if source.positions.tables:
        plan.notes.append(
            f"{len(source.positions.tables)} bias tables are reordered: the source's "
            "relative_position_index orders offsets otherwise"
        )
    refuse_incomplete(source, variant, target)
    source = _with_query_bias(plan, target, source)
    source = source if strict else fitting(source, variant, target)
    plan_shell(plan, target, source, strict)
    plan_head(plan, target, source)
    look_at_pool(plan, getattr(getattr(model, "head", None), "global_pool", None), source)
    if "norm.weight" in target and "norm.weight" not in plan.values:
        plan.outside.append("the source has no last norm; the model's is fresh")
    if isinstance(getattr(model, "norm", None), nn.Identity) and "norm.weight" in source.weights:
        plan.outside.append("the source has a last norm, which was taken out of the model")
    _plan_mixers(plan, model, variant, source, strict)
    _note_masks(plan, source)
    plan.notes += check_numbers(plan.values, target, source)
    look_outside(plan, variant, source)
    return plan


def _with_query_bias(
    plan: LoadPlan, target: Mapping[str, Tensor], source: WeightSource
) -> WeightSource:
    """The source with zeros where it has no biases of queries, keys and values: the same function.

    A network whose config says that it has none did not use those that may be in the file. Raises
    InputError where some attentions have them, or the config says that all do.
    """
    zeros: dict[str, Tensor] = {}
    for name, tensor in source.weights.items():
        if not name.endswith(".attn.qkv.weight") or tensor.ndim != 2:
            continue
        attention = name.removesuffix("qkv.weight")
        if f"{attention}{SCALE}" in source.weights:  # of V2
            zeros |= {
                f"{attention}{part}_bias": tensor.new_zeros(len(tensor) // 3) for part in "qv"
            }
        elif f"{attention}{TABLE}" in source.weights:
            zeros[f"{attention}qkv.bias"] = tensor.new_zeros(len(tensor))
    qkv_bias = source.judgement.config.qkv_bias
    if qkv_bias is not False:
        kinds = {bias.rpartition(".attn.")[2] for bias in zeros.keys() & source.weights.keys()}
        zeros = {bias: zero for bias, zero in zeros.items() if bias not in source.weights}
        partly = [bias for bias in zeros if qkv_bias or bias.rpartition(".attn.")[2] in kinds]
        if partly:
            refuse_parts(partly, source)
    if not zeros or not any(name.endswith((".qkv.bias", ".q_bias")) for name in target):
        return source
    keys = {bias: () for bias in zeros} | source.keys
    plan.notes.append("the source has no biases of queries, keys and values; ours start at zero")
    return replace(source, weights=source.weights | zeros, keys=keys)


def _plan_mixers(
    plan: LoadPlan, model: nn.Module, variant: Variant, source: WeightSource, strict: bool
) -> None:
    taken: list[TakenBlock] = []
    mixers = _mixer_names(source)
    stages: Any = model.layers
    blocks = [(i, j, b) for i, stage in enumerate(stages) for j, b in enumerate(stage.blocks)]
    for index, (i, j, block) in enumerate(blocks):
        name, word = f"layers.{i}.blocks.{j}", variant.block_words[i][j]
        prefix = f"{name}.attn."
        theirs = _mixer_source(source, i, j, mixers)
        try:
            mixer = plan_mixer(block.attn, word, theirs)
        except InputError as error:
            if strict:
                refuse([f"{name}: {error}"], model.state_dict(), source)
            why = str(error) if theirs.weights else "the source has no such block"
            mixer = MixerPlan("fresh", why)
        plan.values |= {prefix + n: tensor for n, tensor in mixer.values.items()}
        plan.resized += [replace(r, name=prefix + r.name) for r in mixer.resized]
        plan.used |= {prefix + n for n in theirs.weights if mixer.takes(n)}
        if mixer.base is not None and isinstance(block.attn, Fusion):
            plan.starts[index] = block.attn, mixer.base
        if isinstance(block.norm1, nn.Identity):
            _copy_norm(plan, block, name, source)
        taken.append(TakenBlock(variant, i, j, block, mixer, theirs))
    plan.notes += _assumed_windows(taken)
    for index, at in enumerate(taken):  # all is known by now of what has a place
        plan.blocks.append(_start(plan, index, at, source))
        plan.attentions += attentions_of(at, source.variant)


def _assumed_windows(taken: Iterable[TakenBlock]) -> list[str]:
    """A note on windows whose bias tables could be those of windows that lie the other way."""
    assumed = {
        cast(Grid, module.window)
        for at in taken
        if at.mixer.values and not at.mixer.resized and at.theirs.window is None
        for module in at.block.attn.modules()
        if hasattr(module, TABLE)
    }
    return [
        f"the source does not say whether its windows are {h}x{w} or {w}x{h}; they are taken for "
        f"{h}x{w}, the model's"
        for h, w in sorted(assumed)
        if h != w
    ]


def _start(plan: LoadPlan, index: int, at: TakenBlock, source: WeightSource) -> BlockStart:
    """How a block starts."""
    how, why = at.mixer.how, at.mixer.why
    if how != "fresh":
        all_differences = list(differences(at, source))
        unplaced = _unplaced(plan, at.name, source)
        if unplaced:
            plan.left_out += unplaced
            parts = few([_IN_BLOCK.sub("", name) for name in unplaced])
            all_differences.append(Difference(f"no place for the source's {parts}"))
        certain = [difference for difference in all_differences if difference.certain]
        if all_differences:
            first = (certain or all_differences)[0]
            how = "changed" if certain else "unsure"
            why = "; ".join(difference.why for difference in all_differences)
            if first.theirs is not None:
                plan.differences[index] = first
    return BlockStart(at.name, at.word.spelled(), how, why)


def _unplaced(plan: LoadPlan, block: str, source: WeightSource) -> list[str]:
    """The source's names of what belongs to a block and has no place in the model's."""
    own = [n for n in source.weights if n.startswith(f"{block}.") and n not in plan.used]
    named = [key for name in own for key in source.keys[name]]
    return named + [key for key, place in source.leftover.items() if place == block]


def _mixer_names(source: WeightSource) -> set[frozenset[str]]:
    """Names of the weights within each mixer of a source."""
    mixers: dict[str, set[str]] = {}
    for name in source.weights:
        block, inside, own = name.partition(".attn.")
        if inside:
            mixers.setdefault(block, set()).add(own)
    return {frozenset(names) for names in mixers.values()}


def _mixer_source(
    source: WeightSource, i: int, j: int, others: Collection[frozenset[str]]
) -> MixerSource:
    block = f"layers.{i}.blocks.{j}"
    weights = source.inside(f"{block}.attn.")
    if source.variant is not None and weights:
        theirs, word = source.variant, source.variant.block_words[i][j]
        grid, window = theirs.grids[i], theirs.window_sizes[i]
        windows = tuple(_table_window(part, grid, window) for part in word.branches)
        return MixerSource(weights, str(word), True, windows[0], windows, others)
    their_window = source.positions.windows.get(block, source.judgement.config.window_at(i))
    plain = TABLE in weights or {SCALE, CONTINUOUS} <= weights.keys()
    kind = ("sw_msa" if j % 2 else "w_msa") if plain or source.is_foreign else None
    return MixerSource(weights, kind, source.is_foreign, their_window, others=others)


def _table_window(part: Part, grid: Grid, window: Window) -> Grid:
    """The window whose offsets are the rows of a branch's table; a plug-in's code is not run."""
    if registry.plugin_hash("branch", part.name):
        return window_layout(part, grid, window).window
    branch, options = registry.load("branch", part.name), arguments_of("branch", part)
    its: Grid = branch.table_window(own_window(part, window), grid, **options)
    return its


def _copy_norm(plan: LoadPlan, block: Block, name: str, source: WeightSource) -> None:
    """The source's first norm for each branch that has one of its own, of that width."""
    for own, tensor in block.state_dict().items():
        norm = re.fullmatch(r"attn\.branches\.\d+\.norm\.(weight|bias)", own)
        given = source.weights.get(f"{name}.norm1.{norm[1]}") if norm else None
        if norm and given is not None and given.shape == tensor.shape:
            plan.values[f"{name}.{own}"] = given
            plan.used.add(f"{name}.norm1.{norm[1]}")


def _note_masks(plan: LoadPlan, source: WeightSource) -> None:
    """Say where a mask that is added twice may hide what ours, as the authors', does not quite."""
    rules = next((rules for rules in source.judgement.rules if rules.masks > 1), None)
    logs = [t for n, t in plan.values.items() if n.endswith(f".{SCALE}") and t.numel()]
    largest = min(max((float(t.float().max().exp()) for t in logs), default=0.0), 100.0)
    if rules is not None and 2 * largest + 16 > -MASKED - _NOTHING:
        plan.notes.append(
            f"{rules.library} adds {rules.masks * MASKED:g} to hidden pairs where ours, as the "
            f"authors' code, adds {MASKED:g}: with cosines scaled by up to {largest:.0f} some may "
            "not be quite hidden"
        )

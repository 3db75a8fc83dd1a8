"""Which of a mixer's weights a plain attention, or another mixer, can fill."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from torch import Tensor, nn

from hybrid_swin.cost import Grid
from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.weights.report import How, Resized
from hybrid_swin.network.branches import Branch, NormedBranch
from hybrid_swin.network.branches._window_attention import WindowAttention
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.output_gates import OUTPUT_GATE, gate_behind
from hybrid_swin.network.resizing import window_of_table, windows_of
from hybrid_swin.spec.block_words import REGISTERS, BlockWord, parse

TABLE = "relative_position_bias_table"
SCALE, CONTINUOUS = "logit_scale", "cpb_mlp.0.weight"  # of Swin V2's attention
_WINDOWED = "w_msa", "sw_msa"


@dataclass(frozen=True)
class MixerSource:
    """The weights of one block's mixer.

    Args:
        weights: by our names within the mixer, such as ``qkv.weight``; those of a plain Swin's
            attention have the same.
        kind: the mixer's block word, such as ``sw_msa``; none if unknown.
        certain: whether ``kind`` is known, and not only what a plain Swin would have.
        window: what the source says of its windows, if it does.
        windows: the same of each branch, where the source is a network of ours.
        others: names of the weights of each mixer in the source.
    """

    weights: Mapping[str, Tensor]
    kind: str | None = None
    certain: bool = False
    window: Grid | None = None
    windows: tuple[Grid, ...] = ()
    others: Collection[frozenset[str]] = ()

    @property
    def is_bare(self) -> bool:
        """Whether it is one branch."""
        return not any(name.startswith("branches.") for name in self.weights)

    @property
    def name(self) -> str:
        """The first branch of its word, without options; empty where it is not known."""
        return (self.kind or "").partition("(")[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is the attention of a plain Swin, or of a network of ours with the same."""
        return self.is_bare and self.kind in _WINDOWED

    def window_of(self, table: str) -> Grid | None:
        """What the source says of the windows of a bias table, by the table's name."""
        first, _, rest = table.partition(".")
        branch = int(rest.partition(".")[0]) if first == "branches" else 0
        return self.windows[branch] if branch < len(self.windows) else self.window


@dataclass(frozen=True)
class MixerPlan:
    """What a mixer takes, by its own names, and the branch that it then starts as, if any."""

    how: How
    why: str = ""
    values: Mapping[str, Tensor] = field(default_factory=dict)
    resized: tuple[Resized, ...] = ()
    base: int | None = None

    def takes(self, name: str) -> bool:
        """Whether a weight of the source, by its name within the mixer, has a place."""
        return any(own == name or own.endswith(f".{name}") for own in self.values)


def plan_mixer(mixer: Branch | Fusion, word: BlockWord, source: MixerSource) -> MixerPlan:
    """What a mixer can take of a source, without touching it.

    The whole of it where both are the same mixer; else, of a single branch, into the branch of
    several that is the most like it: ``base`` says which, and ``identity_start(base)`` is the
    caller's to do.

    Raises:
        InputError: an attention of which a part is missing, one of another number of heads, or a
            bias table of no window.
    """
    if _may_be(word, source):
        whole = _fit(source, mixer, "")
        if whole is not None:
            return MixerPlan("taken", "", *whole)
    if isinstance(mixer, Fusion) and source.is_bare:
        for k in _candidates(word, source.name):
            branch = mixer.branches[k]
            normed = isinstance(branch, NormedBranch)
            inner = branch.branch if isinstance(branch, NormedBranch) else branch
            fitted = _fit(source, inner, f"branches.{k}.{'branch.' if normed else ''}")
            if fitted is not None:
                return MixerPlan("identity start", "", *fitted, base=k)
    return MixerPlan("fresh", _why_fresh(word, source))


def start_alone(fusion: Fusion, base: int, identity_start: bool) -> str:
    """Let a mixer start as one of its branches, if ``identity_start``; returns why it does not."""
    if not identity_start:
        return "an identity start was not asked for"
    if not fusion.identity_start(base):
        return "its fusion cannot start as one of its branches, so the others act at once"
    gate = gate_behind(fusion)
    if gate is not None:
        gate.start()
    return ""


def _new_parts(mixer: nn.Module, source: MixerSource) -> dict[str, Tensor]:
    """Values of what a mixer may have beyond the source's: a gate behind it, and registers.

    A gate is then at its start, the identity. Registers stay as they are.
    """
    values: dict[str, Tensor] = {}
    gate = gate_behind(mixer)
    if gate is not None:
        gate = deepcopy(gate)
        gate.start()
        values = {f"{OUTPUT_GATE}.{name}": tensor for name, tensor in gate.state_dict().items()}
    for name, tensor in mixer.state_dict().items():
        if f".{name}".endswith(f".{REGISTERS}.tokens"):
            values[name] = tensor
    return {name: tensor for name, tensor in values.items() if name not in source.weights}


def _may_be(word: BlockWord, source: MixerSource) -> bool:
    """Whether a source can be a mixer of this word, names and shapes aside.

    Another option is no other mixer: its weights may fit, and what it changes is for the report.
    """
    if source.kind is None or not source.certain:
        return True
    theirs = parse(source.kind).canonical()
    if len(theirs.branches) != len(word.branches):
        return False
    if len(word.branches) > 1 and theirs.joined_by.name != word.joined_by.name:
        return False
    pairs = zip(theirs.branches, word.branches, strict=True)
    return all(_alike(one.name, other.name) for one, other in pairs)


def _candidates(word: BlockWord, name: str) -> list[int]:
    """The branches that are of a kind, those exactly of it first."""
    alike = [k for k, part in enumerate(word.branches) if _alike(name, part.name)]
    return sorted(alike, key=lambda k: word.branches[k].name != name)


def _alike(one: str, other: str) -> bool:
    return one == other or {one, other} == set(_WINDOWED)


def _fit(
    source: MixerSource, module: nn.Module, prefix: str
) -> tuple[dict[str, Tensor], tuple[Resized, ...]] | None:
    """A module's values, and which of them were resized; None if names or shapes differ."""
    new = _new_parts(module, source)
    target = {name: tensor for name, tensor in module.state_dict().items() if name not in new}
    unread = _unread_tables(source, module)
    weights = {name: tensor for name, tensor in source.weights.items() if name not in unread}
    if target.keys() != weights.keys():
        _check_complete(source, target)
        return None
    values, resized = {}, []
    sized = _sized_weights(module)
    if any(target[n].shape != weights[n].shape for n in target if n not in sized):
        _check_heads(source, target)
        return None
    for name, heads in unread.items():
        _check_table_heads(source.weights[name], heads)
    for name, tensor in weights.items():
        if name in sized:
            fitted = _fit_sized(tensor, target[name], sized[name], name, source)
            if fitted is None:
                return None
            if fitted is not tensor:
                shapes = tuple(tensor.shape), tuple(fitted.shape)
                resized.append(Resized(prefix + name, *shapes))
            tensor = fitted
        values[prefix + name] = tensor
    values |= {prefix + name: tensor for name, tensor in new.items()}
    return values, tuple(resized)


def _sized_weights(module: nn.Module) -> dict[str, Branch]:
    """The branch of each weight that is as large as a window or a map."""
    return {
        f"{path}.{name}".lstrip("."): part
        for path, part in module.named_modules()
        if isinstance(part, Branch)
        for name in part.sized_weights()
    }


def _unread_tables(source: MixerSource, module: nn.Module) -> dict[str, int]:
    """Bias tables of a source where an attention here has no position bias, with its heads."""
    unread = {
        f"{path}.{TABLE}".lstrip("."): part.num_heads
        for path, part in module.named_modules()
        if isinstance(part, WindowAttention) and part.position_bias == "none"
    }
    return {name: heads for name, heads in unread.items() if name in source.weights}


def _check_complete(source: MixerSource, target: Mapping[str, Tensor]) -> None:
    """Refuse a mixer of which a part is missing, which is no other mixer but a damaged one.

    It is if it is known for an attention; else if another mixer of the source has all that this one
    should have, and the rest of the part's layer, or branch, is there.
    """
    if not source.weights.keys() < target.keys() or _says_no_bias(source):
        return
    missing = target.keys() - source.weights.keys()
    is_attention = TABLE in target or SCALE in target
    if source.name in _WINDOWED and is_attention:
        raise InputError(f"the attention has no {few(sorted(missing))} in the source")
    layers = [name.rpartition(".")[0] for name in missing]
    lost = any(n.startswith(f"{layer}.") for layer in layers if layer for n in source.weights)
    if source.kind is None and frozenset(target) in source.others and (lost or is_attention):
        raise InputError(
            f"the mixer has no {few(sorted(missing))} in the source, where others like it have it"
        )


def _says_no_bias(source: MixerSource) -> bool:
    """Whether the source is known to have an attention without position bias."""
    parts = parse(source.kind).branches if source.kind and source.certain else ()
    return any(part.kwargs.get("bias") == "none" for part in parts)


def _check_heads(source: MixerSource, target: Mapping[str, Tensor]) -> None:
    """Refuse an attention of V2 that is as wide and has another number of heads."""
    if SCALE not in target or target["qkv.weight"].shape != source.weights["qkv.weight"].shape:
        return
    there, here = source.weights[SCALE].numel(), target[SCALE].numel()
    if there != here:
        raise InputError(f"the attention has {there} heads in the source, {here} in the model")


def _fit_sized(
    weight: Tensor, target: Tensor, branch: Branch, path: str, source: MixerSource
) -> Tensor | None:
    """A weight for the model's window or map; None if the source does not say of which it is.

    Raises InputError for a bias table of other heads, or of no window.
    """
    name = path.rpartition(".")[2]
    after = branch.sized_weights()[name]
    if name in branch.bias_tables():
        _check_table_heads(weight, target.shape[1])
        before = window_of_table(weight.shape[0], after, source.window_of(path))
        if before is None:
            raise InputError(_which_window(weight.shape[0]))
    elif source.windows:
        before = source.window_of(path)
    else:
        return weight if weight.shape == target.shape else None
    return weight if before in (None, after) else branch.fitted(name, weight, before)


def _check_table_heads(table: Tensor, ours: int) -> None:
    if table.ndim != 2 or table.shape[1] != ours:
        heads = table.shape[1] if table.ndim == 2 else "no"
        raise InputError(f"the attention has {heads} heads in the source, {ours} in the model")


def _which_window(offsets: int) -> str:
    possible = [f"{height}x{width}" for height, width in windows_of(offsets)[:2]]
    if not possible:
        return f"a bias table of {offsets} offsets is that of no window"
    return (
        f"a bias table of {offsets} offsets is that of windows of {' or '.join(possible)}, and the "
        "source does not say which; make the model with the source's window_size, load, then call "
        "set_input_size(window_size=...)"
    )


def _why_fresh(word: BlockWord, source: MixerSource) -> str:
    if not source.is_bare:
        return "other branches or another fusion in the source"
    if source.name not in _WINDOWED:
        return f"no branch that is the source's {source.kind or 'mixer'}"
    if not any(part.name in _WINDOWED for part in word.branches):
        return "no window attention to take the source's"
    return "its window attention has another width or other parameters than the source's"

"""The grammar of block words, ``conv(kernel=7)+w_msa:gate``.

::

    word   = branch {"+" branch} [":" fusion]
    branch = name ["(" option {";" option} ")"]      (a fusion likewise)
    option = key "=" value                           (true, false, a number or a bare name)

Options are separated by ``;`` because an unquoted comma in a YAML list silently makes two strings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec import registry
from hybrid_swin.spec.options import OptionValue, Sides
from hybrid_swin.spec.part_words import PART, VALUE, without_defaults
from hybrid_swin.spec.part_words import Part as Part
from hybrid_swin.spec.registry import PartKind
from hybrid_swin.spec.window_rules import (
    Grid,
    Window,
    WindowLayout,
    lay_windows,
    sides_of,
    window_of,
)

DEFAULT_FUSION = "sum"
GATE = "gate"  # an option of every fusion, which stands behind it
WINDOWED = "w_msa", "sw_msa", "grid", "overlap"
LAYING = "small_map", "shift", "roll"  # options that only say how windows lie
WINDOW = "window_size"  # an option of every branch that has windows, instead of its stage's
REGISTERS = "registers"  # learned tokens beside those of a window
MOST_REGISTERS = 1_000  # beyond any use
PRETRAINED = "pretrained_window_size"  # of a continuous position bias
LONGEST_WORD = 1_000  # characters; beyond any block

_COUNT = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class BlockWord:
    """What one block mixes with: its branches and how they join.

    ``fusion`` is None if none was named: for one branch, or for several that are summed.
    """

    branches: tuple[Part, ...]
    fusion: Part | None = None

    def __str__(self) -> str:
        joined = "+".join(map(str, self.branches))
        return f"{joined}:{self.fusion}" if self.fusion else joined

    @property
    def joined_by(self) -> Part:
        """The fusion of several branches, named or not."""
        return self.fusion or Part(DEFAULT_FUSION)

    @property
    def is_bare(self) -> bool:
        """Whether it is one branch and nothing else."""
        return len(self.branches) == 1 and self.fusion is None

    @property
    def mixes_places(self) -> bool:
        """Whether a token's output can depend on other tokens: not where no branch mixes any.

        Fusions and gates that are named may mix by themselves, so all but a sum count as mixing.
        """
        return self.joined_by != Part(DEFAULT_FUSION) or any(map(_mixes_places, self.branches))

    def canonical(self) -> "BlockWord":
        """The same network in its one spelling, of which identities are made.

        Options at their default are dropped, the default fusion is named, and branches are sorted
        by the alphabet unless the fusion's order matters.
        """
        return self._in_order()

    def spelled(self) -> str:
        """The canonical word as people write it: windows first, the default fusion not named.

        Windows come first because the other branches stand beside them: ``w_msa+mdta:gate``.
        """
        word = self._in_order(windows_first=True)
        return str(BlockWord(word.branches) if word.fusion == Part(DEFAULT_FUSION) else word)

    def _in_order(self, windows_first: bool = False) -> "BlockWord":
        branches = tuple(without_defaults("branch", b) for b in self.branches)
        if self.is_bare:
            return BlockWord(branches)
        fusion = without_defaults("fusion", self.joined_by)
        constants = registry.describe("fusion", fusion.name).constants
        if not constants.get("ordered", False):
            per_branch = constants.get("per_branch", ())
            branches, fusion = _sorted(branches, fusion, per_branch, windows_first)
        return BlockWord(branches, fusion)

    def plugin_hashes(self) -> dict[str, str]:
        """Source hashes of the plug-ins in this word: a part of what the network is."""
        parts: list[tuple[PartKind, Part]] = [("branch", b) for b in self.branches]
        if self.fusion:
            parts.append(("fusion", self.fusion))
        hashes = {f"{kind} {p.name}": registry.plugin_hash(kind, p.name) for kind, p in parts}
        return {part: digest for part, digest in sorted(hashes.items()) if digest}


def parse(text: str) -> BlockWord:
    """Read and check a word. Raises InputError that names the word and the mistake."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"a block is a word such as 'w_msa' or 'w_msa+mdta:gate'; got {text!r}")
    check_length(text, "block word")
    if not text.isascii():
        raise InputError(f"block word {text!r} must be plain ASCII")
    parts: list[Part] = []
    fusion: Part | None = None
    separator, position = "+", 0
    while True:
        match = PART.match(text, position)
        if not match or fusion is not None:
            raise InputError(_grammar_message(text, position))
        kind: PartKind = "fusion" if separator == ":" else "branch"
        part = _checked(kind, match[1], match[2], text)
        if kind == "fusion":
            fusion = part
        else:
            parts.append(part)
        position = match.end()
        if position == len(text):
            break
        separator = text[position]
        if separator not in "+:":
            raise InputError(_grammar_message(text, position))
        position += 1
    word = BlockWord(tuple(parts), fusion)
    if fusion is not None or len(parts) > 1:
        _check_fusion(word.joined_by, parts, text)
    return word


def check_length(text: str, what: str) -> None:
    """Raise InputError for a word that no block can have, before it costs anything to read."""
    if len(text) > LONGEST_WORD:
        raise InputError(
            f"{what} {quote(text)} has {len(text):,} characters; give at most {LONGEST_WORD:,}"
        )


def _mixes_places(part: Part) -> bool:
    options = registry.describe("branch", part.name).constants.get("mixes_by")
    return options is None or any(part.kwargs.get(name, True) for name in options)


def gate_of(fusion: Part) -> str:
    """The gate behind a fusion, ``none`` if there is none."""
    is_common = GATE in registry.describe("fusion", fusion.name).common
    return str(fusion.kwargs.get(GATE, "none")) if is_common else "none"


def arguments_of(kind: PartKind, part: Part) -> dict[str, OptionValue]:
    """The options that the class of a part takes: not those common to all of its kind."""
    common = registry.describe(kind, part.name).common
    return {key: value for key, value in part.options if key not in common}


def own_window(part: Part, window_size: Window) -> Window:
    """The window that a branch is made for: the one of its word, else its stage's."""
    own = part.kwargs.get(WINDOW)
    return window_of((own.height, own.width)) if isinstance(own, Sides) else window_size


def without_idle_fusion(text: str) -> str:
    """``w_msa:gate`` as ``w_msa``, since one branch leaves a fusion nothing to join.

    A gate stays, ``w_msa:concat(gate=se)`` as ``w_msa:sum(gate=se)``. What is not such a word stays
    as it is. Raises InputError for a fusion that does not exist.
    """
    branch, _, joined = text.partition(":")
    fusion = PART.fullmatch(joined)
    if fusion is None or not PART.fullmatch(branch):
        return text
    gate = gate_of(_checked("fusion", fusion[1], fusion[2], text))
    return branch if gate == "none" else f"{branch}:{Part(DEFAULT_FUSION, ((GATE, gate),))}"


def _checked(kind: PartKind, name: str, inside: str | None, word: str) -> Part:
    part = registry.describe(kind, name)
    options = part.read_options(inside, f"block word {word!r}", VALUE)
    if name in WINDOWED:
        _check_scale(options, word)
    return Part(name, tuple(sorted(options.items())))


def _check_scale(options: Mapping[str, Any], word: str) -> None:
    side = options.get(PRETRAINED)
    if not isinstance(side, int) or side == 0:
        return
    if options.get("bias") != "continuous":
        raise InputError(
            f"block word {word!r}: {PRETRAINED}={side} scales a continuous position bias; add "
            f"bias=continuous, or leave {PRETRAINED} out"
        )


def with_registers(word: BlockWord, count: int) -> BlockWord:
    """The word with so many registers for each branch that takes some and does not say how many."""
    return BlockWord(tuple(_with_registers(part, count) for part in word.branches), word.fusion)


def _with_registers(part: Part, count: int) -> Part:
    option = registry.describe("branch", part.name).options.get(REGISTERS)
    if option is None or option.type is not int or REGISTERS in part.kwargs:
        return part
    return Part(part.name, tuple(sorted((*part.options, (REGISTERS, count)))))


def _check_fusion(fusion: Part, branches: Sequence[Part], word: str) -> None:
    constants = registry.describe("fusion", fusion.name).constants
    count = len(branches)
    least, most = constants.get("min_branches", 2), constants.get("max_branches")
    if count == 1 and fusion.name == DEFAULT_FUSION and gate_of(fusion) != "none":
        return  # the gate alone
    if count < least or (most is not None and count > most):
        allowed = f"at least {least}" if most is None else f"{least} to {most}"
        if least == most:
            allowed = f"exactly {least}"
        raise InputError(
            f"block word {word!r}: fusion {fusion.name!r} joins {allowed} branches, "
            f"the word has {count}" + _single_gate_hint(fusion, count)
        )
    if constants.get("needs_value_gate") and not any(_gates(b.name) for b in branches):
        able = ", ".join(name for name in registry.names("branch") if _gates(name))
        raise InputError(
            f"block word {word!r}: fusion {fusion.name!r} gates the values of one branch by the "
            f"other, and none of these has values to gate; join one of {able}"
        )
    for key, value in without_defaults("fusion", fusion).options:
        values = str(value).split("-")
        whole = all(_COUNT.fullmatch(v) for v in values)
        if key in constants.get("per_branch", ()) and not (whole and len(values) == count):
            example = "-".join(map(str, range(1, count + 1)))
            raise InputError(
                f"block word {word!r}: option {key}={value} does not fit {count} branches; "
                f"write one whole number above 0 for each, for example {key}={example}"
            )


def _single_gate_hint(fusion: Part, count: int) -> str:
    if count > 1 or gate_of(fusion) == "none":
        return ""
    return f"; behind one branch write the gate alone, :{DEFAULT_FUSION}({GATE}={gate_of(fusion)})"


def _gates(branch: str) -> bool:
    return bool(registry.describe("branch", branch).constants.get("gates_values"))


def window_layout(
    part: Part, grid: Grid, window_size: Window, size: Grid | None = None
) -> WindowLayout:
    """How the windows of `w_msa`, `sw_msa` or `grid` lie on their nominal map, or on another."""
    given: dict[str, Any] = {k: v for k, v in part.options if k in LAYING}
    window_size = own_window(part, window_size)
    if part.name == "sw_msa":
        given.setdefault("shift", "axis")
    laid = lay_windows(grid, sides_of(window_size), **given)
    return laid if size is None else lay_windows(size, laid.window, **given, nominal=grid)


def _sorted(
    branches: tuple[Part, ...], fusion: Part, per_branch: Iterable[str], windows_first: bool
) -> tuple[tuple[Part, ...], Part]:
    """Sort the branches, and with them the options that hold one value per branch (``1-3``)."""
    options = fusion.kwargs
    split = {key: str(options[key]).split("-") for key in per_branch if key in options}
    order = sorted(
        range(len(branches)),
        key=lambda i: (
            windows_first and branches[i].name not in WINDOWED,
            str(branches[i]),
            *(int(values[i]) for values in split.values()),
        ),
    )
    for key, values in split.items():
        options[key] = "-".join(values[i] for i in order)
    return tuple(branches[i] for i in order), Part(fusion.name, tuple(sorted(options.items())))


def _grammar_message(text: str, position: int) -> str:
    return (
        f"block word {quote(text)} cannot be read from {quote(text[position:], 40)} on; write "
        "branch+branch:fusion with options in brackets, for example 'conv(kernel=7)+w_msa:gate'"
    )

"""Which retrained rows are controls of others, and which part each control takes away.

A control is a baseline that is the same network with the same recipe but for one part of its block
words. It is told by the networks, not by labels, so it is known before anything is trained.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import GATE, BlockWord, Part, gate_of, parse
from search.leaderboard.rows.row import Row

SIZE = "size"  # the cause that a `pointwise` branch of equal cost shows
_POINTWISE = "pointwise"
# Options that switch a part of a branch off, by the names that comparisons give these parts.
_PARTS = {"attention": "channel attention", "depthwise": "depthwise convolution"}
_SOLVED = ("width", "num_heads")  # what costs are matched by


def cause_of(row: Row, control: Row, matched: bool = False) -> str:
    """The part that the row has beyond its control; empty if it is not a control of the row.

    Args:
        row: a retrained row.
        control: another one.
        matched: whether widths were solved to meet a cost, so that they differ between the two.
    """
    if not control.is_baseline or row.recipe != control.recipe:
        return ""
    if row.variant is None or control.variant is None:
        return ""
    if _rest(row.variant, matched) != _rest(control.variant, matched):
        return ""
    mine, other = _words(row.variant), _words(control.variant)
    if len(mine) != len(other):
        return ""
    causes = {_part(a, b) for a, b in zip(mine, other, strict=True) if a != b}
    return causes.pop() if len(causes) == 1 else ""


def _rest(variant: Mapping[str, Any], matched: bool) -> str:
    """All of a network but its block words."""
    left_out = {"blocks", *(_SOLVED if matched else ())}
    stages = [
        {name: value for name, value in stage.items() if name not in left_out}
        for stage in variant.get("stages", ())
    ]
    others = {k: v for k, v in variant.items() if not (matched and k == "mlp_ratio")}
    return json.dumps({**others, "stages": stages}, sort_keys=True, default=str)


def _words(variant: Mapping[str, Any]) -> list[str]:
    """The word of every block, cycled over each stage's depth."""
    return [
        stage["blocks"][place % len(stage["blocks"])]
        for stage in variant.get("stages", ())
        for place in range(stage["depth"])
    ]


def _part(text: str, other: str) -> str:
    """What the first word has and the second lacks, if that is one part; else empty."""
    try:
        mine, control = parse(text).canonical(), parse(other).canonical()
    except InputError:  # of a plug-in that is not there
        return ""
    left, gone = _left(mine, control), _left(control, mine)
    gate, other_gate = gate_of(mine.joined_by), gate_of(control.joined_by)
    if gate != other_gate:
        alone = not left and not gone and _without_gate(mine) == _without_gate(control)
        return f"gate {gate}" if alone and other_gate == "none" else ""
    if not left and not gone:
        return f"fusion {mine.fusion}" if mine.fusion != control.fusion else ""
    if mine.fusion != control.fusion and len(control.branches) > 1:
        return ""
    if len(left) != 1 or len(gone) > 1:
        return ""
    return _branch(left[0], gone[0]) if gone else left[0].name


def _without_gate(word: BlockWord) -> Part:
    fusion = word.joined_by
    return Part(fusion.name, tuple(o for o in fusion.options if o[0] != GATE))


def _left(word: BlockWord, other: BlockWord) -> Sequence[Part]:
    return sorted((Counter(word.branches) - Counter(other.branches)).elements())


def _branch(mine: Part, control: Part) -> str:
    """The part that a branch has beyond another one in its place."""
    if control.name == _POINTWISE:
        return SIZE
    if mine.name != control.name:
        return ""
    less = set(control.options) - set(mine.options)
    if set(mine.options) - set(control.options) or len(less) != 1:
        return ""
    ((name, value),) = less
    return _PARTS.get(name, f"{name} of {mine.name}") if value is False else ""

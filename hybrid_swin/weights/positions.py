"""What a source keeps beside its weights of who attends to whom: taken over, or said to differ.

Most files leave it out, or hold what follows from sizes. A code of its own may order the offsets of
its bias tables otherwise, or mask other tokens: by the same weights it computes something else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hybrid_swin.cost import Grid
from hybrid_swin.weights.layouts import place_of
from hybrid_swin.weights.mixers import TABLE
from hybrid_swin.weights.resizing import windows_of
from hybrid_swin.window_rules import WindowLayout
from hybrid_swin.windows import relative_position_index, shift_mask

_INDEX, _MASK = "relative_position_index", "attn_mask"


@dataclass(frozen=True)
class Positions:
    """By timm's names of blocks.

    Args:
        tables: bias tables in our order, where the source's index orders them otherwise.
        odd: blocks of which no order of the table gives what the source's index gives.
        masks: the source's masks of shifted windows.
        windows: of the tables, by the source's index.
    """

    tables: Mapping[str, Tensor] = field(default_factory=dict)
    odd: frozenset[str] = frozenset()
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    windows: Mapping[str, Grid] = field(default_factory=dict)


def read_positions(
    raw: Mapping[str, Tensor], named: Mapping[str, Tensor], layout: str, prefix: str
) -> Positions:
    """What a source says of positions.

    Args:
        raw: its tensors, by its own names.
        named: its weights, by timm's names.
        layout: whose names it has.
        prefix: of them.
    """
    tables, odd, masks, windows = {}, set(), {}, {}
    for key, tensor in raw.items():
        if not key.startswith(prefix) or key.split(".")[-1] not in (_INDEX, _MASK):
            continue
        block = place_of(layout, key.removeprefix(prefix)) or ""
        if key.endswith(_MASK):
            masks[block] = tensor
            continue
        table = named.get(f"{block}.attn.{TABLE}")
        if table is None or table.ndim != 2:
            continue
        if not windows_of(len(table)):
            continue  # refused elsewhere
        found = _in_our_order(table, tensor)
        if found is None:
            odd.add(block)
            continue
        windows[block], ordered = found
        if ordered is not table:
            tables[f"{block}.attn.{TABLE}"] = ordered
    return Positions(tables, frozenset(odd), masks, windows)


def position_reasons(
    positions: Positions, block: str, windows: WindowLayout | None
) -> Iterator[str]:
    """Why a block with the source's weights attends otherwise.

    Args:
        positions: what the source says.
        block: timm's name.
        windows: those of the model's block; None where it attends to none.
    """
    if block in positions.odd:
        yield "the source's relative_position_index pairs tokens as no bias table of ours does"
    theirs = positions.masks.get(block)
    if theirs is None or windows is None:
        return
    ours = shift_mask(windows.padded, windows.window, windows.shift, torch.device("cpu"))
    if ours is None:
        differs = bool(theirs.any())
    else:  # one for images of another size, or proportions, cannot be compared
        same_map = theirs.shape == ours.shape and windows.padded[0] == windows.padded[1]
        differs = same_map and not torch.equal(theirs.cpu() != 0, ours != 0)
    if differs:
        yield "the source's attn_mask hides other tokens"


def _in_our_order(table: Tensor, index: Tensor) -> tuple[Grid, Tensor] | None:
    """The table's window, and the table as our index needs it: itself if the source's is ours.

    None if it cannot be.
    """
    theirs = index.detach().cpu().flatten()
    if theirs.is_floating_point() or theirs.is_complex():
        return None
    theirs = theirs.long()
    fitting = [w for w in windows_of(len(table)) if (w[0] * w[1]) ** 2 == len(theirs)]
    indices = [relative_position_index(w, w, torch.device("cpu")).flatten() for w in fitting]
    for window, ours in zip(fitting, indices, strict=True):
        if torch.equal(theirs, ours):
            return window, table
    if not fitting or theirs.min() < 0 or theirs.max() >= len(table):
        return None
    for window, ours in zip(fitting, indices, strict=True):
        rows = torch.zeros(len(table), dtype=torch.long).scatter_(0, ours, theirs)
        if torch.equal(rows[ours], theirs):
            return window, table[rows.to(table.device)]
    return None

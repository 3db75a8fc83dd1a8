"""What a source keeps beside its weights of who attends to whom: taken over, or said to differ.

Most files leave it out, or hold what follows from sizes. A code of its own may order the offsets of
its bias tables otherwise, or mask other tokens: by the same weights it computes something else.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hybrid_swin.cost import Grid
from hybrid_swin.interop.weights.filling.mixers import TABLE
from hybrid_swin.interop.weights.source.layouts import place_of
from hybrid_swin.network.resizing import windows_of
from hybrid_swin.network.windows import log_offsets, relative_position_index, shift_mask
from hybrid_swin.spec.window_rules import WindowLayout

_INDEX, _MASK, _COORDS = "relative_position_index", "attn_mask", "relative_coords_table"


@dataclass(frozen=True)
class Positions:
    """By timm's names of blocks.

    Args:
        tables: bias tables in our order, where the source's index orders them otherwise.
        odd: blocks of which no order of the table gives what the source's index gives.
        masks: the source's masks of shifted windows.
        windows: (height, width) in tokens, by the source's index or its table of offsets.
        scales: of a continuous bias, the window whose largest offset counts as one: the window
            itself, unless the network was first trained with another.
    """

    tables: dict[str, Tensor] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)
    masks: dict[str, Tensor] = field(default_factory=dict)
    windows: dict[str, Grid] = field(default_factory=dict)
    scales: dict[str, Grid] = field(default_factory=dict)


def read_positions(
    raw: Mapping[str, Tensor], named: Mapping[str, Tensor], layout: str, prefix: str
) -> Positions:
    """What a source says of positions.

    ``raw`` has the source's own names, ``named`` timm's.
    """
    positions = Positions()
    for key, tensor in raw.items():
        last = key.split(".")[-1]
        if not key.startswith(prefix) or last not in (_INDEX, _MASK, _COORDS):
            continue
        block = place_of(layout, key.removeprefix(prefix)) or ""
        table = named.get(f"{block}.attn.{TABLE}")
        if last == _MASK:
            positions.masks[block] = tensor
        elif last == _COORDS:
            scale = _scale(tensor, raw.get(key.replace(_COORDS, _INDEX)))
            if scale is None:
                positions.odd.add(block)
            else:
                positions.windows[block], positions.scales[block] = scale
        elif table is not None and table.ndim == 2 and windows_of(len(table)):  # else refused later
            ordered = _in_our_order(table, tensor)
            if ordered is None:
                positions.odd.add(block)
                continue
            positions.windows[block], ours = ordered
            if ours is not table:
                positions.tables[f"{block}.attn.{TABLE}"] = ours
    return positions


def position_reasons(
    positions: Positions, block: str, windows: WindowLayout | None
) -> Iterator[str]:
    """Why a block with the source's weights attends otherwise.

    ``windows`` are those of the model's block; None if it has none.
    """
    if block in positions.odd:
        yield "the source's relative_position_index pairs tokens as no bias table of ours does"
    theirs = positions.masks.get(block)
    if theirs is None or windows is None:
        return
    if not any(windows.shift):
        differs = bool(theirs.any())
    else:  # one for images of another size, or proportions, cannot be compared
        ours = shift_mask(windows.padded, windows.window, windows.shift, torch.device("cpu"))
        same_map = theirs.shape == ours.shape and windows.padded[0] == windows.padded[1]
        differs = same_map and not torch.equal(theirs.cpu() != 0, ours != 0)
    if differs:
        yield "the source's attn_mask hides other tokens"


def _scale(coords: Tensor, index: Tensor | None) -> tuple[Grid, Grid] | None:
    """The window that a table of offsets is for, and that whose largest offset counts as one.

    None if pairs of tokens read other offsets than ours.
    """
    shape = coords.shape[-3:]
    if coords.ndim < 3 or shape[2] != 2 or not (shape[0] % 2 and shape[1] % 2):
        return None
    window = (shape[0] + 1) // 2, (shape[1] + 1) // 2
    offsets = coords.detach().cpu().double().reshape(-1, 2)
    # The largest is log2(1 + 8 (w - 1) / (by - 1)) / 3.
    largest = (2 ** (3 * offsets[-1]) - 1).tolist()
    sides = [
        round(1 + 8 * (side - 1) / most) if math.isfinite(most) and most > 0 else side
        for side, most in zip(window, largest, strict=True)
    ]
    by = sides[0], sides[1]
    ours = log_offsets(window, torch.device("cpu"), by).double()
    places = relative_position_index(window, window, torch.device("cpu"))
    if index is None:
        read = offsets[places]
    elif index.numel() != places.numel() or index.is_floating_point() or index.is_complex():
        return None
    else:
        theirs = index.detach().cpu().long().reshape(places.shape)
        if theirs.min() < 0 or theirs.max() >= len(offsets):
            return None
        read = offsets[theirs]
    # in half precision at worst; 0 / 0 where a window has one token
    same = torch.allclose(read.nan_to_num(0), ours[places], atol=2e-3)
    return (window, by) if same else None


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

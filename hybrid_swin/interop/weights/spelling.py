"""A network's weights by the names of a layout, where its library would compute the same."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.mixers import SCALE, TABLE
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.interop.weights.source.rules import DEFAULTS, DEFAULTS_V2
from hybrid_swin.network.windows import log_offsets, relative_position_index
from hybrid_swin.spec.block_words import LAYING, PRETRAINED, BlockWord, Part, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import spell_size

WRITTEN = "timm", "microsoft", "torchvision", "huggingface"
_V2 = {"attention": "cosine", "bias": "continuous"}
_INSTEAD = "save in layout 'timm', and load with hybrid_swin"


def spelt(model: nn.Module, variant: Variant, layout: str) -> Iterator[tuple[str, Tensor]]:
    """A network's weights by a layout's names.

    Raises:
        InputError: the layout has no names for it, or its library would compute another network.
    """
    is_v2 = _is_v2(variant)
    if layout != "timm":
        _check_pool(model, layout)
        _check_plain(variant, layout, is_v2)
    body = f"{'swinv2' if is_v2 else 'swin'}." if layout == "huggingface" else ""
    weights: Mapping[str, Tensor] = model.state_dict()
    for name, tensor in weights.items():
        theirs = names(layout, name)
        if layout == "torchvision" and name.endswith("_bias"):  # q_bias and v_bias are one there
            if name.endswith(".q_bias"):
                value = weights[name.replace(".q_bias", ".v_bias")]
                yield theirs[0], torch.cat([tensor, torch.zeros_like(tensor), value])
            continue
        prefix = "" if name.startswith("head.") else body
        parts = zip(theirs, split(layout, name, tensor), strict=True)
        yield from ((prefix + their_name, part) for their_name, part in parts)
        yield from _buffers(model, layout, name)


def _buffers(model: nn.Module, layout: str, name: str) -> Iterator[tuple[str, Tensor]]:
    """What a library keeps beside a parameter: torchvision loads strictly.

    Of V2 Microsoft's as well: no weight shows its windows.
    """
    kept = {TABLE: ("torchvision",), SCALE: ("torchvision", "microsoft")}
    path, _, last = name.rpartition(".")
    if layout not in kept.get(last, ()):
        return
    attention = model.get_submodule(path)
    window, cpu = attention.window, torch.device("cpu")
    index = relative_position_index(window, window, cpu).clone()  # type: ignore[arg-type]
    flat = index.flatten() if layout == "torchvision" else index
    yield names(layout, f"{path}.relative_position_index")[0], flat
    if last == SCALE:
        height, width = (2 * side - 1 for side in window)  # type: ignore[union-attr]
        offsets = log_offsets(window, cpu, attention.scale_window)  # type: ignore[arg-type]
        coords = offsets.reshape(1, height, width, 2).clone()
        yield names(layout, f"{path}.relative_coords_table")[0], coords


def _is_v2(variant: Variant) -> bool:
    """Whether all blocks are Swin V2's, wherever they normalise."""
    return all(
        _V2.items() <= part.kwargs.items()
        for words in variant.block_words
        for word in words
        for part in word.branches
    )


def _check_pool(model: nn.Module, layout: str) -> None:
    """Refuse a head that the library would read otherwise; a map is read by no head."""
    pool = getattr(getattr(model, "head", None), "global_pool", "avg")
    if pool not in ("avg", ""):
        raise InputError(
            f"layout {layout!r} holds networks with global_pool 'avg'; the model's is {pool!r}; "
            f"{_INSTEAD}"
        )


def _check_plain(variant: Variant, layout: str, is_v2: bool) -> None:
    """Refuse what is not a plain Swin, or Swin V2, by the layout's rules."""
    what, norm = ("Swin V2s", "post") if is_v2 else ("plain Swins", "pre")
    if variant.merging_norm != norm and len(variant.stages) > 1:
        raise InputError(
            f"layout {layout!r} holds {what}, whose patch merging is merging_norm: {norm}; the "
            f"model's is {variant.merging_norm}; {_INSTEAD}"
        )
    windows = set()
    for i, words in enumerate(variant.block_words):
        for j, word in enumerate(words):
            windows.add(_check_block(variant, layout, is_v2, (i, j), word))
        _check_scale(variant, layout, i)
    if layout != "microsoft" and len(windows) > 1:
        listed = ", ".join(map(spell_size, sorted(windows)))
        raise InputError(
            f"layout {layout!r} has one window size for all stages; the model's windows are "
            f"{listed}; {_INSTEAD}"
        )


def _check_block(
    variant: Variant, layout: str, is_v2: bool, at: tuple[int, int], word: BlockWord
) -> tuple[int, int]:
    """The windows of a block that the library computes likewise."""
    (i, j), part = at, word.branches[0]
    rules = (DEFAULTS_V2 if is_v2 else DEFAULTS)[layout]
    kind = "sw_msa" if j % 2 else "w_msa"
    theirs = rules.lay(variant, i, variant.window_sizes[i], j % 2 == 1)
    bare = len(word.branches) == 1 and part.name in ("w_msa", "sw_msa")
    known = {*LAYING, PRETRAINED, *_V2} if is_v2 else set(LAYING)
    others = [name for name, _ in part.options if name not in known]
    after = variant.stages[i].norm == "post"
    if not bare or others or after != is_v2:
        what, own = ("Swin V2s", tuple(_V2.items())) if is_v2 else ("plain Swins", ())
        place = "behind" if is_v2 else "before"
        raise InputError(
            f"layout {layout!r} holds {what}, in which layers.{i}.blocks.{j} is "
            f"{str(Part(kind, own))!r} with norms {place} it; the model's is {word.spelled()!r}; "
            f"{_INSTEAD}"
        )
    ours = window_layout(part, variant.grids[i], variant.window_sizes[i])
    if isinstance(theirs, str):
        raise InputError(f"layout {layout!r}: {theirs}; {_INSTEAD}")
    if ours != theirs:
        raise InputError(
            f"layout {layout!r} holds {'Swin V2s' if is_v2 else 'plain Swins'}, and in "
            f"{rules.library} layers.{i}.blocks.{j} is what we call {str(rules.part(kind))!r}; "
            f"the model's is {word.spelled()!r}; {_INSTEAD}"
        )
    return ours.window


def _check_scale(variant: Variant, layout: str, stage: int) -> None:
    """Refuse several first trainings of one stage, or one that torchvision does not know."""
    sides = {word.branches[0].kwargs.get(PRETRAINED, 0) for word in variant.block_words[stage]}
    if len(sides) > 1 or (layout == "torchvision" and sides != {0}):
        each = "one per stage" if layout != "torchvision" else "none"
        listed = ", ".join(map(str, sorted(sides, key=str)))
        raise InputError(
            f"layout {layout!r} has {each} of {PRETRAINED}; the model's stage {stage} has "
            f"{listed}; {_INSTEAD}"
        )

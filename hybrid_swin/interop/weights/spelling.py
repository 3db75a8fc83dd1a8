"""A network's weights by the names of a layout, where its library would compute the same."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.mixers import SCALE, TABLE
from hybrid_swin.interop.weights.source.layouts import names, split
from hybrid_swin.interop.weights.source.rules import DEFAULTS, DEFAULTS_V2
from hybrid_swin.network.windows import log_offsets, relative_position_index
from hybrid_swin.spec.block_words import LAYING, PRETRAINED, WINDOW, Part, window_layout
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.window_rules import spell_size

WRITTEN = "timm", "microsoft", "torchvision", "huggingface"
_V2 = {"attention": "cosine", "bias": "continuous"}


def spelt(model: nn.Module, variant: Variant, layout: str) -> Iterator[tuple[str, Tensor]]:
    """A network's weights by a layout's names.

    Raises:
        InputError: the layout has no names for it, or its library would compute another network.
    """
    is_v2 = _is_v2(variant)
    why = "" if layout == "timm" else next(_reasons(model, variant, layout, is_v2), "")
    if why:
        raise InputError(
            f"layout {layout!r} {why}; save in layout 'timm', and load with hybrid_swin"
        )
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


def _reasons(model: nn.Module, variant: Variant, layout: str, is_v2: bool) -> Iterator[str]:
    """Why a network is not a plain Swin, or Swin V2, as the layout's library computes it.

    A pool counts where a head reads it, which none does of a map.
    """
    pool = getattr(getattr(model, "head", None), "global_pool", "avg")
    if pool not in ("avg", ""):
        yield f"holds networks with global_pool 'avg'; the model's is {pool!r}"
    what, norm = ("Swin V2s", "post") if is_v2 else ("plain Swins", "pre")
    if variant.merging_norm != norm and len(variant.stages) > 1:
        yield (
            f"holds {what}, whose patch merging is merging_norm: {norm}; the model's is "
            f"{variant.merging_norm}"
        )
    if variant.stem != "patch":
        yield f"holds {what}, whose stem is patch; the model's is {variant.stem}"
    if variant.merging != "linear" and len(variant.stages) > 1:
        yield f"holds {what}, whose merging is linear; the model's is {variant.merging}"
    if variant.layer_scale:
        yield f"holds {what} without layer_scale; the model has one"
    windows = set()
    for i, words in enumerate(variant.block_words):
        for j, word in enumerate(words):
            yield from _block_reasons(variant, layout, is_v2, i, j)
            part = word.branches[0]
            windows.add(window_layout(part, variant.grids[i], variant.window_sizes[i]).window)
        # One first training of a stage, and none that torchvision knows.
        sides = {word.branches[0].kwargs.get(PRETRAINED, 0) for word in words}
        if len(sides) > 1 or (layout == "torchvision" and sides != {0}):
            each = "one per stage" if layout != "torchvision" else "none"
            listed = ", ".join(map(str, sorted(sides, key=str)))
            yield f"has {each} of {PRETRAINED}; the model's stage {i} has {listed}"
    if layout != "microsoft" and len(windows) > 1:
        listed = ", ".join(map(spell_size, sorted(windows)))
        yield f"has one window size for all stages; the model's windows are {listed}"


def _block_reasons(variant: Variant, layout: str, is_v2: bool, i: int, j: int) -> Iterator[str]:
    """Why the library computes another block than a plain one of ours."""
    rules = (DEFAULTS_V2 if is_v2 else DEFAULTS)[layout]
    what, place = ("Swin V2s", "behind") if is_v2 else ("plain Swins", "before")
    word, kind = variant.block_words[i][j], "sw_msa" if j % 2 else "w_msa"
    part = word.branches[0]
    bare = word.is_bare and part.name in ("w_msa", "sw_msa")
    known = {*LAYING, WINDOW, *({PRETRAINED, *_V2} if is_v2 else ())}
    others = [name for name, _ in part.options if name not in known]
    if not bare or others or (variant.stages[i].norm == "post") != is_v2:
        plain = str(Part(kind, tuple(_V2.items()) if is_v2 else ()))
        yield (
            f"holds {what}, in which layers.{i}.blocks.{j} is {plain!r} with norms {place} it; the "
            f"model's is {word.spelled()!r}"
        )
    theirs = rules.lay(variant, i, variant.window_sizes[i], j % 2 == 1)
    if isinstance(theirs, str):
        yield f"fits no such network: {theirs}"
    elif window_layout(part, variant.grids[i], variant.window_sizes[i]) != theirs:
        yield (
            f"holds {what}, and in {rules.library} layers.{i}.blocks.{j} is what we call "
            f"{str(rules.part(kind))!r}; the model's is {word.spelled()!r}"
        )

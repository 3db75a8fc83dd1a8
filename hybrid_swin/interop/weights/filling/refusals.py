"""What cannot be loaded or saved: tensors without numbers, and files of which a part is missing.

A kind of parameter is missing from all blocks, as biases of queries are from some Swins, or the
file is incomplete. One of a network of ours that says its variant holds all that this has.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, NoReturn

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError, few
from hybrid_swin.interop.weights.filling.fitting import norm_of_merging
from hybrid_swin.interop.weights.filling.mixers import TABLE
from hybrid_swin.interop.weights.source.layouts import has_v2_names, names, spelling
from hybrid_swin.interop.weights.source.shells import merging_of, stem_of
from hybrid_swin.interop.weights.source.weight_source import WeightSource
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.tracing import is_distributed
from hybrid_swin.spec.variant import Variant

_ENDS = "norm.", "head."  # which a backbone alone, or maps of stages, do without
_COUNTS = "num_batches_tracked"  # of batch norms, which no output depends on


def refuse_other_version(
    source: WeightSource, variant: Variant, target: Mapping[str, Tensor]
) -> None:
    """Refuse weights of one Swin version in a network of the other.

    Raises:
        InputError: the versions differ, and no weights of an attention or a merging would fit.
    """
    tables, theirs, ours = f".{TABLE}", source.is_v2, has_v2_names(target)
    if theirs and not ours:
        raise InputError(
            f"{source.name} is of Swin Transformer V2 (cosine attention, continuous position bias, "
            "norms behind mixers and merging), the model is not; build it as swin_v2_t is: blocks "
            "w_msa(attention=cosine;bias=continuous), norm: post, merging_norm: post"
        )
    has_tables = any(name.endswith(tables) for name in source.weights)
    if ours and not theirs and has_tables and not any(n.endswith(tables) for n in target):
        raise InputError(
            f"{source.name} is of Swin version 1 (tables of position biases), and the model "
            "computes its biases, as Swin Transformer V2; build it as swin_t is, or give weights "
            "of version 2"
        )
    merges = norm_of_merging(source)
    if merges is not None and len(variant.stages) > 1 and merges != variant.merging_norm:
        places = {"pre": "before their projection, as Swin", "post": "behind it, as Swin V2"}
        raise InputError(
            f"{source.name} normalises merged patches {places[merges]} does, and the model does "
            f"not; build it with merging_norm: {merges}"
        )


def refuse_unread(source: WeightSource) -> None:
    """Raise InputError for weights in a layout of which nothing is read."""
    if source.is_v2 and source.layout == "openmmlab":
        raise InputError(
            f"{source.name} is of Swin Transformer V2 in OpenMMLab's layout, which is not read; "
            "give Microsoft's file, timm's, torchvision's or Hugging Face's"
        )


def refuse_other_shell(source: WeightSource, target: Mapping[str, Tensor]) -> None:
    """Refuse weights of a network whose stem or merging is of another kind.

    Raises:
        InputError: the kinds differ, and no weight of the one would fit the other.
    """
    for part, kind in {"stem": stem_of, "merging": merging_of}.items():
        theirs, ours = kind(source.weights), kind(target)
        if theirs is not None and ours is not None and theirs != ours:
            whose = ", as all Swins of other libraries have" if source.is_foreign else ""
            raise InputError(
                f"{source.name} has a {part} of another kind{whose}: {part}: {theirs}, where the "
                f"model has {ours}; build the model with {part}: {theirs}"
            )


def refuse_incomplete(source: WeightSource, variant: Variant, target: Mapping[str, Tensor]) -> None:
    """Refuse a file of ours that does not hold all of the network that it says.

    Raises:
        InputError: something is missing, beside the whole head or the whole last norm.
    """
    if source.variant is None:
        return
    expected = list(target) if source.variant == variant else _names(source.variant)
    absent = [n for n in expected if n not in source.weights and not n.endswith(_COUNTS)]
    for end in _ENDS:
        if not any(name.startswith(end) for name in source.weights):
            absent = [name for name in absent if not name.startswith(end)]
    if absent:
        refuse_parts(absent, source)


def _names(variant: Variant) -> list[str]:
    """What a network's parameters are called; none if it cannot be built here."""
    with suppress(Exception):  # a plug-in's own, or one that may not run
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return list(HybridSwin(variant).state_dict())
    return []


def lacks_half(name: str, source: WeightSource) -> bool:
    """Whether something else of a parameter's layer is there, so that this is lost."""
    layer = name.rpartition(".")[0]
    return any(other.startswith(f"{layer}.") for other in source.weights)


def refuse_parts(absent: list[str], source: WeightSource, hint: str = "") -> NoReturn:
    """Raise the InputError for what is missing, by the source's own names."""
    layout = spelling(source.layout, source.raw)
    theirs = dict.fromkeys(own for name in absent for own in names(layout, name))
    lost = [name for name in theirs if not any(key.endswith(name) for key in source.raw)] or absent
    what = "weights that the model needs are" if len(lost) > 1 else "a weight is"
    count = f"{len(lost)} " * (len(lost) > 1)
    raise InputError(
        f"{source.name} is incomplete: {count}{what} not in it ({few(lost, 2)}); "
        f"{hint or 'take a checkpoint of the whole network'}"
    )


def refuse_kinds(source: WeightSource) -> None:
    """Raise InputError for weights that are sharded, packed, sparse, complex or without numbers."""
    for name, tensor in source.weights.items():
        if is_distributed(tensor):
            raise InputError(
                f"{source.name}: {name} is sharded; gather the weights by get_model_state_dict of "
                "torch.distributed.checkpoint.state_dict, with full_state_dict=True"
            )
        packed = name.endswith((".weight", ".bias", TABLE)) and not tensor.is_floating_point()
        if packed or tensor.layout != torch.strided or tensor.is_meta or tensor.is_complex():
            _refuse_kind(name, tensor, source)


def check_numbers(
    values: Mapping[str, Tensor], target: Mapping[str, Tensor], source: WeightSource
) -> list[str]:
    """Refuse numbers that are not the model's kind; a note on those that are not finite."""
    bad = []
    for name, tensor in values.items():
        if tensor.is_floating_point() != target[name].is_floating_point():
            _refuse_kind(name, tensor, source)
        if tensor.is_floating_point() and not tensor.is_meta and not _is_finite(tensor):
            bad.append(name)
    if bad and len(bad) == sum(tensor.is_floating_point() for tensor in values.values()):
        raise InputError(
            f"{source.name}: NaN or infinity in all {len(bad)} weights, as a training leaves them "
            "that has diverged; give weights of an earlier epoch"
        )
    return [f"NaN or infinity in {len(bad)} of the weights taken ({few(bad)})"] if bad else []


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are; formats of 8 bits do not know how to tell."""
    return bool(torch.isfinite(tensor.float() if tensor.itemsize == 1 else tensor).all())


def _refuse_kind(name: str, tensor: Tensor, source: WeightSource) -> NoReturn:
    dtype, layout = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, tensor.layout))
    raise InputError(
        f"{source.name}: {name} is {dtype} ({layout}, on {tensor.device}), which the model cannot "
        "take; give dense weights in floating point"
    )


_STATE_DICT = "torch.distributed.checkpoint.state_dict"
_WHOLE = "StateDictOptions(full_state_dict=True)"
_SHARDED = {
    "load": "load before fully_shard, or give a state dict to set_model_state_dict",
    "save": "gather it by get_model_state_dict, and load that into a network that is not sharded",
}
_EMPTY = {
    "load": "make it on another device, or call model.to_empty(device='cpu') and "
    "model.reset_parameters() first",
    "save": "load weights into a network on another device first",
}


def refuse_unreal(model: nn.Module, use: Literal["load", "save"]) -> None:
    """Refuse a network whose tensors cannot be written to, or read.

    Raises:
        InputError: it is sharded, on the meta device, or made of fake tensors.
    """
    done = {"load": "loaded", "save": "saved"}[use]
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_distributed(tensor):
            raise InputError(
                f"weights cannot be {done}: the network is sharded ({name}); {_SHARDED[use]} "
                f"with {_WHOLE}, both of {_STATE_DICT}"
            )
        if tensor.is_meta or _is_fake(tensor):
            where = "on the meta device" if tensor.is_meta else "made of fake tensors"
            raise InputError(
                f"weights cannot be {done}: the network is {where} ({name}), which hold"
                f"{'s' * tensor.is_meta} no numbers; {_EMPTY[use]}"
            )


def _is_fake(tensor: Tensor) -> bool:
    if type(tensor) in (Tensor, nn.Parameter):
        return False
    from torch._subclasses.fake_tensor import FakeTensor  # half a second, which most never need

    return isinstance(tensor, FakeTensor)

"""``load_weights`` and ``save_weights``: a network's weights from files and to files."""

import io
import json
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError, check_flags, unknown
from hybrid_swin.interop.weights.comparison.other_sizes import say_other_sizes
from hybrid_swin.interop.weights.comparison.probe import measure_difference
from hybrid_swin.interop.weights.filling.following import followed, relay, restored_on_failure
from hybrid_swin.interop.weights.filling.fresh import fresh_share
from hybrid_swin.interop.weights.filling.mixers import start_alone
from hybrid_swin.interop.weights.filling.plan import LoadPlan, make_plan
from hybrid_swin.interop.weights.filling.refusals import refuse_unreal
from hybrid_swin.interop.weights.report import WeightReport
from hybrid_swin.interop.weights.source.weight_source import WeightSource, read_source
from hybrid_swin.interop.weights.spelling import WRITTEN, spelt
from hybrid_swin.network.network_facts import check_loadable, file_facts
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import SaveError, given_path, replacing

_PICKLED = ".pth", ".pt", ".bin"


def load_weights(
    model: nn.Module,
    source: str | Path | Mapping[str, Any],
    *,
    identity_start: bool = True,
    weights_prefix: str | None = None,
    follow_source: bool = False,
    strict: bool = True,
) -> WeightReport:
    """Take a Swin's weights, or a network's of ours, from elsewhere.

    The layout (Microsoft's, timm's, torchvision's, Hugging Face's, OpenMMLab's, ours) is recognised
    from the names. For another window, bias tables are interpolated; for another number of image
    channels, the patch embedding is adapted; for another number of classes, the head is left fresh.
    Where the source's block has one attention and the model's several branches, the attention fills
    the branch like it, and the mixer starts as that branch alone, all else trainable. Norms are
    taken by their names, wherever the model's blocks have them.

    Libraries differ in how they shift and pad, and configs in more than that. A ``config.json``
    beside the weights is read, and the report says which blocks compute what they computed in the
    source, of others why not and by how much, and at which other sizes of images logits differ.
    With ``follow_source`` the model's words get the source's rules, in place, and its ``variant``
    says so; a bias table may get another size then, so make optimisers afterwards.

    Args:
        model: a ``HybridSwin``, or another network with its ``patch_embed``, ``layers`` and
            ``variant``, such as a pyramid of features.
        source: a file (``.safetensors``, or a PyTorch checkpoint, which is read without running
            code), the folder of a training or of Hugging Face's, the index of weights in several
            files, or a state dict, plain or wrapped.
        identity_start: whether mixers of several branches start as the source's attention alone;
            otherwise their other branches keep their random start.
        weights_prefix: which network to take of a source that holds several, such as ``ema`` of
            ``ema.patch_embed...`` or of ``{"ema": {...}}``; "" for that at the top. If not given,
            an averaged network is taken rather than the one that it is the average of.
        follow_source: whether window attentions that take the source's pad, roll and shift by the
            rules of its library from then on, so that logits are the source's at every size that it
            takes, and not only where the libraries agree. Of a network of ours, by its words.
        strict: whether weights of other widths, depths or kinds of parts are refused. Otherwise
            what fits is taken, each part (a mixer, an MLP, a norm, a merging) whole, and the rest
            is left fresh: ``fresh_share`` of the report says how much.

    Returns:
        What was taken, resized, left fresh and not used, and how each block starts. Its text is a
        summary.

    Raises:
        InputError: a file that cannot be used, such as an adapter's; weights of another network;
            several networks none of which is more likely meant; rules to follow that are not
            known; or a model on the meta device, or sharded. The model is then as it was.
    """
    check_flags(follow_source=follow_source, identity_start=identity_start, strict=strict)
    weight_source = read_source(source, weights_prefix)
    flags = identity_start, follow_source, strict
    return fill(model, weight_source, *flags)


def fill(
    model: nn.Module,
    weight_source: WeightSource,
    identity_start: bool = True,
    follow_source: bool = False,
    strict: bool = True,
) -> WeightReport:
    """What ``load_weights`` does with a source that has been read. Raises likewise."""
    model, before = _network(model)
    refuse_unreal(model, "load")
    variant, plan = before, make_plan(model, before, weight_source, strict)
    with restored_on_failure(model):
        if follow_source:
            variant, notes = followed(before, plan.attentions, weight_source)
            tables = relay(model, before, variant)
            plan = make_plan(model, variant, weight_source, strict)
            plan.notes += notes
            if tables:
                plan.notes.append(
                    f"follow_source: {tables} bias tables are of other windows now, and so other "
                    "parameters; make optimisers after this"
                )
        _apply(model, plan, identity_start)
    if variant is not before:
        model.variant = variant  # type: ignore[assignment]  # of a Backbone, or a network like it
    _measure(model, variant, weight_source, plan)
    return _report(model, variant, weight_source, plan, follow_source)


def _network(model: nn.Module) -> tuple[nn.Module, Variant]:
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    variant = getattr(model, "variant", None)
    whole = hasattr(model, "patch_embed") and hasattr(model, "layers")
    if not whole or not isinstance(variant, Variant):
        raise InputError(
            f"weights are for a network of hybrid_swin, such as create_model gives; got "
            f"{type(model).__name__}"
        )
    return model, variant


def _apply(model: nn.Module, plan: LoadPlan, identity_start: bool) -> None:
    """Write the plan's values, and let mixers start as one of their branches."""
    state: dict[str, Tensor] = model.state_dict()
    with torch.no_grad():
        for name, value in plan.values.items():
            state[name].copy_(value)
    for index, (fusion, base) in plan.starts.items():
        why = start_alone(fusion, base, identity_start)
        if why:
            plan.blocks[index] = replace(plan.blocks[index], how="changed", why=why)


def _measure(model: nn.Module, variant: Variant, source: WeightSource, plan: LoadPlan) -> None:
    """Say by how much blocks differ: the first of those that differ for one reason."""
    reasons: set[str] = set()
    for index, difference in plan.differences.items():
        start = plan.blocks[index]
        if start.why in reasons or difference.rules is None or difference.theirs is None:
            continue
        reasons.add(start.why)
        measured = measure_difference(
            model.get_submodule(start.name),
            source.inside(f"{start.name}."),
            difference.rules,
            difference.theirs,
            variant.grids[int(start.name.split(".")[1])],
            difference.by,
        )
        plan.blocks[index] = replace(start, difference=measured)


def _report(
    model: nn.Module, variant: Variant, source: WeightSource, plan: LoadPlan, follows: bool
) -> WeightReport:
    resized = {r.name for r in plan.resized}
    left_out = set(plan.left_out)
    any_size = not getattr(model, "strict_img_size", False)
    not_used = [key for name, keys in source.keys.items() if name not in plan.used for key in keys]
    return WeightReport(
        source=source.name,
        layout=source.layout,
        taken=tuple(name for name in plan.values if name not in resized),
        resized=tuple(plan.resized),
        fresh=tuple(name for name in model.state_dict() if name not in plan.values),
        unused=tuple(key for key in (*not_used, *source.leftover) if key not in left_out),
        blocks=tuple(plan.blocks),
        notes=tuple(plan.notes),
        left_out=tuple(plan.left_out),
        outside=tuple(plan.outside),
        image_size=variant.image_size,
        rules=source.judgement.libraries,
        basis=source.judgement.basis,
        place=source.place,
        other_sizes=say_other_sizes(variant, plan, source, follows) if any_size else "",
        fresh_share=fresh_share(model, plan.values),
    )


def save_weights(model: nn.Module, path: str | Path, layout: str = "timm") -> None:
    """Write a network's weights, whole or not at all.

    ``timm`` can hold every network: plain blocks have timm's names, others our own. The layouts
    ``microsoft``, ``torchvision`` and ``huggingface`` (as its files name them) hold plain Swins
    and Swin V2s whose heads average.

    In timm's layout, and in any as ``.safetensors``, a file also keeps, as metadata, the variant,
    what the network computes beside it (pool, pruned norm, maps that a pyramid gives), how it
    starts anew, and what ``pretrained_cfg`` says of its images and classes: ``load`` gives all that
    back. Of a network that no metadata describes a pickled file holds the weights alone.

    Args:
        model: as for ``load_weights``.
        path: ``.safetensors``, or ``.pth``, ``.pt`` or ``.bin`` for a pickled state dict.
        layout: whose names to use.

    Raises:
        InputError: an unknown layout or suffix, no such folder, blocks without a name in the
            layout, what metadata cannot keep, or a model on the meta device, or sharded.
        SaveError: the disk is full, or the folder cannot be written.
    """
    model, variant = _network(model)
    if layout not in WRITTEN:
        raise unknown("layout", layout, WRITTEN)
    file = _target(path)
    refuse_unreal(model, "save")
    weights = {n: t.detach().cpu().contiguous() for n, t in spelt(model, variant, layout)}
    if file.suffix == ".safetensors":
        check_loadable(model, variant)
        metadata = {"format": "pt", "layout": layout, **_texts(model, variant)}
        content = safetensors.torch.save(weights, metadata)
    else:
        state = OrderedDict(weights)
        if layout == "timm":
            with suppress(InputError):  # of what no metadata can keep, the weights alone
                check_loadable(model, variant)
                beside = {"": {"version": 1, **_texts(model, variant)}}
                state._metadata = beside  # type: ignore[attr-defined]  # as torch's state dicts
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
    try:
        with replacing(file) as stream:
            stream.write(content)
    except OSError as error:
        what = f"the weights could not be written: {error.strerror}"
        raise SaveError(error.errno, what, str(file)) from error


def _texts(model: nn.Module, variant: Variant) -> dict[str, str]:
    """What a file says of a network, each as JSON."""
    return {name: json.dumps(value) for name, value in file_facts(model, variant).items()}


def _target(path: str | Path) -> Path:
    """Where to write. Raises InputError where that cannot be."""
    file = given_path(path)
    if file is None or "\0" in str(file):
        raise InputError(f"weights cannot be written to {path!r}: it is not a path")
    if file.suffix not in (".safetensors", *_PICKLED):
        raise InputError(
            f"weights cannot be written to {str(path)!r}: its suffix must be .safetensors, "
            f"{', '.join(_PICKLED)}"
        )
    if not file.parent.is_dir():
        raise InputError(f"weights cannot be written to {str(path)!r}: there is no such folder")
    return file

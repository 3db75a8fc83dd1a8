"""Inspections run one after the other on one subject, and their figures as files."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.request import Request
from hybrid_swin.inspection.subject import Subject
from hybrid_swin.spec import registry

NEEDS_LABELS = "it asks how right the network is, and the images have no labels for it"
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_KEYS = ("what", "units", "rows", "undefined", "notes")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one inspection."""

    request: Request
    inspection: Inspection  # it can draw the numbers
    numbers: dict[str, Any] | None  # what it measured; None if it could not
    reason: str  # why it could not
    seconds: float


def make_inspections(requests: Sequence[Request]) -> list[tuple[Request, Inspection]]:
    """The inspections of the requests.

    Raises InputError for an option that an inspection does not take.
    """
    return [(one, registry.load("inspection", one.name)(**one.options)) for one in requests]


def run_inspections(
    subject: Subject,
    inspections: Sequence[tuple[Request, Inspection]],
    begins: Callable[[str], object] = lambda name: None,
) -> Iterator[Outcome]:
    """Run inspections, each as its request says; one that cannot run says why.

    Raises RuntimeError if one gave other things than it must, or left the model changed.
    """
    before = fingerprint(subject)
    for request, inspection in inspections:
        begins(request.name)
        start = time.perf_counter()
        numbers, reason = None, ""
        if inspection.needs_labels and subject.labels is None:
            reason = NEEDS_LABELS
        else:
            try:
                numbers = inspection.measure(subject)
            except InputError as error:
                reason = str(error)
            if fingerprint(subject) != before:
                raise RuntimeError(
                    f"inspection {request.name} left the network or the images changed"
                )
        if numbers is not None:
            missing = [key for key in _KEYS if key not in numbers]
            if missing:
                raise RuntimeError(f"inspection {request.name} gives no {', '.join(missing)}")
            if not numbers["rows"]:
                reason = "; ".join(dict.fromkeys(u["reason"] for u in numbers["undefined"]))
        yield Outcome(request, inspection, numbers, reason, time.perf_counter() - start)


def save_figure(inspection: Inspection, numbers: Mapping[str, Any], path: Path) -> bool:
    """Draw into a file whose ending says the format; False, and no file, where nothing is drawn.

    Equal numbers give equal bytes.
    """
    from hybrid_swin.system.figure_files import write_figure

    return bool(numbers["rows"]) and write_figure(path, partial(inspection.draw, numbers))


def fingerprint(subject: Subject) -> str:
    """Digest of what an inspection must leave as it is.

    The model's weights and buffers, what requires a gradient, its mode and its hooks; of the images
    and labels whether PyTorch has changed them in place.
    """
    sha = hashlib.sha256()
    tensors = subject.model.state_dict() | dict(subject.model.named_buffers())
    for name, tensor in tensors.items():
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    for name, module in subject.model.named_modules():
        hooks = [len(getattr(module, kind)) for kind in _HOOKS]
        own = sorted(key for key in vars(module) if callable(vars(module)[key]))
        sha.update(f"{name} {module.training} {hooks} {own}".encode())
    asking = [name for name, p in subject.model.named_parameters() if p.requires_grad]
    sha.update(f"{asking} {_version(subject.images)} {_version(subject.labels)}".encode())
    return sha.hexdigest()


def _version(tensor: Tensor | None) -> int:
    """How often a tensor was changed in place; those of inference mode do not count it."""
    return -1 if tensor is None or tensor.is_inference() else tensor._version

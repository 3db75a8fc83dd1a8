"""Networks for use elsewhere: written, opened again, and held against the live network.

``onnx`` and ``torch-export`` hold the computation for one image size and any batch;
``safetensors`` holds the weights and the variant, from which ``load`` makes the network
again. TorchScript is left out, since PyTorch has deprecated it, and so is ``torch.fx``'s symbolic
tracing, which cannot follow sizes that windows depend on: a ``torch-export`` is an FX graph.
"""

import copy
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError, quote, unknown
from hybrid_swin.errors.plain_text import message_of, say
from hybrid_swin.interop.export.formats import FORMATS, IMAGES, LOGITS, Format
from hybrid_swin.interop.export.options import HUB, ExportOptions
from hybrid_swin.interop.trained import load_trained
from hybrid_swin.interop.weights.source.files import find_checkpoint
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.network_facts import as_plain, check_loadable, file_facts
from hybrid_swin.network.pretrained_cfg import Normalisation, with_images
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.console import Console

Values = Literal["normalised", "pixels"]

TOLERANCE = 1e-4
"""Largest difference from the live network, as a share of its largest logit."""
TRACED_BATCH, CHECKED_BATCHES = 2, (3, 1)


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that computes what the network computes.

    Args:
        path: of the file.
        format: ``onnx``, ``torch-export`` or ``safetensors``.
        runner: what opened the file for the check.
        input: what images it takes: name, shape, type, values, and their normalisation if known
            (without ``full_scale``: of pixels from 0 to 1).
        difference: largest, over the checked batches, as a share of the largest logit.
    """

    path: Path
    format: str
    runner: str
    input: dict[str, Any]
    difference: float

    def __str__(self) -> str:
        shape = ", ".join(map(str, self.input["shape"]))
        batches = " and ".join(map(str, CHECKED_BATCHES))
        return (
            f"{self.path} ({self.format})\n"
            f"takes {self.input['name']}: ({shape}) {self.input['dtype']}, {_wanted(self.input)}\n"
            f"checked in {self.runner} at batches of {batches}: differs from the network by "
            f"{self.difference:.1g} of the largest logit (allowed: {TOLERANCE:g})"
        )


def export_model(
    model: HybridSwin | Pyramid,
    path: str | Path,
    format: str | None = None,
    *,
    image_size: int | tuple[int, int] | None = None,
    values: Values = "normalised",
    normalisation: Normalisation | None = None,
    class_names: Sequence[str] | None = None,
) -> Exported:
    """Write a network in evaluation mode and float32, and check the file at other batch sizes.

    The file appears under its name only when it is right. Beside the weights it holds, as JSON,
    what ``save_weights`` keeps of a network (``variant``, ``network``, ``pretrained_cfg``), its
    ``input`` and its ``classes``: in ONNX as metadata properties, in ``.pt2`` as extra files
    (``variant.json``), in safetensors as metadata.

    Args:
        model: the network; it is left as it is.
        path: the file, with its format's suffix.
        format: ``onnx``, ``torch-export`` or ``safetensors``; by the suffix if not given.
        image_size: pixels that the computation is for, one number or (height, width); the
            variant's if not given.
        values: what the computation takes: images ``normalised`` as the network itself takes
            them, or ``pixels``, which it then normalises.
        normalisation: how pixels are normalised; as ``pretrained_cfg`` says if not given.
        class_names: what the logits stand for; ``label_names`` of ``pretrained_cfg`` if not given.

    Raises:
        InputError: a format, suffix, size or folder that cannot be, a package that is missing, a
            pyramid, or a file that computes something else, which is removed.
    """
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    if isinstance(model, Pyramid):
        raise InputError(
            "a network with features_only=True gives several maps, which no export holds; "
            "save_weights keeps it in a .safetensors file, which hs.load reads"
        )
    if not isinstance(getattr(model, "variant", None), Variant):
        raise InputError(f"export_model takes a network of create_model; got {quote(model)}")
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a network is written to a path; got {quote(path)}")
    if normalisation is not None and not isinstance(normalisation, Normalisation):
        raise InputError(f"normalisation must be a Normalisation; got {quote(normalisation)}")
    if class_names is not None and not isinstance(class_names, list | tuple):
        raise InputError(f"class_names are a list, one per class; got {quote(class_names)}")
    path = Path(path).expanduser()
    name = _format_name(path, format)
    kind = FORMATS[name]
    kind.check_packages()
    if not path.parent.is_dir():
        raise InputError(f"{str(path)!r} cannot be written: there is no such folder")
    size: Any = model.variant.image_size if image_size is None else image_size
    variant = dataclasses.replace(model.variant, image_size=size)  # which checks it
    live = copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(False)
    live.set_grad_checkpointing(False)  # which would compute twice
    if normalisation is not None:
        live.pretrained_cfg = with_images(live.pretrained_cfg, normalisation)
    if class_names is not None:
        live.pretrained_cfg = live.pretrained_cfg | {"label_names": tuple(class_names)}
    normalisation = Normalisation.from_dict(live.pretrained_cfg)
    _check_values(values, normalisation, name)
    class_names = live.pretrained_cfg.get("label_names")
    if class_names is not None and len(class_names) != variant.num_classes:
        raise InputError(f"{len(class_names)} class names for {variant.num_classes} classes")
    facts = file_facts(live, model.variant)
    known = {"mean", "std"} & facts["pretrained_cfg"].keys()
    if not kind.is_graph:
        check_loadable(live, model.variant)
    input_facts = {
        "name": IMAGES,
        "shape": ["batch", variant.in_channels, *variant.image_size],
        "dtype": "float32",
        "values": values,
        **({n: as_plain(live.pretrained_cfg[n]) for n in ("mean", "std")} if known else {}),
        **({} if normalisation is None else normalisation.to_dict()),
    }
    beside = facts | {"input": input_facts, "classes": class_names}
    texts = {name: json.dumps(value) for name, value in beside.items()}
    limits = normalisation.limits if values == "pixels" and normalisation else (0.0, 1.0)
    batches = _images(variant.in_channels, variant.image_size, limits)
    network: nn.Module = live
    if values == "pixels" and normalisation is not None:
        network = _FromPixels(live, normalisation)
    with TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        difference = _write_and_check(kind, network, batches, texts, unfinished)
        os.replace(unfinished, path)
    return Exported(path, name, kind.runner, input_facts, difference)


def export_checkpoint(options: ExportOptions) -> int:
    """The command: export a training's network with what its checkpoint knows, and say so."""
    adopt_kept_plugins(options.checkpoint, options.plugin, options.trust)
    if options.format not in FORMATS:
        raise unknown("format", options.format, (*FORMATS, HUB))
    trained = load_trained(options.checkpoint)
    file = find_checkpoint(options.checkpoint)
    tested_at = trained.identity.get("recipe", {}).get("test_image_size")  # its score is of these
    with Console(stderr=True).status("writing and checking; a large network takes minutes"):
        exported = export_model(
            trained.model,
            options.output or file.with_suffix(FORMATS[options.format].suffix),
            options.format,
            image_size=options.image_size or tested_at,
            values=options.input,
        )
    say(exported)
    return 0


class _FromPixels(nn.Module):
    """A network behind the normalisation of its images."""

    factor: Tensor
    offset: Tensor

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network = network
        self.value_range = normalisation.value_range
        low, high = normalisation.limits
        mean, std = (
            torch.tensor(value, dtype=torch.float64).view(-1, 1, 1)
            for value in (normalisation.mean, normalisation.std)
        )
        self.register_buffer("factor", (1 / ((high - low) * std)).float())
        self.register_buffer("offset", (mean / std).float())
        self.low = low

    def forward(self, images: Tensor) -> Tensor:
        """Pixels (B, C, H, W) -> (B, num_classes)."""
        if self.value_range is not None:
            images = images.clamp(*self.value_range) - self.low
        out: Tensor = self.network(images * self.factor - self.offset)
        return out


def _write_and_check(
    kind: Format, live: nn.Module, batches: list[Tensor], facts: dict[str, str], file: Path
) -> float:
    """The largest difference between live network and file, as a share of the largest logit.

    The network runs first, so that what its parts remember of a size is not made by the tracer.
    """
    with torch.no_grad():
        traced, *others = batches
        live(traced)
        try:
            kind.write(live, traced, facts, file)
        except (InputError, OSError):
            raise
        except Exception as error:  # tracing may fail anywhere in a branch of the user's own
            reason = (message_of(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"the network cannot be exported: {reason}") from error
        run, worst = kind.open(file), 0.0
        for images in others:
            expected, actual = live(images), run(images)
            difference = _difference(expected, actual)
            if not difference <= TOLERANCE:  # NaN fails as well
                raise InputError(
                    f"the file computes something else: in {kind.runner}, at a batch of "
                    f"{len(images)}, {LOGITS} differ by {difference:.2g} of the largest (allowed: "
                    f"{TOLERANCE:g}), so it was removed"
                )
            worst = max(worst, difference)
    return worst


def _difference(expected: Tensor, actual: Tensor) -> float:
    if expected.shape != actual.shape:
        return float("inf")
    largest = expected.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float((actual - expected).abs().max() / largest)


def _format_name(path: Path, format: str | None) -> str:
    suffixes = {kind.suffix: name for name, kind in FORMATS.items()}
    if format is not None and format not in [*FORMATS]:
        raise unknown("format", format, FORMATS)
    if path.suffix not in suffixes or format not in (None, suffixes[path.suffix]):
        allowed = ", ".join(f"{suffix} ({name})" for suffix, name in suffixes.items())
        raise InputError(
            f"{str(path)!r} does not end as a file of {format or 'a known format'} does; "
            f"choose among {allowed}"
        )
    return suffixes[path.suffix]


def _check_values(values: str, normalisation: Normalisation | None, format: str) -> None:
    if values not in get_args(Values):
        raise unknown("kind of values", values, get_args(Values))
    if values == "normalised":
        return
    if not FORMATS[format].is_graph:
        raise InputError(
            f"{format} holds weights alone, which take images normalised; choose another format "
            "for a file that takes pixels"
        )
    if normalisation is None:
        raise InputError(
            "it is not known how pixels were normalised (the data module was the user's own, or "
            "the checkpoint is of an older version); give normalisation=, or export for images "
            "normalised"
        )


def _images(channels: int, size: tuple[int, int], limits: tuple[float, float]) -> list[Tensor]:
    """A batch to trace, and those to check: values between the limits."""
    generator = torch.Generator().manual_seed(0)
    low, high = limits
    return [
        low + (high - low) * torch.rand(batch, channels, *size, generator=generator)
        for batch in (TRACED_BATCH, *CHECKED_BATCHES)
    ]


def _wanted(input_facts: dict[str, Any]) -> str:
    if input_facts["values"] == "pixels":
        low, high = input_facts.get("value_range", (0, input_facts["full_scale"]))
        clipped = ", others clipped" if "value_range" in input_facts else ""
        return f"pixels from {low:g} to {high:g}{clipped}"
    if "mean" not in input_facts:
        return "normalised by a mean and std that the network does not know"
    mean, std = ([round(number, 4) for number in input_facts[name]] for name in ("mean", "std"))
    if "full_scale" not in input_facts:
        return f"normalised: (pixels from 0 to 1 - {mean}) / {std}"
    if "value_range" in input_facts:
        low, high = input_facts["value_range"]
        pixels = f"pixels from {low:g} to {high:g} as 0 to 1, clipped"
        return f"normalised: {pixels}; (x - {mean}) / {std}"
    return f"normalised: (pixels / {input_facts['full_scale']:g} - {mean}) / {std}"

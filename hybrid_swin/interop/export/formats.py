"""The formats of an export: each writes a file, and opens it again as who gets it would."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.errors.failed_imports import is_installed
from hybrid_swin.interop.trained import load

Run = Callable[[Tensor], Tensor]

IMAGES, LOGITS = "images", "logits"  # input and output of a graph
BATCH = "batch"  # their first axis, as graphs name it
_ONNX_PACKAGES = "onnx", "onnxscript", "onnxruntime"
_ONNX_LIMIT = 2 * 1024**3  # bytes of one protobuf


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        suffix: of its files.
        runner: what opens them, in words.
        is_graph: whether it holds what is computed, not only the weights.
        packages: needed beside our own dependencies.
        write: (network, images of a batch, facts, file).
        open: a file as a function of images.
    """

    suffix: str
    runner: str
    is_graph: bool
    packages: tuple[str, ...]
    write: Callable[[nn.Module, Tensor, Mapping[str, str], Path], None]
    open: Callable[[Path], Run]

    def check_packages(self) -> None:
        """Raise InputError where one is not installed."""
        missing = [name for name in self.packages if not is_installed(name)]
        if missing:
            raise InputError(
                f"this format needs {', '.join(missing)}; install what is missing by "
                "`pip install -c constraints.txt -e '.[export]'` in the checkout"
            )


def _trace(network: nn.Module, images: Tensor) -> torch.export.ExportedProgram:
    """The computation with the batch left open. Sizes are fixed: windows and masks follow them."""
    batch = torch.export.Dim(BATCH, min=1)
    program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},), strict=False)
    for node in program.graph.nodes:  # the paths of our files are nobody's business
        node.meta.pop("stack_trace", None)
    return program


def _write_onnx(network: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> None:
    size = sum(p.numel() * p.element_size() for p in network.state_dict().values())
    if size >= _ONNX_LIMIT:
        raise InputError(
            f"the weights take {size / 1024**3:.1f} GiB, and a file of ONNX holds at most 2; "
            "choose torch-export"
        )
    with _quiet():
        program = torch.onnx.export(
            _trace(network, images),
            dynamo=True,
            input_names=[IMAGES],
            output_names=[LOGITS],
            dynamic_shapes=({0: BATCH},),  # which names the axis
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave nothing")
    program.model.metadata_props.update(facts)
    program.save(file, external_data=False)


def _open_onnx(file: Path) -> Run:
    runtime = import_module("onnxruntime")  # which has no types
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {IMAGES: images.numpy()})[0])


def _write_program(
    network: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path
) -> None:
    extra: dict[str, Any] = {f"{name}.json": text for name, text in facts.items()}
    with _quiet():
        torch.export.save(_trace(network, images), file, extra_files=extra)


def _open_program(file: Path) -> Run:
    with _quiet():
        program: Any = torch.export.load(file).module()
    return lambda images: program(images)


def _write_weights(
    network: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path
) -> None:
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"format": "pt", "layout": "timm", **facts}
    file.write_bytes(safetensors.torch.save(weights, metadata))


def _open_weights(file: Path) -> Run:
    model = load(file)
    return lambda images: model(images)


FORMATS = {
    "onnx": Format(".onnx", "ONNX Runtime", True, _ONNX_PACKAGES, _write_onnx, _open_onnx),
    "torch-export": Format(".pt2", "torch.export", True, (), _write_program, _open_program),
    "safetensors": Format(".safetensors", "hybrid_swin", False, (), _write_weights, _open_weights),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch says to itself, and notes for itself."""
    # "torchvision is not installed. Skipping torchvision::nms", four times, whatever the network:
    # https://github.com/pytorch/pytorch/blob/v2.13.0/torch/onnx/_internal/exporter/_registration.py
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    # The line of our files that each operation comes from, a sixth of the time: no export holds it.
    # Older versions do not know the name and note it.
    tracing: Any = getattr(torch.fx, "config", SimpleNamespace())
    noted = getattr(tracing, "do_not_emit_stack_traces", False)
    tracing.do_not_emit_stack_traces = True
    try:
        with warnings.catch_warnings():
            # https://github.com/pytorch/pytorch/pull/169421 mends one of the places
            warnings.filterwarnings(
                "ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated"
            )
            yield
    finally:
        tracing.do_not_emit_stack_traces = noted
        logger.setLevel(level)

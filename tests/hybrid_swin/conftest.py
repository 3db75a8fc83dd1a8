from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


class Golden(NamedTuple):
    """A small Swin as another library saves it, with an input and that library's output."""

    weights: dict[str, Tensor]
    images: Tensor
    logits: Tensor


@cache
def _golden(library):
    tensors = load_file(Path(__file__).parents[1] / "golden" / f"{library}.safetensors")
    return Golden(tensors, tensors.pop("__input__"), tensors.pop("__logits__"))


@pytest.fixture
def golden():
    """The golden file of timm, torchvision, microsoft or huggingface."""
    return lambda library="timm": Golden(dict(_golden(library).weights), *_golden(library)[1:])


@pytest.fixture
def small_swin():
    """Build the golden files' network, with other blocks or sizes where the test wants them."""

    def build(*words, seed=0, width=24, depths=(2, 2), heads=(2, 4), norm="pre", **fields):
        words = words or ("w_msa", "sw_msa")
        stages = [
            Stage(width * 2**i, depth, head, words[:depth], norm=norm)
            for i, (depth, head) in enumerate(zip(depths, heads, strict=True))
        ]
        fields = {"image_size": 56, "num_classes": 10, "window_size": 7} | fields
        torch.manual_seed(seed)
        return HybridSwin(Variant(stages=stages, **fields)).eval()

    return build

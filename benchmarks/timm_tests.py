"""Run timm's own tests of models, as they stand, on our networks.

    python -m benchmarks.timm_tests path/to/pytorch-image-models/tests/test_models.py

Needs timm, as `benchmarks.timm_calls` does, and its tests, which its repository has. Tests of
TorchScript and FX are left out: they are out of scope (docs/timm.md).
"""

import argparse
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import hybrid_swin as hs
from benchmarks.timm_calls import import_timm

NAMES = "swin_t", "hybrid_t", "swin_v2_t"
WORDS = (
    "w_msa+mdta",
    "conv+w_msa",
    "w_msa+mdta:gate",
    "conv+w_msa:split",
    "conv+identity+mdta+pointwise",
    "grid+w_msa:scale",
    "pooled+w_msa:selective",
    "conv+w_msa:cross",
    "mdta+w_msa:cascade",
    "focal+xca:concat",
    "channel_group+large_conv",
    "agent+linear",
    "inception_dw+spectral",
    "overlap+stripes",
    "deform+routing",
)
SMALL: dict[str, Any] = {"embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 2, 4)}


def register(timm: Any) -> list[str]:
    """Put the published names and small networks of the words into timm's registry."""
    hs.register_with_timm()
    module = ModuleType("small_networks")
    module.default_cfgs = {}  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    for index, word in enumerate(WORDS):

        def entry(pretrained: bool = False, word: str = word, **arguments: Any) -> nn.Module:
            ours = {k: v for k, v in arguments.items() if k not in ("cache_dir", "feature_cls")}
            for name in ("pretrained_cfg", "pretrained_cfg_overlay", "feature_cfg"):
                ours.pop(name, None)
            model: nn.Module = hs.create_model(word, pretrained, **(SMALL | ours))
            return model

        entry.__name__ = entry.__qualname__ = f"small_{index}"
        entry.__module__ = module.__name__
        module.default_cfgs[entry.__name__] = hs.create_model(word, **SMALL).pretrained_cfg
        timm.models.register_model(entry)
    return [*NAMES, *(f"small_{index}" for index in range(len(WORDS)))]


def main() -> int:
    """Collect timm's tests with our names instead of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", type=Path, help="timm's tests/test_models.py")
    tests = parser.parse_args().tests
    torch.set_num_threads(1)
    timm: Any = import_timm()
    names = register(timm)

    def list_models(filter: Any = "", pretrained: bool = False, **_: Any) -> list[str]:
        return [] if filter or pretrained else names

    timm.list_models, timm.list_pretrained = list_models, lambda *_, **__: []
    wanted = "(" + " or ".join(names) + ") and not torchscript and not fx"
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir"]
    return pytest.main([*options, str(tests.parent), "-c", "/dev/null", "-k", wanted, str(tests)])


if __name__ == "__main__":
    raise SystemExit(main())

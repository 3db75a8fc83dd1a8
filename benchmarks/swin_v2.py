"""Logits of Swin V2 by other libraries' code and by ours from their weights, as one table.

    python -m benchmarks.swin_v2 [.../Swin-Transformer]

Needs timm and torchvision, as ``benchmarks.timm_calls`` does, and a checkout of
https://github.com/microsoft/Swin-Transformer for its rows. Weights are random, norms behind mixers
not 0. About five minutes on one core.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import hybrid_swin as hs
from benchmarks.timm_calls import import_timm

SIZES = ((256, 256), (192, 192), (224, 224), (288, 288), (384, 384), (256, 384))
HEADS = {"t": (3, 6, 12, 24), "s": (3, 6, 12, 24), "b": (4, 8, 16, 32)}
DEPTHS = {"t": (2, 2, 6, 2), "s": (2, 2, 18, 2), "b": (2, 2, 18, 2)}
WIDTHS = {"t": 96, "s": 96, "b": 128}


class Network(NamedTuple):
    """One of the published networks, at 256 pixels."""

    size: str
    window: int = 8
    first: tuple[int, ...] = (0, 0, 0, 0)

    def __str__(self) -> str:
        first = f", first trained with {self.first[0]}" if any(self.first) else ""
        return f"{self.size.upper()}, windows of {self.window}{first}"


NETWORKS = (
    *(Network(size) for size in HEADS),
    Network("t", 16),
    Network("t", 16, (8, 8, 8, 8)),
    Network("b", 16, (12, 12, 12, 6)),
)


def timm_network(network: Network) -> nn.Module:
    """Of timm."""
    size = {"t": "tiny", "s": "small", "b": "base"}[network.size]
    made: nn.Module = import_timm().create_model(
        f"swinv2_{size}_window{network.window}_256",
        pretrained_window_sizes=network.first,
        strict_img_size=False,
    )
    return made


def torchvision_network(network: Network) -> nn.Module | None:
    """Of torchvision, which knows neither a first training nor other windows by name."""
    if any(network.first):
        return None
    import_timm()
    swin = importlib.import_module("torchvision.models.swin_transformer")
    made: nn.Module = swin.SwinTransformer(
        [4, 4],
        WIDTHS[network.size],
        list(DEPTHS[network.size]),
        list(HEADS[network.size]),
        [network.window] * 2,
        block=swin.SwinTransformerBlockV2,
        downsample_layer=swin.PatchMergingV2,
    )
    return made


def transformers_network(network: Network) -> nn.Module:
    """Of transformers."""
    from transformers import Swinv2Config, Swinv2ForImageClassification

    config = Swinv2Config(
        image_size=256,
        embed_dim=WIDTHS[network.size],
        depths=DEPTHS[network.size],
        num_heads=HEADS[network.size],
        window_size=network.window,
        pretrained_window_sizes=network.first,
    )
    config.num_labels = 1000
    return Swinv2ForImageClassification(config)


def microsoft_network(network: Network) -> nn.Module | None:
    """Of the authors, from their checkout."""
    if len(sys.argv) < 2:
        return None
    timm: Any = import_timm()
    sys.modules.setdefault("timm.models.layers", timm.layers)  # where it was
    file = Path(sys.argv[1]) / "models" / "swin_transformer_v2.py"
    spec = importlib.util.spec_from_file_location("swin_transformer_v2", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: nn.Module = module.SwinTransformerV2(
        256,
        embed_dim=WIDTHS[network.size],
        depths=DEPTHS[network.size],
        num_heads=HEADS[network.size],
        window_size=network.window,
        pretrained_window_sizes=network.first,
    )
    return made


LIBRARIES: dict[str, Callable[[Network], nn.Module | None]] = {
    "timm": timm_network,
    "Microsoft": microsoft_network,
    "torchvision": torchvision_network,
    "transformers": transformers_network,
}


@torch.no_grad()
def shake(model: nn.Module) -> nn.Module:
    """Random weights of which none is idle, and logits of about the size of 1."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "logit_scale" in name:
            parameter.copy_(2.3 + 0.5 * noise)
        elif parameter.ndim > 1:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)
        else:
            parameter.copy_(0.1 * noise + 1.0 * (name.endswith("weight")))
    return model.eval()


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """Whatever it wraps them in."""
    out = model(images)
    found: Tensor = getattr(out, "logits", out)
    return found


@torch.no_grad()
def differences(theirs: nn.Module, network: Network) -> Iterator[str]:
    """The largest difference of logits over the largest, at each size that theirs takes."""
    ours = hs.create_model(
        f"swin_v2_{network.size}",
        window_size=network.window,
        pretrained_window_sizes=network.first,
    ).eval()
    hs.load_weights(ours, theirs.state_dict(), follow_source=True)
    generator = torch.Generator().manual_seed(1)
    for size in SIZES:
        images = torch.randn(1, 3, *size, generator=generator)
        try:
            expected = logits(theirs, images)
        except (AssertionError, RuntimeError):
            yield "refused"
            continue
        yield f"{float((ours(images) - expected).abs().max() / expected.abs().max()):.0e}"


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print(f"| | | {' | '.join(f'{h} x {w}' for h, w in SIZES)} |\n|---|---|{'---|' * len(SIZES)}")
    for library, build in LIBRARIES.items():
        for network in NETWORKS:
            theirs = build(network)
            if theirs is not None:
                found = " | ".join(differences(shake(theirs), network))
                print(f"| {library} | {network} | {found} |", flush=True)


if __name__ == "__main__":
    main()

"""Compare Swin-T's logits with four libraries' at many image sizes: a table for docs/weights.md.

    python -m benchmarks.sizes --microsoft Swin-Transformer/models/swin_transformer.py

Each library's own network is given random weights, ours takes them by `load_weights`, as it is and
with `follow_source=True`. Needs timm, torchvision and transformers (see benchmarks/timm_calls.py),
and for Microsoft's column a clone of https://github.com/microsoft/Swin-Transformer.
"""

import argparse
import copy
import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import hybrid_swin as hs
from benchmarks.timm_calls import PEER, import_timm

Size = tuple[int, int]
SQUARE = (96, 128, 160, 192, 224, 256, 288, 320, 352, 384)
OBLONG = (160, 224), (224, 320), (200, 260), (224, 448)
SIZES: list[Size] = [*((side, side) for side in SQUARE), *OBLONG]
REFUSED = RuntimeError, ValueError, AssertionError  # what libraries raise for an image


class Peer(NamedTuple):
    """A library's Swin-T with random weights.

    Args:
        name: of its column.
        weights: as it would save them.
        logits: what it gives for images, by a network of which nothing depends on earlier ones.
    """

    name: str
    weights: Mapping[str, Tensor]
    logits: Callable[[Tensor], Tensor]


def randomised(network: nn.Module) -> nn.Module:
    """The network in evaluation, with weights by which every block is felt in the logits."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and "bias_table" not in name:
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))
        else:
            nn.init.normal_(parameter, mean=1.0 * ("norm" in name and "weight" in name), std=0.2)
    return network.eval()


def timm_peer(timm: Any) -> Peer:
    """The Swin-T of timm, made for 224 pixels; by default it refuses other sizes."""
    network = randomised(timm.create_model(PEER, strict_img_size=False))
    return Peer("timm", network.state_dict(), network)


def torchvision_peer() -> Peer:
    """The Swin-T of torchvision."""
    network = randomised(importlib.import_module("torchvision.models").swin_t())
    return Peer("torchvision", network.state_dict(), network)


def transformers_peer() -> Peer:
    """The Swin-T of transformers, fresh for each size: its blocks keep what a smaller map sets."""
    library: Any = importlib.import_module("transformers")
    network = randomised(library.SwinForImageClassification(library.SwinConfig(num_labels=1000)))

    def logits(images: Tensor) -> Tensor:
        out: Tensor = copy.deepcopy(network)(images).logits
        return out

    return Peer("transformers", network.state_dict(), logits)


def microsoft_peer(file: Path) -> Peer:
    """Microsoft's own code, made for each size; with smaller windows its tables are others."""
    spec = importlib.util.spec_from_file_location("microsoft_swin", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{str(file)!r} is not a Python file")
    module: Any = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm.models.layers is deprecated
        spec.loader.exec_module(module)

    def made(size: Size) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.meshgrid without indexing
            network: nn.Module = module.SwinTransformer(img_size=size)
        return network

    weights = dict(randomised(made((224, 224))).named_parameters())

    def logits(images: Tensor) -> Tensor:
        network = made((images.shape[2], images.shape[3])).eval()
        network.load_state_dict(weights, strict=False)
        out: Tensor = network(images)
        return out

    return Peer("Microsoft", weights, logits)


@torch.no_grad()
def differences(
    peer: Peer, sizes: Iterable[Size] = SIZES
) -> dict[Size, tuple[float, float] | None]:
    """By size the largest difference of logits over the largest logit: as it is, and following.

    None where the library takes no such image.
    """
    plain, following = (hs.create_model("swin_t").eval() for _ in range(2))
    hs.load_weights(plain, peer.weights)
    hs.load_weights(following, peer.weights, follow_source=True)
    found: dict[Size, tuple[float, float] | None] = {}
    for size in sizes:
        images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
        try:
            expected = peer.logits(images)
        except REFUSED:
            found[size] = None
            continue
        gaps = [float((net(images) - expected).abs().max()) for net in (plain, following)]
        largest = float(expected.abs().max())
        found[size] = gaps[0] / largest, gaps[1] / largest
    return found


def table(columns: Mapping[str, Mapping[Size, tuple[float, float] | None]]) -> str:
    """Sizes by libraries in Markdown."""
    lines = ["| image | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for size in next(iter(columns.values())):
        cells = [_cell(column[size]) for column in columns.values()]
        lines.append(f"| {size[0]}x{size[1]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(gaps: tuple[float, float] | None) -> str:
    if gaps is None:
        return "takes none"
    return " → ".join(f"{gap:.1g}".replace("e-0", "e-") for gap in gaps)


def made_for_each(timm: Any, peer: Peer) -> dict[Size, float]:
    """The same where timm's and our network are made for each size, if tables are as large."""
    found = {}
    for size in SIZES:
        network = timm.create_model(PEER, img_size=size).eval()
        try:
            network.load_state_dict(peer.weights)
        except RuntimeError:
            continue
        ours = hs.create_model("swin_t", img_size=size).eval()
        hs.load_weights(ours, peer.weights, follow_source=True)
        images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = network(images)
            gap = (ours(images) - expected).abs().max() / expected.abs().max()
        found[size] = float(gap)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--microsoft", type=Path, help="their models/swin_transformer.py")
    options = parser.parse_args()
    timm = import_timm()
    others = [importlib.import_module(name) for name in ("torchvision", "transformers")]
    versions = [f"{m.__name__} {m.__version__}" for m in (torch, timm, *others)]
    peers = [timm_peer(timm), torchvision_peer(), transformers_peer()]
    if options.microsoft is not None:
        peers.insert(0, microsoft_peer(options.microsoft))
    print(f"{', '.join(versions)}\n")
    print(table({peer.name: differences(peer) for peer in peers}))
    own = made_for_each(timm, next(peer for peer in peers if peer.name == "timm"))
    sizes = ", ".join(f"{h}x{w}" for h, w in own)
    print(f"\ntimm's and ours made for the size ({sizes}): at most {max(own.values()):.0e}")


if __name__ == "__main__":
    main()

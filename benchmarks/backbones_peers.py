"""What others offer in place of our networks: transformers' and timm's, where they can be imported.

A peer that computes plain Swin's function says how to read our plain Swin's weights.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Cost
from hybrid_swin.spec.variant import Variant


@dataclass(frozen=True)
class Entry:
    """One thing to time.

    Args:
        name: in tables.
        build: makes it, with random weights.
        same: whether it computes the reference's function.
        weights: our plain Swin's parameters under its own names, if it is the same.
        cost: its cost, where it is known in closed form.
    """

    name: str
    build: Callable[[], nn.Module]
    same: bool = False
    weights: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    cost: Cost | None = None


def peers(plain: Variant) -> tuple[list[Entry], list[str]]:
    """The peers of a plain Swin, and why others are left out."""
    entries: list[Entry] = []
    skipped = []
    for makers in (_transformers_entries, _timm_entries):
        try:
            entries += makers(plain)
        except (ImportError, RuntimeError, AttributeError) as error:
            library = makers.__name__.split("_")[1]
            skipped.append(f"{library} cannot be imported here: {_first_line(error)}")
    return entries, skipped


class _Logits(nn.Module):
    """A model of transformers that returns its logits alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, num_classes)."""
        out: Tensor = self.model(pixel_values=images).logits
        return out


def _transformers_entries(plain: Variant) -> list[Entry]:
    """Swin with fused and with eager attention; three others at the nearest size."""
    library = importlib.import_module("transformers")
    importlib.import_module("transformers.models.swin.modeling_swin")  # the library loads lazily
    version = library.__version__
    widths, depths = [s.width for s in plain.stages], [s.depth for s in plain.stages]
    common = {
        "image_size": plain.image_size[0],
        "patch_size": plain.patch_size,
        "num_labels": plain.num_classes,
        "depths": depths,
        "drop_path_rate": 0.0,
    }
    swin = {
        "window_size": plain.window_size,
        "embed_dim": widths[0],
        "num_heads": [s.num_heads for s in plain.stages],
    }
    deeper = [depth + depth // 2 for depth in depths]  # ConvNeXt-T's 3, 3, 9, 3 for 2, 2, 6, 2

    def build(kind: str, attention: str | None = None, **fields: Any) -> nn.Module:
        config = getattr(library, f"{kind}Config")(**{**common, **fields})
        model = getattr(library, f"{kind}ForImageClassification")
        chosen = {"attn_implementation": attention} if attention else {}
        return _Logits(model._from_config(config, **chosen))

    return [
        *(
            Entry(
                f"transformers {version}: Swin, {attention}",
                lambda attention=attention: build("Swin", attention, **swin),
                same=True,
                weights=transformers_weights,
            )
            for attention in ("sdpa", "eager")
        ),
        Entry(f"transformers {version}: Swinv2", lambda: build("Swinv2", **swin)),
        Entry(
            f"transformers {version}: FocalNet",
            lambda: build(
                "FocalNet",
                embed_dim=widths[0],
                hidden_sizes=[*widths[1:], widths[-1]],
                focal_levels=[2] * len(widths),
                focal_windows=[3] * len(widths),
            ),
        ),
        Entry(
            f"transformers {version}: ConvNext",
            lambda: build("ConvNext", num_stages=len(widths), hidden_sizes=widths, depths=deeper),
        ),
    ]


def transformers_weights(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Plain Swin's parameters under the names that transformers 5 gives them."""
    weights = {}
    for name, value in ours.items():
        parts = name.split(".")
        if parts[0] == "layers":
            if parts[2] == "downsample":
                parts[1] = str(int(parts[1]) - 1)
            name = ".".join(["swin.encoder", *parts])
        elif parts[0] == "norm":
            name = f"swin.layer{name}"
        for old, new in _RENAMED.items():
            name = name.replace(old, new) if old in name else name
        if ".qkv." in name:
            for letter, third in zip("qkv", value.chunk(3), strict=True):
                weights[f"model.{name.replace('.qkv.', f'.{letter}_proj.')}"] = third
        else:
            weights[f"model.{name}"] = value
    return weights


_RENAMED = {
    "patch_embed.proj": "swin.embeddings.patch_embeddings.projection",
    "patch_embed.norm": "swin.embeddings.norm",
    "attn.proj": "attn.o_proj",
    "attn.relative": "attn.relative_position_bias.relative",
    ".attn.": ".attention.",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "head.fc": "classifier",
}


def _timm_entries(plain: Variant) -> list[Entry]:
    library = importlib.import_module("timm")
    swin = importlib.import_module("timm.models.swin_transformer").SwinTransformer

    def build() -> nn.Module:
        model: nn.Module = swin(
            img_size=plain.image_size,
            patch_size=plain.patch_size,
            window_size=plain.window_size,
            embed_dim=plain.stages[0].width,
            depths=tuple(s.depth for s in plain.stages),
            num_heads=tuple(s.num_heads for s in plain.stages),
            num_classes=plain.num_classes,
            drop_path_rate=0.0,
        )
        return model

    about = "" if hasattr(torch.ops.torchvision, "nms") else ", without torchvision's operators"
    return [Entry(f"timm {library.__version__}: Swin{about}", build, same=True)]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

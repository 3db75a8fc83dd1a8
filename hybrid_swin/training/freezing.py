"""Parts of a network that do not train: weights that came from a file, in its first stages.

What a file did not have, such as a branch beside its attention, trains in every stage.
"""

from collections.abc import Collection

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze(model: nn.Module, stages: int, from_file: Collection[str]) -> list[nn.Module]:
    """Let the stem and the first stages stay as they are, as far as they came from a file.

    Gives the modules of which nothing trains, to be held in evaluation mode (``hold``): there batch
    norm keeps its statistics, and no branch is dropped. Of a module in which something trains, only
    the batch norms of which nothing does.

    A merging is of the stage behind it, as in timm.

    Source: MMDetection's ``frozen_stages`` of its Swin, which holds whole stages and counts a
    merging to the stage before it,
    https://github.com/open-mmlab/mmdetection/blob/main/mmdet/models/backbones/swin.py

    Args:
        model: the network, with its first weights.
        stages: how many; 0 for none, not even the stem.
        from_file: names of parameters and buffers that came from the file.
    """
    if not stages:
        return []
    parts = "patch_embed.", *(f"layers.{stage}." for stage in range(stages))
    for name, parameter in model.named_parameters():
        if name.startswith(parts) and name in from_file:
            parameter.requires_grad_(False)
    held: list[nn.Module] = []
    for name, module in model.named_modules():
        own = [*module.parameters()]
        inside = f"{name}.".startswith(parts)
        if inside and own and not any(parameter.requires_grad for parameter in own):
            held.append(module)
        elif inside and isinstance(module, _BatchNorm) and not own:
            held.append(module)
    return held


def hold(modules: Collection[nn.Module]) -> None:
    """Put modules into evaluation mode; a trainer puts whole networks into training mode."""
    for module in modules:
        module.train(False)

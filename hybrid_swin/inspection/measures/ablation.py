"""Accuracy with parts of a network replaced by their means, without running all of it each time.

An ablated block changes nothing before it. So each block's input is kept, and only the block and
what follows is run again.

Shapes: N images, B images of a batch, H height, W width, C channels, K classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hybrid_swin.inspection.measures.branch_hooks import replaced
from hybrid_swin.inspection.subject import Place, Subject
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.model import HybridSwin


@dataclass
class AblationScores:
    """How right a network is, image by image."""

    right: list[bool] = field(default_factory=list)  # whether the label was found
    loss: list[float] = field(default_factory=list)  # cross entropy
    moved: float = 0.0  # the largest change of any logit against the whole network

    def add(self, logits_BK: Tensor, labels_B: Tensor, whole_BK: Tensor) -> None:
        """Read a batch."""
        self.right += (logits_BK.argmax(dim=1) == labels_B).tolist()
        self.loss += F.cross_entropy(logits_BK.double(), labels_B, reduction="none").tolist()
        self.moved = max(self.moved, float((logits_BK - whole_BK).abs().max()))


def walk(model: HybridSwin, images: Tensor) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """The input of every block, by its stage and index, and in the end of the head: (-1, -1)."""
    x = model.patch_embed(images)
    for stage, layer in enumerate(model.layers):
        x = layer.downsample(x)  # type: ignore[operator]  # a Layer
        for index, block in enumerate(layer.blocks):  # type: ignore[arg-type]  # likewise
            yield (stage, index), x
            x = block(x)
    yield (-1, -1), x


def finish(model: HybridSwin, x: Tensor, stage: int, index: int) -> Tensor:
    """Logits from the input of a block: that block and all that follows. -> (B, K)."""
    blocks = list(model.layers[stage].blocks)  # type: ignore[arg-type]  # a Layer
    for block in blocks[index:]:
        x = block(x)
    for layer in list(model.layers)[stage + 1 :]:
        x = layer(x)
    return model.forward_head(model.norm(x))


@torch.no_grad()
def ablate(
    subject: Subject,
    alone: Sequence[tuple[Place, Mapping[Branch, Tensor]]],
    together: Sequence[Mapping[Branch, Tensor]],
) -> tuple[AblationScores, list[AblationScores], list[AblationScores]]:
    """Read the network whole, then with branches replaced by constants (C,), in each given way."""
    model = subject.model
    whole = AblationScores()
    singles, groups = [AblationScores() for _ in alone], [AblationScores() for _ in together]
    for images, labels in subject.batches():
        if labels is None:
            raise ValueError("accuracy needs labels")
        inputs = dict(walk(model, images))
        logits = model.forward_head(model.norm(inputs[-1, -1]))
        whole.add(logits, labels, logits)
        for (place, outputs), reading in zip(alone, singles, strict=True):
            at = (place.stage, place.index)
            with replaced(outputs):
                reading.add(finish(model, inputs[at], *at), labels, logits)
        for outputs, reading in zip(together, groups, strict=True):
            with replaced(outputs):
                reading.add(finish(model, inputs[0, 0], 0, 0), labels, logits)
    return whole, singles, groups

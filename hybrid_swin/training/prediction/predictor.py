"""A trained network that answers for new images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from hybrid_swin.errors import InputError, quote
from hybrid_swin.interop.trained import load_trained
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.training.prediction.calibration import probabilities
from hybrid_swin.training.prediction.new_images import NewImages, Preparation, left_out_text


class Answers(NamedTuple):
    """What a network answers for some images."""

    ids: list[str]
    logits: NDArray[np.float32]  # (B, num_classes)
    probabilities: NDArray[np.float64]  # (B, num_classes), by the temperature


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network in evaluation mode and float32, and how images are made ready for it.

    Args:
        model: the network, where it is to run.
        classes: what the logits stand for.
        preparation: makes images what the network takes.
        temperature: what logits are divided by.
    """

    model: HybridSwin
    classes: tuple[str, ...]
    preparation: Preparation
    temperature: float = 1.0

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "cpu",
        value_range: tuple[float, float] | None = None,
    ) -> Self:
        """The network of a training, an export or a folder of one, and its images' preparation.

        Images take the size at which its validation images were read. With a ``value_range``
        [low, high] these pixel values become 0 and 1, whatever the training's images were.

        Raises:
            InputError: no such network, one without classes, or one that does not know how its
                images were normalised.
        """
        trained = load_trained(path)
        variant = trained.model.variant
        if trained.normalisation is None:
            raise InputError(
                f"{quote(str(path), 120)} does not say how its images were normalised (the data "
                "module was the user's own, or the weights come from elsewhere); new images cannot "
                "be made ready for it: use hs.load and normalise them as in the training"
            )
        if not variant.num_classes:
            raise InputError(f"{quote(str(path), 120)} has no classes; it gives features alone")
        names = trained.class_names or tuple(map(str, range(variant.num_classes)))
        tested: Any = trained.identity.get("recipe", {}).get("test_image_size")
        size = variant.image_size if tested is None else (tested, tested)
        normalisation = trained.normalisation
        if value_range is not None:
            normalisation = replace(normalisation, value_range=value_range)
        is_given = value_range is not None
        preparation = Preparation(size, variant.in_channels, normalisation, is_given)
        return cls(trained.model.to(device), names, preparation)

    def at_temperature(self, temperature: float) -> Self:
        """The same with another temperature."""
        return replace(self, temperature=temperature)

    def answer(self, listing: NewImages) -> Iterator[Answers]:
        """What the network answers for all images that can be read, some at a time.

        Raises InputError as ``Preparation.batches``, where no image can be read, or for answers
        that are not finite.
        """
        count = 0
        device = next(self.model.parameters()).device
        for batch in self.preparation.batches(listing):
            with torch.inference_mode():
                logits = self.model(batch.images.to(device)).float().cpu().numpy()
            if not np.isfinite(logits).all():
                raise InputError("the network's answers are not finite; train it anew")
            count += len(batch.ids)
            yield Answers(batch.ids, logits, probabilities(logits, self.temperature))
        if not count:
            raise InputError(f"no image can be read: {left_out_text(listing.left_out)}")

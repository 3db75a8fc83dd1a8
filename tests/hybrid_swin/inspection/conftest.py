import pytest
import torch

from hybrid_swin.inspection.subject import make_subject
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


@pytest.fixture
def network():
    """A network of one stage, each token a pixel; words are its blocks in order."""

    def build(*words, size=16, window=4, width=16, heads=2, channels=1, seed=0, **more):
        torch.manual_seed(seed)
        stages = (Stage(width, len(words), heads, words),)
        fields = {"image_size": size, "patch_size": 1, "window_size": window, "num_classes": 3}
        return HybridSwin(Variant(in_channels=channels, stages=stages, **fields | more)).eval()

    return build


@pytest.fixture
def looked_at(network):
    """A subject of such a network, with random images."""

    def build(*words, count=4, labels=False, trained=True, model=None, **more):
        model = model or network(*words, **more)
        variant = model.variant
        generator = torch.Generator().manual_seed(1)
        images = torch.randn(count, variant.in_channels, *variant.image_size, generator=generator)
        answers = torch.arange(count) % 3 if labels else None
        return make_subject(model, images, answers, trained=trained, batch_size=3)

    return build

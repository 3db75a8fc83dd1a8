"""Train images on their way to the network."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.training.augmentation import augment
from hybrid_swin.training.augmentations import Pixels
from hybrid_swin.training.train_images import TrainImages

IMAGES, LABELS = torch.rand(6, 3, 9, 7), torch.arange(6) % 3
DATA = SimpleNamespace(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
ALL = registry.names("augmentation")


def given(recipe, images=IMAGES, data=DATA, seed=0):
    ready = TrainImages(Recipe(**recipe), images.shape[1])
    ready.prepare(data)
    torch.manual_seed(seed)
    return ready(images, torch.arange(len(images)) % 3)


def test_a_recipe_without_new_parts_does_what_it_did():
    batch = given({"shift": 2, "flip": "horizontal"})
    torch.manual_seed(0)
    assert torch.equal(batch.images, augment(IMAGES, 2, "horizontal"))
    assert given({}).images is IMAGES and batch.opposite is None


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (3, 3, 9, 7), (2, 5, 5, 5), (1, 3, 1, 2)])
def test_each_augmentation_keeps_shape_type_and_values(name, shape):
    values = torch.rand(shape)
    data = SimpleNamespace(mean=(0.5,) * shape[1], std=(0.25,) * shape[1])
    images = (values - 0.5) / 0.25
    before = images.clone()
    out = given({"augmentations": [name]}, images, data).images
    assert out.shape == shape and out.dtype == torch.float32 and torch.isfinite(out).all()
    assert torch.equal(images, before)  # whoever holds them still has them
    if name != "random_erasing" and name != "random_resized_crop":  # noise; overshoots
        assert -1e-6 <= (out * 0.25 + 0.5).min() and (out * 0.25 + 0.5).max() <= 1 + 1e-6
    assert torch.equal(out, given({"augmentations": [name]}, images, data).images)
    if min(shape) > 4 or shape[0] > 2:
        others = [given({"augmentations": [name]}, images, data, seed).images for seed in range(9)]
        assert not all(torch.equal(out, other) for other in others)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*ALL, "color_jitter(hue=0.2)"])
def test_no_augmentation_waits_for_a_gpu_or_mixes_devices(name, channels):
    """The meta device holds no values, and refuses what reads them or meets another device."""
    (part,) = Recipe(augmentations=(name,)).augmentation_parts
    facts = torch.ones(channels, 1, 1, device="meta")
    images = torch.empty(64, channels, 12, 12, device="meta")
    out = registry.load("augmentation", part.name)(**part.kwargs)(images, Pixels(facts, facts))
    assert out.device.type == "meta" and out.shape == images.shape


def test_augmentations_come_in_order(write_plugin):
    source = '''
from hybrid_swin import Augmentation

class {title}(Augmentation):
    """Of a test."""

    def __init__(self, by: float = 2.0):
        self.by = by

    def __call__(self, images, pixels):
        return images {sign} self.by
'''
    for name, sign in (("adds_some", "+"), ("times_some", "*")):
        registry.add_plugin(write_plugin(name, source.format(title="Some", sign=sign)))
    out = given({"augmentations": ["adds_some(by=1)", "times_some"]}).images
    torch.testing.assert_close(out, (IMAGES + 1) * 2)


def test_mixed_images_and_labels_fit_each_other():
    """Images whose values are their labels say what was mixed."""
    images = LABELS.float()[:, None, None, None].expand(6, 1, 8, 8).contiguous()
    for recipe in ({"mixup": 0.8}, {"cutmix": 1.0}):
        for seed in range(5):
            batch = given(recipe, images, seed=seed)
            wanted = batch.kept * batch.labels + (1 - batch.kept) * batch.opposite
            torch.testing.assert_close(batch.images.mean((1, 2, 3)), wanted)
    assert batch.opposite.tolist() == LABELS.flip(0).tolist()


def test_what_works_on_values_must_know_them():
    unclear = SimpleNamespace(mean=(0.1, 0.2), std=(1.0,))
    for name in ALL:
        needs = registry.describe("augmentation", name).constants.get("needs_values", False)
        for data in (None, unclear, SimpleNamespace(mean=len)):
            if needs:
                with pytest.raises(InputError, match=f"{name} works on pixel .* mean and std"):
                    given({"augmentations": [name]}, data=data)
            else:
                given({"augmentations": [name]}, data=data)
    one_for_all = SimpleNamespace(mean=0.5, std=torch.tensor(0.2))
    given({"augmentations": ["rand_augment"]}, data=one_for_all)


def test_values_beyond_black_and_white_are_refused():
    pixels = np.array([-1024.0, 0.5, 3071.0], np.float32).reshape(3, 1, 1, 1)
    data = SimpleNamespace(
        mean=(0.5,),
        std=(0.2,),
        images=SimpleNamespace(images=pixels),
        splits=SimpleNamespace(train=np.arange(3)),
    )
    with pytest.raises(InputError, match=r"hold -1024 to 3071; .* value_range: \[-1024, 3071\]"):
        given({"augmentations": ["rand_augment"]}, IMAGES[:, :1], data)
    given({"augmentations": ["random_erasing"]}, IMAGES[:, :1], data)

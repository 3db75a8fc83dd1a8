"""First weights that a process keeps, and how the images of their training were normalised."""

import json

import pytest
import safetensors.torch
import torch

import hybrid_swin as hs
from hybrid_swin.interop.weights.source import kept
from hybrid_swin.interop.weights.source.kept import kept_weights
from hybrid_swin.network.pretrained_cfg import Normalisation

IMAGENET = (0.485, 0.456, 0.406)


def test_a_file_is_read_once_until_it_changes(golden, tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    reads = []
    read = kept.read_weights
    monkeypatch.setattr(kept, "read_weights", lambda path: reads.append(path) or read(path))
    safetensors.torch.save_file(golden().weights, file)
    first = kept_weights(file)
    assert kept_weights(file) is first and len(reads) == 1
    safetensors.torch.save_file(golden("torchvision").weights, file)
    second = kept_weights(file)
    assert len(reads) == 2 and second.hash != first.hash and second.source.layout == "torchvision"


@pytest.mark.parametrize(
    ("beside", "mean"),
    [
        ({"preprocessor_config.json": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}}, 0.5),
        ({"config.json": {"pretrained_cfg": {"mean": [0.4] * 3, "std": [0.2] * 3}}}, 0.4),
        ({"config.json": {"mean": [0.3] * 3, "std": [0.2] * 3}}, 0.3),
        ({"config.json": {"mean": [0.3] * 3, "std": [0.0] * 3}}, None),  # none can divide by it
        ({"config.json": {"mean": "grey", "std": [0.2] * 3}}, None),
        ({"preprocessor_config.json": [1]}, None),
        ({}, None),
    ],
)
def test_what_lies_beside_weights_says_how_images_were_normalised(golden, tmp_path, beside, mean):
    torch.save(golden("torchvision").weights, tmp_path / "a.pth")
    for name, content in beside.items():
        (tmp_path / name).write_text(json.dumps(content))
    images = kept_weights(tmp_path / "a.pth").images
    assert images.mean == (IMAGENET if mean is None else (mean,) * 3)
    assert ("since the file does not say" in images.basis) == (mean is None)
    assert len(images.of_channels(1).mean) == 1


def test_a_network_of_ours_says_it_itself(small_swin, tmp_path):
    model = small_swin()
    facts = Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 255.0)
    model.pretrained_cfg |= facts.to_cfg()
    hs.save_weights(model, tmp_path / "ours.safetensors")
    images = kept_weights(tmp_path / "ours.safetensors").images
    assert (images.mean, images.std) == (facts.mean, facts.std)

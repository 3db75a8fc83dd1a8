"""A small segmentation head learns shapes from the pyramid."""

import torch
from torch import nn
from torch.nn import functional as F

import hybrid_swin as hs

VARIANT = hs.Variant(
    image_size=32,
    in_channels=1,
    num_classes=0,
    patch_size=2,
    window_size=4,
    mlp_ratio=2,
    stages=[
        hs.Stage(16, 2, 2, ("w_msa", "conv+sw_msa:gate")),
        hs.Stage(32, 1, 4, ("w_msa+mdta",)),
        hs.Stage(32, 1, 4, ("w_msa",)),
    ],
)


class Segmenter(nn.Module):
    """Maps of one width, brought to one size, added and read pixel by pixel."""

    def __init__(self, pyramid, classes, width=16):
        super().__init__()
        self.pyramid = pyramid
        self.sides = nn.ModuleList(nn.Conv2d(c, width, 1) for c in pyramid.feature_info.channels())
        self.read = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, images):
        maps = [side(m) for side, m in zip(self.sides, self.pyramid(images), strict=True)]
        size = [2 * length for length in maps[0].shape[2:]]
        joined = sum(F.interpolate(m, size, mode="bilinear") for m in maps)
        return self.read(F.relu(joined))[:, :, : images.shape[2], : images.shape[3]]


def shapes(count, height, width, generator):
    """Noisy images with a square (1) and a bar (2) of one brightness each, and their masks."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corners = torch.rand(count, 2, 2, 1, 1, generator=generator)
    sides = torch.tensor([height, width]).view(2, 1, 1)
    centres = 6 + corners * (sides - 12)
    dy, dx = (y - centres[:, :, 0]).abs(), (x - centres[:, :, 1]).abs()
    masks = torch.zeros(count, height, width, dtype=torch.long)
    masks[(torch.maximum(dy, dx) <= 4)[:, 0]] = 1
    masks[((dy <= 7) & (dx <= 1.5))[:, 1]] = 2
    noise = 0.3 * torch.randn(count, height, width, generator=generator)
    return ((masks > 0) + noise)[:, None], masks


def test_a_segmentation_head_trains_on_the_pyramid():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = Segmenter(hs.create_model(VARIANT, features_only=True), classes=3)
    model.pyramid.set_grad_checkpointing()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    losses = []
    for _ in range(50):
        images, masks = shapes(16, 32, 32, generator)
        loss = F.cross_entropy(model(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 8
    model.eval()
    for size in ((32, 32), (40, 27)):  # also on images of a size that it never saw
        images, masks = shapes(64, *size, generator)
        with torch.no_grad():
            right = model(images).argmax(1) == masks
        for kind in range(3):  # a square and a bar are told apart only by their surroundings
            assert right[masks == kind].float().mean() > 0.6, (size, kind)
        assert right.float().mean() > (masks == 0).float().mean() + 0.06

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hybrid_swin.network.stems import ConvEmbed, PatchEmbed


def test_a_patch_is_projected_alone_and_padded_right_and_below():
    embed = PatchEmbed(2, 5, 3)
    embed.norm = nn.Identity()
    images = torch.randn(1, 2, 7, 4)
    out = embed(images)
    assert out.shape == (1, 3, 2, 5)
    padded = torch.zeros(1, 2, 9, 6)
    padded[:, :, :7, :4] = images
    for i in range(3):
        for j in range(2):
            patch = padded[0, :, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            expected = (embed.proj.weight * patch).sum((1, 2, 3)) + embed.proj.bias
            torch.testing.assert_close(out[0, i, j], expected)


def convolved(x_CHW, conv):
    """A 3 x 3 convolution of zero padding, pixel by pixel. (C, H, W) -> (C', H', W')."""
    channels, height, width = x_CHW.shape
    padded = torch.zeros(channels, height + 2, width + 2, dtype=x_CHW.dtype)
    padded[:, 1:-1, 1:-1] = x_CHW
    stride = conv.stride[0]
    rows = [
        torch.stack(
            [
                (conv.weight * padded[:, y : y + 3, x : x + 3]).sum((1, 2, 3)) + conv.bias
                for x in range(0, width, stride)
            ],
            -1,
        )
        for y in range(0, height, stride)
    ]
    return torch.stack(rows, 1)


@pytest.mark.parametrize("patch_size", [1, 2, 4])
@pytest.mark.parametrize("size", [(8, 8), (7, 4), (1, 3)])
def test_convolutions_norms_and_gelus_take_turns(patch_size, size):
    embed = ConvEmbed(2, 6, patch_size).double()
    for norm in embed.norms:
        nn.init.normal_(norm.weight)
    image = torch.randn(2, *size, dtype=torch.float64)
    x = image
    for index, (conv, norm) in enumerate(zip(embed.convs, embed.norms, strict=True)):
        if index:
            x = x * (1 + torch.erf(x / 2**0.5)) / 2
        x = convolved(x, conv)
        mean, variance = x.mean(0), x.var(0, unbiased=False)
        x = ((x - mean) / (variance + norm.eps).sqrt()).permute(1, 2, 0) * norm.weight + norm.bias
        x = x.permute(2, 0, 1)
    out = embed(image[None])
    assert out.shape == (1, *(-(-side // patch_size) for side in size), 6)
    torch.testing.assert_close(out[0], x.permute(1, 2, 0))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_projecting_patches_is_a_convolution(memory_format):
    embed = PatchEmbed(3, 8, 4).to(memory_format=memory_format)
    images = torch.randn(2, 3, 12, 8).to(memory_format=memory_format)
    convolved = F.layer_norm(embed.proj(images).permute(0, 2, 3, 1), (8,))
    torch.testing.assert_close(embed(images), convolved)


def test_what_follows_a_stem_lies_channels_last():
    tokens = PatchEmbed(3, 8, 4)(torch.randn(2, 3, 12, 9))
    assert tokens.is_contiguous()
    assert ConvEmbed(3, 8, 4)(torch.randn(2, 3, 12, 9)).is_contiguous()

"""Operations on pixel values, of another kind and strength for each image of a batch.

Images are (B, C, H, W) with values from 0 to 1; kinds and arguments are (B,), on the CPU.
Each is Pillow's operation on 8-bit images. Blends work in floating point, so they differ from
Pillow by its rounding. Tables round to 8 bits first, as they are defined on them.

- ``blend``: d + f (x - d), clipped, away from or towards what has none of a quality, d: black
  (``brightness``), the mean grey (``contrast``), the image's grey (``color``), the image smoothed
  by a 3 x 3 kernel but at its border (``sharpness``).
- ``table``: a new value for each of 256 levels v: 255 - v (``invert``), the highest bits
  (``posterize``), 255 - v from a threshold on (``solarize``), v + a below 128 (``solarize_add``),
  the levels of a channel stretched over all (``auto_contrast``), or spread evenly (``equalize``).

Grey is .299 R + .587 G + .114 B of three channels (ITU-R 601-2, as in Pillow), and the mean of any
other number of channels. So ``color`` leaves an image of one channel as it is.

Source: https://github.com/python-pillow/Pillow (ImageOps, ImageEnhance, Blend.c)
"""

import torch
from torch import Tensor
from torch.nn import functional

BLENDS = "brightness", "contrast", "color", "sharpness"
TABLES = "invert", "posterize", "solarize", "solarize_add", "auto_contrast", "equalize"
_GREY = 0.299, 0.587, 0.114
_SMOOTH = 1 / 13, 5 / 13  # of each neighbour and of the pixel itself
_TOP = 255
_LEAST_CHROMA = 1e-12  # below any but 0


def grey(images: Tensor) -> Tensor:
    """How bright each pixel is. (B, C, H, W) -> (B, 1, H, W)."""
    if images.shape[1] != len(_GREY):
        return images.mean(1, keepdim=True)
    red, green, blue = images.unbind(1)
    return (_GREY[0] * red + _GREY[1] * green + _GREY[2] * blue)[:, None]


def smoothed(images: Tensor) -> Tensor:
    """By a 3 x 3 kernel, but for the border, which stays. (B, C, H, W) -> (B, C, H, W)."""
    if min(images.shape[2:]) < 3:
        return images
    neighbour, itself = _SMOOTH
    inner = 9 * neighbour * functional.avg_pool2d(images, 3, 1)
    out = images.clone()
    out[:, :, 1:-1, 1:-1] = inner + (itself - neighbour) * images[:, :, 1:-1, 1:-1]
    return out


def blend(images: Tensor, kinds: Tensor, factors: Tensor) -> Tensor:
    """``kinds`` count in ``BLENDS``; a factor of 1 changes nothing. (B, C, H, W) -> the same."""
    out = torch.empty_like(images)
    for kind, nothing in enumerate((_black, _mean_grey, grey, smoothed)):
        rows = (kinds == kind).nonzero()[:, 0]
        if len(rows):
            at, factor = (x.to(images.device, non_blocking=True) for x in (rows, factors[rows]))
            picked = images[at]
            out[at] = nothing(picked).lerp(picked, factor[:, None, None, None]).clamp_(0, 1)
    return out


def _black(images: Tensor) -> Tensor:
    return images.new_zeros(())


def _mean_grey(images: Tensor) -> Tensor:
    return grey(images).mean((2, 3), keepdim=True)


def table(images: Tensor, kinds: Tensor, arguments: Tensor) -> Tensor:
    """``kinds`` count in ``TABLES``. (B, C, H, W) -> (B, C, H, W).

    Arguments are the bits to keep (``posterize``), the threshold (``solarize``) or what is added,
    in levels; others do not look at theirs.
    """
    levels = (images * _TOP).round().clamp(0, _TOP).long().flatten(2)
    counts = levels.new_zeros(*levels.shape[:2], _TOP + 1)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    kind_B11, given_B11 = (
        x[:, None, None].to(images.device, torch.long, non_blocking=True)
        for x in (kinds, arguments)
    )
    v = torch.arange(_TOP + 1, device=images.device)
    made = torch.where(kind_B11 == 0, _TOP - v, v)
    made = torch.where(kind_B11 == 1, v - v % (1 << (8 - given_B11).clamp(0, 8)), made)
    made = torch.where((kind_B11 == 2) & (v >= given_B11), _TOP - v, made)
    made = torch.where((kind_B11 == 3) & (v < 128), v + given_B11, made)
    made = torch.where(kind_B11 == 4, _stretched(counts), made)
    made = torch.where(kind_B11 == 5, _evened(counts), made)
    made = made.clamp(0, _TOP).expand(*levels.shape[:2], _TOP + 1)
    return made.gather(2, levels).view(images.shape) / _TOP


def _stretched(counts: Tensor) -> Tensor:
    """From the lowest level that occurs, to 0, to the highest, to 255."""
    v = torch.arange(_TOP + 1, device=counts.device)
    occurs = (counts > 0).int()
    low = occurs.argmax(2, keepdim=True)
    high = _TOP - occurs.flip(2).argmax(2, keepdim=True)
    span = (high - low).clamp(min=1)
    return torch.where(high > low, ((v - low) * _TOP).clamp(min=0) // span, v)


def _evened(counts: Tensor) -> Tensor:
    """To (s // 2 + pixels below) // s, with s the 255th part of all but the brightest pixels."""
    v = torch.arange(_TOP + 1, device=counts.device)
    highest = _TOP - (counts > 0).int().flip(2).argmax(2, keepdim=True)
    step = (counts.sum(2, keepdim=True) - counts.gather(2, highest)) // _TOP
    below = counts.cumsum(2) - counts
    return torch.where(step > 0, (step // 2 + below) // step.clamp(min=1), v)


def hue_turned(images: Tensor, turns: Tensor) -> Tensor:
    """Hues turned by shares of a whole turn; only three channels have one. -> (B, C, H, W).

    Hue, saturation and value of the hexagonal cone (HSV); saturation and value stay.
    """
    if images.shape[1] != len(_GREY):
        return images
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    # Which channel is highest, as numbers: `where` on random masks is slow on a CPU.
    is_red = (value == red).to(images.dtype)
    is_green = (value == green).to(images.dtype) * (1 - is_red)
    is_blue = 1 - is_red - is_green
    apart = (green - blue).mul_(is_red)
    apart.addcmul_(blue - red, is_green).addcmul_(red - green, is_blue)
    sector = apart.div_(chroma.clamp(min=_LEAST_CHROMA))
    hue = sector.add_(is_green, alpha=2).add_(is_blue, alpha=4).div_(6)
    hue += turns.to(images.device, non_blocking=True)[:, None, None]
    # In HSV a channel is value - chroma * clip(2 - 6 d, 0, 1), where d is the way from its hue plus
    # 1/2 (red), 1/6 (green) or -1/6 (blue) to the nearest whole turn.
    away = hue[:, None] + torch.tensor((3.0, 1.0, -1.0), device=images.device)[:, None, None] / 6
    away -= away.round()
    less = away.abs_().mul_(-6).add_(2).clamp_(0, 1)
    return torch.addcmul(value[:, None], chroma[:, None], less, value=-1)

"""Random shifts and flips of a whole batch at once, on the device that holds it.

An image moved by a shift repeats its edge pixels, so the result does not depend on how images were
normalised (a zero would be the mean colour, not black).

Shapes: B batch, C channels, H height, W width.
"""

import torch
from torch import Tensor

from hybrid_swin.network.whole_batch import for_batch
from hybrid_swin.spec.recipe import Flip


def augment(images: Tensor, shift: int, flip: Flip) -> Tensor:
    """Shift and mirror each image on its own. (B, C, H, W) -> (B, C, H, W).

    out[b, :, y, x] = images[b, :, clip(y + dy_b), clip(x' + dx_b)], x' = W - 1 - x where mirrored,
    dy and dx uniform over -shift..shift. Draws from torch's generator of the images' device.
    The shift is in pixels, 0 for none; ``horizontal`` flips have a probability of one half.
    """
    if shift == 0 and flip == "none":
        return images
    batch, _, height, width = images.shape
    device = images.device
    rows_BH = torch.arange(height, device=device).expand(batch, height)
    columns_BW = torch.arange(width, device=device).expand(batch, width)
    if flip == "horizontal":
        mirrored_B1 = for_batch(lambda count: torch.rand(count, 1, device=device), batch) < 0.5
        columns_BW = torch.where(mirrored_B1, width - 1 - columns_BW, columns_BW)
    if shift:
        offsets_2B1 = for_batch(
            lambda count: torch.randint(-shift, shift + 1, (2, count, 1), device=device),
            batch,
            axis=1,
        )
        rows_BH = (rows_BH + offsets_2B1[0]).clamp(0, height - 1)
        columns_BW = (columns_BW + offsets_2B1[1]).clamp(0, width - 1)
    index_B11 = torch.arange(batch, device=device)[:, None, None]
    # Indices around a slice put the slice last: the gather reads (B, H, W, C).
    picked_BHWC = images[index_B11, :, rows_BH[:, :, None], columns_BW[:, None, :]]
    return picked_BHWC.permute(0, 3, 1, 2).contiguous()

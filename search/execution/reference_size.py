"""How large the reference is: how far images are averaged down for it, and its parameters."""

_LARGEST_SIDE = 32  # pixels; as many weights as larger images need would not help


def reduced_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels that images are averaged down to; small ones stay as they are."""
    scale = min(1.0, _LARGEST_SIDE / max(image_size))
    height, width = (max(1, round(side * scale)) for side in image_size)
    return height, width


def count_parameters(image_size: tuple[int, int], in_channels: int, num_classes: int) -> int:
    """A weight for each value of an image and a bias, for each class; two classes share them."""
    height, width = reduced_size(image_size)
    return (num_classes if num_classes > 2 else 1) * (in_channels * height * width + 1)

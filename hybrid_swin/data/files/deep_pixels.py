"""Pixels of more than 8 bits, as numbers: what Pillow's images hold, and what it would cut off.

Pillow has no colour image of 16 bits a channel: it keeps the high byte of each value. Read a second
time with the bytes of each value exchanged, the same file gives the low byte.

Shapes: H height, W width, C channels.
"""

import sys
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hybrid_swin.data.files.image_file import ImageFile, open_image

#: What Pillow calls 16 bits a channel, and how the other byte of each value is read.
_OTHER_BYTE = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
_BITS, _SAMPLE_FORMAT, _PLANAR, _PHOTOMETRIC = 258, 339, 284, 262  # tags of TIFF
_EXTRA_SAMPLES = 338  # 0: channels that are not opacity
_SIGNED, _SEPARATE, _WHITE_IS_ZERO = 2, 2, 0  # values of these
_SCALED_TO_16 = ("PNG", "PPM")  # formats whose mode 'I' is 16 bits

Way = Literal[
    "shallow", "one plane", "two bytes", "grey and opacity", "signed bytes", "fourth channel"
]


class Layout(NamedTuple):
    """How a file's values must be read. To be asked for before anything of it is loaded.

    Args:
        way: 'shallow' for at most 8 bits a channel, which Pillow reads as they are.
        other: where a value has two bytes, how the other one is unpacked.
        scaled: Pillow's numbers for the file's, where it stretches them to their full scale.
        cut: 16 bits a channel of which Pillow keeps 8, without a way around it here.
    """

    way: Way
    other: str = ""
    cut: bool = False
    scaled: float = 1.0


def layout_of(image: Image.Image) -> Layout:
    """The layout of an opened file.

    Raises:
        ValueError: one that would be read wrongly.
    """
    tags: Any = getattr(image, "tag_v2", {})
    raw = _raw_mode(image)
    several = image.mode in ("RGB", "RGBA", "CMYK")
    if several and tags.get(_PLANAR) == _SEPARATE and max(tags.get(_BITS, (8,))) > 8:
        raise ValueError("16 bits a channel in separate planes cannot be read; save them together")
    deep_grey = image.mode.startswith("I") or image.mode == "F"
    if deep_grey and _white_is_zero(image) and not image.mode.startswith("I;16"):
        raise ValueError("white is 0, without a number for black; save it with black as 0")
    if deep_grey:
        maximum = _ppm_maximum(image, 65535) if image.mode == "I" else 65535
        return Layout("one plane", scaled=65535 / maximum)
    if raw in _OTHER_BYTE:
        return Layout("two bytes", _OTHER_BYTE[raw])
    if raw == "LA;16B" and image.format == "PNG":
        return Layout("grey and opacity")
    if image.mode == "L" and tags.get(_SAMPLE_FORMAT) == (_SIGNED,) and tags.get(_BITS) == (8,):
        return Layout("signed bytes")
    maximum = _ppm_maximum(image, 255)
    cut = several and (";16" in raw or maximum > 255)
    return Layout("shallow", cut=cut, scaled=255 / maximum)


def read_deep(
    image: Image.Image, layout: Layout, file: ImageFile, formats: list[str]
) -> tuple[NDArray[Any], str]:
    """The numbers of a deep image, upright: (H, W, C), and their depth in words.

    C is 1 (grey), 2 (grey and opacity), 3 or 4.
    """
    match layout.way:
        case "grey and opacity":  # two bytes of grey, two of opacity: four of anything
            bytes_HW4 = _bytes(image, "RGBA").astype(np.uint16)
            return bytes_HW4[..., 0::2] * 256 + bytes_HW4[..., 1::2], "16 bits"
        case "two bytes":
            high = np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
            with open_image(file, formats) as again:
                return high * 256 + _bytes(again, layout.other), "16 bits"
        case "fourth channel":
            first = _four_bytes(image, _raw_mode(image).replace("X", "A"))
            if not layout.other:
                return first, "8 bits"
            with open_image(file, formats) as again:
                return first.astype(np.uint16) * 256 + _four_bytes(again, layout.other), "16 bits"
        case "signed bytes":
            values = np.asarray(ImageOps.exif_transpose(image)).view(np.int8)[..., None]
            return values.astype(np.float32), "signed 8 bits"
    return _plane(image)


def layout_with_fourth(image: Image.Image) -> Layout:
    """The layout of a file that holds red, green, blue and a channel such as infrared.

    Pillow passes over the fourth one; it is unpacked as if it were opacity.

    Raises:
        ValueError: another order of channels.
    """
    raw = _raw_mode(image)
    if image.mode != "RGB" or raw not in ("RGBX", "RGBX;16L", "RGBX;16B", "RGBX;16N"):
        raise ValueError(
            "channels beside the colours are read where one follows red, green and blue in each "
            "pixel; save them so, or use the data source npz"
        )
    return Layout("fourth channel", _OTHER_BYTE.get(raw, "").replace("X", "A"))


def _four_bytes(image: Image.Image, raw_mode: str) -> NDArray[np.uint8]:
    image._mode = "RGBA"  # else Pillow makes room for three
    return _bytes(image, raw_mode)


def _plane(image: Image.Image) -> tuple[NDArray[Any], str]:
    tags: Any = getattr(image, "tag_v2", {})
    signed, bits = tags.get(_SAMPLE_FORMAT) == (_SIGNED,), tags.get(_BITS)
    values = np.asarray(ImageOps.exif_transpose(image))[..., None]
    if image.mode == "F":
        return values.astype(np.float32), "floating point"
    if image.mode.startswith("I;16") or image.format in _SCALED_TO_16:
        whole16 = values.astype(np.uint16)  # Pillow turns white into 255 in 8 bits only
        return (65535 - whole16 if _white_is_zero(image) else whole16), "16 bits"
    if bits == (16,):
        return values.astype(np.float32), "signed 16 bits"
    # Pillow knows signed numbers only.
    whole = values.astype(np.int32)
    return (whole if signed else whole.view(np.uint32)).astype(np.float64), "32 bits"


def _white_is_zero(image: Image.Image) -> bool:
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def has_further_channel(image: Image.Image) -> bool:
    """Whether a TIFF file holds a channel, such as infrared, that Pillow passes over."""
    tags: Any = getattr(image, "tag_v2", {})
    return image.mode in ("L", "RGB", "RGBA", "CMYK", "P") and 0 in tags.get(_EXTRA_SAMPLES, ())


def _bytes(image: Image.Image, raw_mode: str) -> NDArray[np.uint8]:
    """One byte of each value, as another way of unpacking the same file gives it."""
    tiles: Any = image.tile  # type: ignore[attr-defined]  # of files, which is all that we open
    image.tile = [_with_mode(tile, raw_mode) for tile in tiles]  # type: ignore[attr-defined]
    return np.asarray(ImageOps.exif_transpose(image))


def _with_mode(tile: Any, raw_mode: str) -> Any:
    args = tile[3]
    args = raw_mode if isinstance(args, str) else (raw_mode, *args[1:])
    return tile._replace(args=args)


def _raw_mode(image: Image.Image) -> str:
    """How the file's bytes are unpacked; '' where Pillow does not say."""
    tiles: Any = getattr(image, "tile", None)
    args = tiles[0][3] if tiles else ""
    args = args[0] if isinstance(args, tuple) and args else args
    return args if isinstance(args, str) else ""


def _ppm_maximum(image: Image.Image, full: int) -> int:
    """The number that a PPM file calls white, which Pillow stretches to the full scale."""
    tiles: Any = getattr(image, "tile", None)
    args: Any = tiles[0][3] if image.format == "PPM" and tiles else None
    is_stretched = isinstance(args, tuple) and len(args) == 2 and isinstance(args[1], int)
    return int(args[1]) if is_stretched else full

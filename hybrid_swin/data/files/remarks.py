"""What is to be said of an opened image file, beside its pixels."""

from PIL import Image

_ORIENTATION = 0x0112  # of EXIF


def seen(image: Image.Image) -> tuple[tuple[int, int], list[str]]:
    """Height and width of an upright image, and what the rules leave out of its file or change."""
    orientation, notes = image.getexif().get(_ORIENTATION, 1), []
    if orientation not in (0, 1):
        notes.append("turned upright by EXIF orientation")
    if image.format != "MPO" and _is_several(image):  # MPO: a photograph and its previews
        notes.append("first of several frames read")
    turned = orientation in (5, 6, 7, 8) and image.format != "TIFF"  # whose size is the upright one
    return (image.size if turned else (image.height, image.width)), notes


def has_other_profile(image: Image.Image) -> bool:
    """Whether it has a colour profile of another space than sRGB, which screens assume."""
    profile = image.info.get("icc_profile") or b""
    names = (b"sRGB", "sRGB".encode("utf-16-be"))
    return bool(profile) and image.mode != "CMYK" and not any(name in profile for name in names)


def _is_several(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a second frame that cannot be read: the first one may be
        return False

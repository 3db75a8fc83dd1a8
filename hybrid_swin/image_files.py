"""One image file -> pixels of the network's size."""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hybrid_swin.errors import InputError

Resize = Literal["crop", "squash", "pad", "none"]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_AT_ONCE = 256  # files handed to the threads at a time, so that a long list costs no memory


@dataclass(frozen=True)
class Decoder:
    """How files become pixels.

    Args:
        image_size: (height, width) of the result.
        in_channels: 1 for grey, 3 for RGB, 4 for RGB with opacity.
        resize: 'crop' scales the image to cover the size and keeps its middle, 'squash' changes its
            proportions, 'pad' scales it to fit and fills with black, 'none' demands the size.

    Raises:
        InputError: files cannot be decoded to this number of channels.
    """

    image_size: tuple[int, int]
    in_channels: int
    resize: Resize

    def __post_init__(self) -> None:
        if self.in_channels not in _MODES:
            raise InputError(
                f"image files cannot give {self.in_channels} channels; set in_channels in the "
                "variant to 1 (grey), 3 (RGB) or 4 (RGB with opacity), or use the data source npz"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the result."""
        return (*self.image_size, self.in_channels)

    @property
    def identity(self) -> str:
        """What the pixels depend on besides the file; Pillow's versions scale differently."""
        return f"{self.shape} {self.resize} pillow {PIL.__version__}"

    def decode_all(self, files: Sequence[Path]) -> Iterator[NDArray[np.uint8] | str]:
        """Pixels of each file, (H, W, C), or the reason why there are none; in order.

        Raises:
            InputError: an image that must have the size already has another.
        """
        Image.init()  # fills Pillow's table of formats, which threads must not do at once
        with warnings.catch_warnings(), ThreadPoolExecutor(_processors()) as pool:
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(files), _AT_ONCE):
                yield from pool.map(self._decode_or_reason, files[start : start + _AT_ONCE])

    def decode(self, file: Path) -> NDArray[np.uint8]:
        """Pixels of one file, (H, W, C): upright as its EXIF orientation says, first frame."""
        with Image.open(file) as opened:
            image = self._to_mode(ImageOps.exif_transpose(opened), opened.format)
            return np.asarray(self._fit(image, file)).reshape(self.shape)

    def _decode_or_reason(self, file: Path) -> NDArray[np.uint8] | str:
        try:
            return self.decode(file)
        except InputError:
            raise
        except Exception as error:  # Pillow's formats raise nearly anything on a broken file
            text = str(error).replace(str(file), file.name)
            return f"{type(error).__name__}: {text}"

    def _to_mode(self, image: Image.Image, file_format: str | None) -> Image.Image:
        if image.mode.startswith("I;16") or (image.mode == "I" and file_format == "PNG"):
            # 16 bits a pixel: keep the high byte, where some versions of Pillow would clip.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode in ("I", "F"):
            raise ValueError("32 bits a pixel have no fixed range; save 8 or 16 bits a pixel")
        elif "transparency" in image.info:
            image = image.convert("RGBA")
        return image.convert(_MODES[self.in_channels])

    def _fit(self, image: Image.Image, file: Path) -> Image.Image:
        height, width = self.image_size
        if image.size == (width, height):
            return image
        match self.resize:
            case "crop":
                return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
            case "pad":
                return ImageOps.pad(image, (width, height), Image.Resampling.BICUBIC)
            case "squash":
                return image.resize((width, height), Image.Resampling.BICUBIC)
            case "none":
                raise InputError(
                    f"{file.name} is {image.height} x {image.width}, the variant's image_size is "
                    f"{height} x {width}; with resize 'none' all files must have that size: change "
                    "image_size in the variant, or resize to 'crop', 'squash' or 'pad'"
                )


def _processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1

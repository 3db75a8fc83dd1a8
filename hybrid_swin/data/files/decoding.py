"""One image file -> pixels of the network's size, of a type that keeps what the file holds."""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hybrid_swin.data.files.deep_pixels import (
    has_further_channel,
    layout_of,
    layout_with_fourth,
    read_deep,
)
from hybrid_swin.data.files.facts import FileFacts, has_other_profile, seen
from hybrid_swin.data.files.image_file import ImageFile, open_image
from hybrid_swin.data.pixels import full_scale, in_range
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import described

Resize = Literal["crop", "squash", "pad", "none"]

#: What is opened, and no other format: Pillow would hand PostScript to another program.
FORMATS = ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
SUFFIXES = frozenset(
    (
        *(".bmp", ".dib", ".gif", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".ppm"),
        *(".pgm", ".pbm", ".pnm", ".pfm", ".tif", ".tiff", ".webp"),
    )
)

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as Pillow's
_AT_ONCE = 256  # files handed to the threads at a time, so that a long list costs no memory
_COLOURS = {1: "grey", 2: "grey with opacity", 3: "RGB", 4: "RGB with opacity"}
_MODE_COLOURS = {"1": "black and white", "L": "grey", "LA": "grey with opacity", "P": "palette"}
_MODE_COLOURS |= {"RGB": "RGB", "RGBA": "RGB with opacity", "PA": "palette"}
FOURTH = "RGB and a further channel"


class Decoded(NamedTuple):
    """One image: its pixels (H, W, C), and what is to be said of its file."""

    pixels: NDArray[Any]
    colour: str
    depth: str  # such as "16 bits"
    size: tuple[int, int]  # (height, width) in the file
    notes: tuple[str, ...]  # what the rules changed or left out


@dataclass(frozen=True)
class Decoder:
    """How files become pixels.

    8 bits a channel stay uint8 and 16 bits uint16; 32 bits and floating point keep their numbers,
    so that nothing is cut off: a network's images are standardised over the train split.

    - Colour becomes grey as 0.299 R + 0.587 G + 0.114 B, grey becomes colour by repetition.
    - Transparent pixels are laid over white unless the network takes the opacity (4 channels).
    - A further channel of a TIFF file, such as infrared, is the fourth of four; else left out.
    - Of several frames the first is read; images stand as their EXIF orientation says.
    - Colour profiles are not applied.

    Args:
        image_size: (height, width) of the result.
        in_channels: 1 for grey, 3 for RGB, 4 for RGB with opacity or a further channel.
        resize: 'crop' scales the image to cover the size and keeps its middle, 'squash' changes its
            proportions, 'pad' scales it to fit and fills with black (0; the image's smallest value
            where there are signed or floating point numbers), 'none' demands the size.
        value_range: (low, high) in the file's numbers (fewer than 8 bits count as 8), which become
            0 and 1; what lies outside is clipped.

    Raises:
        InputError: files cannot be decoded to this number of channels.
    """

    image_size: tuple[int, int]
    in_channels: int
    resize: Resize
    value_range: tuple[float, float] | None = None

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
        ranged = "" if self.value_range is None else f" {self.value_range}"
        return f"4 {self.shape} {self.resize} pillow {PIL.__version__}{ranged}"

    def decode_all(
        self, files: Sequence[ImageFile], facts: FileFacts | None = None
    ) -> Iterator[NDArray[Any] | str]:
        """Pixels of each file, (H, W, C), or the reason why there are none; in order.

        Raises:
            InputError: an image that must have the size already has another, or files of depths
                that have no common scale.
        """
        facts = FileFacts() if facts is None else facts
        first: dict[str, ImageFile] = {}
        for index, (file, row) in enumerate(zip(files, self.read_all(files), strict=True)):
            if isinstance(row, InputError):
                raise row
            if isinstance(row, str):
                yield row
                continue
            first.setdefault(row.depth, file)
            self._check_depths(first)
            kind, top = f"{row.colour}, {row.depth}", float(row.pixels.max())
            facts.add(index, kind, row.size, row.notes, top)
            yield row.pixels

    def read_all(self, files: Sequence[ImageFile]) -> Iterator[Decoded | str | InputError]:
        """Each file as ``read`` gives it, the reason why it cannot be read, or its refusal."""
        Image.init()  # fills Pillow's table of formats, which threads must not do at once
        with warnings.catch_warnings(), ThreadPoolExecutor(_processors()) as pool:
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(files), _AT_ONCE):
                yield from pool.map(self._read_or_reason, files[start : start + _AT_ONCE])

    def decode(self, file: ImageFile) -> NDArray[Any]:
        """Pixels of one file, (H, W, C)."""
        return self.read(file).pixels

    def read(self, file: ImageFile) -> Decoded:
        """Pixels of one file, and what is to be said of it.

        Raises:
            Exception: whatever Pillow raises on a broken file.
            InputError: it must have the size already and has another.
        """
        with open_image(file, FORMATS) as opened:
            layout, further = layout_of(opened), has_further_channel(opened)
            if further and self.in_channels == 4:
                layout, further = layout_with_fourth(opened), False
            deep = layout.way != "shallow"
            loads = deep and opened.format == "PNG"  # to ask one for its EXIF data loads it
            remarks = None if loads else seen(opened)
            colour, notes = _MODE_COLOURS.get(opened.mode, opened.mode), []
            if deep:
                pixels, depth = read_deep(opened, layout, file, FORMATS)
                colour = _COLOURS[pixels.shape[-1]]
                if layout.way == "fourth channel":
                    colour = FOURTH
                if "transparency" in opened.info:
                    notes.append("transparent colour read as opaque")
                pixels = self._fit_numbers(self._channels(pixels, notes), file)
            else:
                ImageOps.exif_transpose(opened, in_place=True)  # else it copies all of them
                depth, image = "8 bits", self._to_mode(opened, notes)
                pixels = np.asarray(self._fit(image, file)).reshape(self.shape)
            size, others = remarks or seen(opened)
            notes += ["colour profile other than sRGB not applied"] * has_other_profile(opened)
        notes += others + ["further channels left out"] * further
        notes += ["16 bits a channel cut to 8"] * layout.cut
        if self.value_range is not None:
            low, high = (value * layout.scaled for value in self.value_range)
            pixels, clipped = in_range(pixels, (low, high))
            notes += ["values outside value_range clipped"] * clipped
        return Decoded(pixels, colour, depth, size, tuple(notes))

    def _read_or_reason(self, file: ImageFile) -> Decoded | str | InputError:
        try:
            return self.read(file)
        except InputError as error:
            return error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            most = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
            return f"more than {most:.0f} million pixels; save it smaller"
        except Exception as error:  # Pillow's formats raise nearly anything on a broken file
            return described(error).replace(str(file), file.name)

    def _check_depths(self, first: dict[str, ImageFile]) -> None:
        """Raise InputError where no scale is common to all files."""
        together = set(first) == {"8 bits", "16 bits"} and self.value_range is None
        if len(first) < 2 or together:
            return
        (one, file), (other, another) = list(first.items())[:2]
        what = "value_range means something else in each" if self.value_range else "no common scale"
        raise InputError(
            f"files of {one} ({file.name}) and of {other} ({another.name}) stand side by side: "
            f"{what}; save all images with the same depth"
        )

    def _to_mode(self, image: Image.Image, notes: list[str]) -> Image.Image:
        """An image of 8 bits a channel in the network's colours."""
        if image.mode == "CMYK":
            notes.append("CMYK converted without its colour profile")
        was_grey = image.mode in ("1", "L", "LA", "La")
        if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
            image = image.convert("RGBA")
        if image.mode == "RGBA" and self.in_channels != 4:
            if np.asarray(image.getchannel("A")).min() < 255:
                notes.append("transparent pixels laid over white")
                white = Image.new("RGBA", image.size, (255, 255, 255, 255))
                image = Image.alpha_composite(white, image)
            image = image.convert("RGB")
        if self.in_channels == 1 and image.mode not in ("1", "L"):
            image = image.convert("RGB")
            notes += ["colour became grey"] * _is_coloured(np.asarray(image))
        elif self.in_channels > 1 and was_grey:
            notes.append("grey became colour")
        mode = _MODES[self.in_channels]
        return image if image.mode == mode else image.convert(mode)

    def _channels(self, values: NDArray[Any], notes: list[str]) -> NDArray[Any]:
        """Deep pixels (H, W, C') in the network's channels (H, W, C)."""
        scale, channels = full_scale(values.dtype), values.shape[-1]
        if channels == self.in_channels and channels != 2:
            return values
        alpha = values[..., -1:] if channels in (2, 4) else None
        colour = values[..., : 1 if channels < 3 else 3].astype(np.float64)
        if alpha is not None and self.in_channels != 4 and (alpha < scale).any():
            notes.append("transparent pixels laid over white")
            share = alpha / scale
            colour = colour * share + scale * (1 - share)
        if self.in_channels == 1 and colour.shape[-1] == 3:
            notes += ["colour became grey"] * _is_coloured(colour)
            colour = colour @ np.array(_LUMA)[:, None]
        elif self.in_channels > 1 and colour.shape[-1] == 1:
            notes.append("grey became colour")
            colour = np.repeat(colour, 3, axis=-1)
        if self.in_channels == 4:
            opaque = np.full((*colour.shape[:2], 1), scale) if alpha is None else alpha
            colour = np.concatenate([colour, opaque], axis=-1)
        return _as_type(colour, values.dtype)

    def _fit_numbers(self, values: NDArray[Any], file: ImageFile) -> NDArray[Any]:
        """Deep pixels in the network's size, each channel on its own."""
        if values.shape[:2] == self.image_size:
            return values
        if values.dtype == np.uint8:
            bands = [Image.fromarray(band) for band in np.moveaxis(values, 2, 0)]
            return np.stack([np.asarray(self._fit(band, file)) for band in bands], axis=-1)
        # Scaling is linear: near zero, Pillow's 32 bits keep what lies far from it.
        near = 0.0 if values.dtype == np.uint16 else float(values.min())
        channels = [
            self._fit(Image.fromarray((values[..., c] - near).astype(np.float32)), file)
            for c in range(values.shape[-1])
        ]
        fitted = np.stack([np.asarray(channel, np.float64) for channel in channels], axis=-1)
        # Bicubic scaling swings beyond the values that it is given, which 8 bits cut off as well.
        low, high = min(near, values.min()), values.max(axis=(0, 1))
        return _as_type(np.clip(fitted + near, low, high), values.dtype)

    def _fit(self, image: Image.Image, file: ImageFile) -> Image.Image:
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


def _is_coloured(pixels: NDArray[Any]) -> bool:
    """Whether the channels differ anywhere. (H, W, 3)."""
    return bool(
        (pixels[..., 0] != pixels[..., 1]).any() or (pixels[..., 1:2] != pixels[..., 2:]).any()
    )


def _as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.rint(values).astype(dtype) if dtype == np.uint16 else values.astype(dtype)


def _processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1

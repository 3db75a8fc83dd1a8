"""Our names for what timm, Microsoft and Hugging Face call otherwise; torchvision's are ours."""

import re

from hybrid_swin.spec import published
from hybrid_swin.spec.pretrained_windows import ARGUMENT, first_windows

_SWIN = re.compile(
    r"swin_?(?P<v2>v2)?_(?P<size>tiny|small|base|large|[tsbl])(?![a-z0-9])(_patch4)?"
    r"(_window(?P<first>\d+)(to(?P<last>\d+))?_(?P<image>\d+)(to(?P<larger>\d+))?)?"
)
_OTHERS = {
    "davit_tiny": "davit_like_t",
    "mixformer_b4": "mixformer_like_b4",
    "swin_s3_tiny": "s3_t",
}


def meant_by(name: str) -> str:
    """The end of a message with our name, and arguments, for a name from elsewhere; '' for none.

    ``swin_base_patch4_window12_384.ms_in22k`` is 'swin_b' with img_size=384, window_size=12.
    """
    simple = name.strip().rpartition("/")[2].rpartition(":")[2].casefold().replace("-", "_")
    plain = simple.partition(".")[0]
    if plain in published.names():
        return f"; did you mean {plain!r}?"
    for theirs, ours in _OTHERS.items():
        if plain == theirs or plain.startswith(f"{theirs}_"):
            return f"; did you mean {ours!r}?"
    found = _SWIN.match(plain)
    if found is None:
        return ""
    ours = f"swin_{'v2_' if found['v2'] else ''}{found['size'][0]}"
    arguments = _arguments(found, ours)
    return f"; did you mean {ours!r}{' with ' + arguments if arguments else ''}?"


def _arguments(found: re.Match[str], ours: str) -> str:
    """What to pass where a name's sizes are not those of ours."""
    if not found["first"]:
        return ""
    variant = published.published(ours)
    window = int(found["last"] or found["first"])
    image = int(found["larger"] or found["image"])
    said = []
    if (image, image) != variant.image_size:
        said.append(f"img_size={image}")
    if window != variant.window_size:
        said.append(f"window_size={window}")
    if found["v2"] and found["last"]:
        said.append(f"{ARGUMENT}={first_windows(int(found['first']), int(found['image']))}")
    return ", ".join(said)

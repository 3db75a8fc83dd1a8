"""Published variants, by name.

Sizes of Swin are table 7 of Swin Transformer: Hierarchical Vision Transformer using Shifted
Windows, 2021, https://arxiv.org/abs/2103.14030: width of the first stage, depths and heads; widths
double from stage to stage, and every block but the even ones is shifted.
"""

from hybrid_swin.errors import unknown
from hybrid_swin.variant import Stage, Variant

_SWIN = {
    "swin_t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "swin_s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "swin_b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "swin_l": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}


def names() -> list[str]:
    """Names of the published variants, sorted."""
    return sorted(_SWIN)


def published(name: str) -> Variant:
    """The variant of a published name, for ImageNet-1k at 224. Raises InputError if unknown."""
    if name not in _SWIN:
        raise unknown("variant", name, _SWIN)
    width, depths, heads = _SWIN[name]
    return Variant(
        stages=tuple(
            Stage(width * 2**i, depth, n, ("w_msa", "sw_msa"))
            for i, (depth, n) in enumerate(zip(depths, heads, strict=True))
        )
    )

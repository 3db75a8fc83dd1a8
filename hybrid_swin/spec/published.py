"""Published variants, and a series of our own, by name.

All are for ImageNet-1k at 224 pixels, V2's at 256, and ``cct_like_7`` for CIFAR-10 at 32.

``swin_t``, ``swin_s``, ``swin_b``, ``swin_l``: every other block is shifted, widths double from
stage to stage.

``swin_v2_t``, ``swin_v2_s``, ``swin_v2_b``, ``swin_v2_l``: Swin Transformer V2 with windows of 8;
others come by ``window_size=16``, and those that were first trained with smaller ones by
``pretrained_window_sizes=(12, 12, 12, 6)`` beside it, as in timm. Attention by cosines, a
continuous position bias, norms behind mixers, MLPs and merging.

``s3_t``: Swin-T as a search improved it, with larger windows in the third stage.

``davit_like_t``: blocks of window attention and of channel attention in turn. Unlike DaViT-T, it
has Swin's stem (DaViT's patches overlap), Swin's merging (DaViT's normalises C channels, not 4C),
a relative position bias (DaViT: a depthwise convolution before each attention and each MLP) and the
last norm in front of the pool (DaViT: behind it).

``mixformer_like_b4``: window attention at half the width beside a depthwise convolution, each
gating the other, without shift; sizes as in the authors' code. Unlike MixFormer-B4, it has Swin's
stem and merging (MixFormer: four convolutions, and one), layer norm (batch norm) and no layer of
1,280 channels before the classifier.

``cswin_like_t``: attention in stripes of 1, 2, 7 and 7 rows or columns, with a convolution of the
values for positions, and convolutions that merge. It is CSWin-T but for the stem, which is one
7 x 7 convolution of stride 4 there: ours has 10 thousand parameters and 0.04 GMACs more.

``coatnet_like_0``: convolutions in two stages, and in two more attention over the whole map with a
bias per relative position, which is CoAtNet's relative attention (for images of another size give
``window_size`` as well, since windows stay as large as they are). Unlike CoAtNet-0, a block
convolves C channels, and its MLP follows (CoAtNet: MBConv, which convolves the MLP's 4C, with batch
norms and squeeze-and-excitation); the stem has two convolutions of stride 2 (CoAtNet: the second
keeps the map, and the first block halves it); and the pooled, projected map is all that a stage
gets (CoAtNet: its first block mixes what is not projected). In sum it has 2% more parameters and
3% fewer MACs.

``cct_like_7``: seven blocks of attention over all of 16 x 16 tokens, behind a convolution. Unlike
CCT-7/3x1, the convolution has a stride of 2 and a layer norm (CCT: stride 1, ReLU and a max pool);
positions are a bias of the attention (CCT: embeddings, added once); queries, keys and values have
biases; and the mean over tokens is classified (CCT: a learned average). It has 1% fewer parameters.
CCT's count of MACs leaves out the two products of attention, 0.235 GMACs; without them ours has 1%
fewer.

``hybrid_*_t``: Swin-T with one branch added to every block, ``w_msa+mdta`` and ``sw_msa+mdta`` in
turn: shifts stay where Swin-T has them, so that in a block the branch is all that differs. Widths
are those that ``match_cost`` finds for Swin-T's MACs, so that size does not differ either.
``hybrid_pointwise_t`` adds a branch that mixes no tokens: the control.

``hybrid_t``: other blocks from stage to stage, as large as Swin-T likewise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybrid_swin.errors import unknown
from hybrid_swin.spec.stage import Norm, Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.spec.variant_changes import ARGUMENT, first_windows

_SWIN = (
    "table 7 of Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021, "
    "https://arxiv.org/abs/2103.14030"
)
_SWIN_V2 = (
    "model configurations of Swin Transformer V2: Scaling Up Capacity and Resolution, 2021, "
    "https://arxiv.org/abs/2111.09883"
)
_PLAIN = ("w_msa", "sw_msa")
_V2_BLOCKS = tuple(f"{word}(attention=cosine;bias=continuous)" for word in _PLAIN)
_T_DEPTHS, _T_HEADS = (2, 2, 6, 2), (3, 6, 12, 24)
# What timm, Microsoft and Hugging Face call ours; torchvision's names are the same.
_THEIRS = re.compile(
    r"swin_?(?P<v2>v2)?_(?P<size>tiny|small|base|large|[tsbl])(?![a-z0-9])(_patch4)?"
    r"(_window(?P<first>\d+)(to(?P<last>\d+))?_(?P<image>\d+)(to(?P<larger>\d+))?)?"
)
_OTHERS = {
    "cct_7": "cct_like_7",
    "coatnet_0": "coatnet_like_0",
    "cswin_64_12211_tiny": "cswin_like_t",
    "cswin_tiny": "cswin_like_t",
    "davit_tiny": "davit_like_t",
    "mixformer_b4": "mixformer_like_b4",
    "swin_s3_tiny": "s3_t",
}


@dataclass(frozen=True)
class _Row:
    """One variant; numbers and blocks by stage, or one for all."""

    source: str
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    blocks: tuple[tuple[str, ...], ...]
    windows: tuple[int | None, ...] = (None, None, None, None)
    norm: Norm = "pre"
    fields: Mapping[str, Any] = field(default_factory=dict)  # of the variant, where others


def _doubling(width: int) -> tuple[int, ...]:
    return tuple(width * 2**stage for stage in range(4))


def _dual(branch: str, widths: tuple[int, ...], heads: tuple[int, ...]) -> _Row:
    """Swin-T with a branch added to every block, at these widths."""
    blocks = tuple(f"{word}+{branch}" for word in _PLAIN)
    source = f"our own: Swin-T with {branch} beside its attention, widths for Swin-T's MACs"
    return _Row(source, widths, _T_DEPTHS, heads, (blocks,) * 4)


def _v2(width: int, depths: tuple[int, ...], heads: tuple[int, ...]) -> _Row:
    fields = {"image_size": 256, "window_size": 8, "merging_norm": "post"}
    blocks = (_V2_BLOCKS,) * 4
    return _Row(_SWIN_V2, _doubling(width), depths, heads, blocks, norm="post", fields=fields)


_TABLE = {
    "swin_t": _Row(_SWIN, _doubling(96), _T_DEPTHS, _T_HEADS, (_PLAIN,) * 4),
    "swin_s": _Row(_SWIN, _doubling(96), (2, 2, 18, 2), _T_HEADS, (_PLAIN,) * 4),
    "swin_b": _Row(_SWIN, _doubling(128), (2, 2, 18, 2), (4, 8, 16, 32), (_PLAIN,) * 4),
    "swin_l": _Row(_SWIN, _doubling(192), (2, 2, 18, 2), (6, 12, 24, 48), (_PLAIN,) * 4),
    "swin_v2_t": _v2(96, _T_DEPTHS, _T_HEADS),
    "swin_v2_s": _v2(96, (2, 2, 18, 2), _T_HEADS),
    "swin_v2_b": _v2(128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "swin_v2_l": _v2(192, (2, 2, 18, 2), (6, 12, 24, 48)),
    "s3_t": _Row(
        "Searching the Search Space of Vision Transformer, 2021, https://arxiv.org/abs/2111.14725 "
        "(published: 82.1% top-1; by timm's table 28.3M parameters, 4.6 GMACs)",
        _doubling(96),
        _T_DEPTHS,
        _T_HEADS,
        (_PLAIN,) * 4,
        (None, None, 14, None),
    ),
    "davit_like_t": _Row(
        "after DaViT: Dual Attention Vision Transformers, 2022, https://arxiv.org/abs/2204.03645 "
        "(published: 28.3M parameters, 4.5 GMACs, 82.8% top-1)",
        _doubling(96),
        _T_DEPTHS,
        _T_HEADS,
        (("w_msa", "channel_group"),) * 4,
    ),
    "mixformer_like_b4": _Row(
        "after MixFormer: Mixing Features across Windows and Dimensions, 2022, "
        "https://arxiv.org/abs/2204.02557 (published: 35M parameters, 3.6 GMACs, 83.0% top-1)",
        _doubling(64),
        (2, 2, 8, 8),
        (4, 8, 16, 32),
        (("conv+w_msa:cross",),) * 4,
    ),
    "cswin_like_t": _Row(
        "after tables 1 and 2 of CSWin Transformer: A General Vision Transformer Backbone with "
        "Cross-Shaped Windows, 2021, https://arxiv.org/abs/2107.00652 (published: 23M parameters, "
        "4.3 GMACs, 82.7% top-1)",
        _doubling(64),
        (1, 2, 21, 1),
        (2, 4, 8, 16),
        tuple((f"stripes(width={width})",) for width in (1, 2, 7, 7)),
        fields={"stem": "conv", "merging": "conv", "merging_norm": "post"},
    ),
    "coatnet_like_0": _Row(
        "after tables 3 and 4 of CoAtNet: Marrying Convolution and Attention for All Data Sizes, "
        "2021, https://arxiv.org/abs/2106.04803 (published: 25M parameters, 4.2 GMACs, 81.6% "
        "top-1)",
        _doubling(96),
        (2, 3, 5, 2),
        _T_HEADS,
        (("conv",), ("conv",), ("w_msa",), ("w_msa",)),
        (None, None, 14, None),
        fields={"stem": "conv", "merging": "pool"},
    ),
    "cct_like_7": _Row(
        "after CCT-7/3x1 of Escaping the Big Data Paradigm with Compact Transformers, 2021, "
        "https://arxiv.org/abs/2104.05704 (published: 3.76M parameters, 0.947 GMACs, 94.78% top-1 "
        "on CIFAR-10)",
        (256,),
        (7,),
        (4,),
        (("w_msa",),),
        (None,),
        fields={
            "image_size": 32,
            "num_classes": 10,
            "patch_size": 2,
            "window_size": 16,
            "mlp_ratio": 2.0,
            "stem": "conv",
        },
    ),
    "hybrid_t": _Row(
        "our own: Swin-T with gated channel attention in its third stage and a convolution in its "
        "last, widths for Swin-T's MACs",
        (96, 168, 352, 696),
        _T_DEPTHS,
        (3, 7, 11, 29),
        (_PLAIN, _PLAIN, ("w_msa+mdta:gate",), ("conv+w_msa",)),
    ),
    "hybrid_mdta_t": _dual("mdta", (80, 160, 336, 672), (2, 5, 14, 21)),
    "hybrid_conv_t": _dual("conv", (96, 192, 352, 768), (3, 6, 11, 24)),
    "hybrid_xca_t": _dual("xca", (80, 160, 336, 680), (2, 5, 14, 17)),
    "hybrid_channel_group_t": _dual("channel_group", (80, 160, 336, 680), (2, 5, 14, 17)),
    "hybrid_pooled_t": _dual("pooled", (80, 160, 312, 600), (2, 5, 13, 15)),
    "hybrid_grid_t": _dual("grid", (80, 160, 336, 672), (2, 5, 14, 21)),
    "hybrid_large_conv_t": _dual("large_conv", (96, 168, 352, 704), (3, 7, 11, 22)),
    "hybrid_focal_t": _dual("focal", (80, 168, 336, 672), (2, 7, 14, 21)),
    "hybrid_pointwise_t": _dual("pointwise", (80, 168, 336, 696), (2, 7, 14, 29)),
}


def names() -> list[str]:
    """Names of the published variants, sorted."""
    return sorted(_TABLE)


def published(name: str) -> Variant:
    """The variant of a published name. Raises InputError if unknown."""
    row = _row(name)
    columns = zip(row.widths, row.depths, row.heads, row.blocks, row.windows, strict=True)
    return Variant(stages=tuple(Stage(*column, row.norm) for column in columns), **row.fields)


def source_of(name: str) -> str:
    """Where a published variant's numbers are from. Raises InputError if unknown."""
    return _row(name).source


def _row(name: str) -> _Row:
    if name not in _TABLE:
        raise unknown("variant", name, _TABLE)
    return _TABLE[name]


def meant_by(name: str) -> str:
    """The end of a message with our name, and arguments, for a name from elsewhere; '' for none.

    ``swin_base_patch4_window12_384.ms_in22k`` is 'swin_b' with img_size=384, window_size=12.
    """
    simple = name.strip().rpartition("/")[2].rpartition(":")[2].casefold().replace("-", "_")
    plain = simple.partition(".")[0]
    if plain in names():
        return f"; did you mean {plain!r}?"
    for theirs, ours in _OTHERS.items():
        if plain == theirs or plain.startswith(f"{theirs}_"):
            return f"; did you mean {ours!r}?"
    match = _THEIRS.match(plain)
    if match is None:
        return ""
    ours = f"swin_{'v2_' if match['v2'] else ''}{match['size'][0]}"
    arguments = _arguments(match, ours)
    return f"; did you mean {ours!r}{' with ' + arguments if arguments else ''}?"


def _arguments(match: re.Match[str], ours: str) -> str:
    """What to pass where a name's sizes are not those of ours."""
    if not match["first"]:
        return ""
    variant = published(ours)
    window = int(match["last"] or match["first"])
    image = int(match["larger"] or match["image"])
    arguments = []
    if (image, image) != variant.image_size:
        arguments.append(f"img_size={image}")
    if window != variant.window_size:
        arguments.append(f"window_size={window}")
    if match["v2"] and match["last"]:
        arguments.append(f"{ARGUMENT}={first_windows(int(match['first']), int(match['image']))}")
    return ", ".join(arguments)

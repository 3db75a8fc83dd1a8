"""The names of a Swin's parameters in five libraries, and what they tell of its version.

`timm`'s (from 0.9 on) are our own names for plain Swin; the others are described by what they call
a parameter of timm's. Reading a layout is the same table backwards.

======================= ======================= ==================== ==========================
timm                    microsoft, timm < 0.9   torchvision          huggingface
======================= ======================= ==================== ==========================
layers.i.blocks.j       the same                features.{2i+1}.j    encoder.layers.i.blocks.j
layers.{i+1}.downsample layers.i.downsample     features.{2i+2}      encoder.layers.i.downsample
attn.qkv                the same                the same             rows in thirds
head.fc                 head                    head                 classifier
V2: attn.cpb_mlp        the same                the same             continuous_position_bias_mlp
V2: attn.q_bias, v_bias the same                thirds of qkv.bias   query.bias, value.bias
======================= ======================= ==================== ==========================

Of Swin Transformer V2 the keys have no bias; torchvision keeps a third for it that it does not use.

`openmmlab` (mmdetection, mmsegmentation, mmpretrain) merges patches by unfolding, in which the
channel comes first and then the place among the four; ours is Microsoft's, the place first and
columns before rows.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor

LAYOUTS = "timm", "microsoft", "torchvision", "huggingface", "openmmlab"
_HF5 = "huggingface (5.x)"  # in memory; files keep the names of 4.x
_HEAD = re.compile(r"(classifier|head|head\.fc)\.(weight|bias)")
# What a layout's stem is called: it tells the layout, and the prefix of all its names.
_ANCHORS = {
    "patch_embed.proj.weight": "timm",  # or Microsoft's
    "patch_embed.convs.0.weight": "timm",  # ours alone
    "features.1.0.attn.qkv.weight": "torchvision",
    "embeddings.patch_embeddings.projection.weight": "huggingface",
    "patch_embed.projection.weight": "openmmlab",
}
_FOUR = [0, 2, 1, 3]  # rows before columns to columns before rows, and back
# Follow from sizes alone, so they are neither read nor missed.
DERIVED = re.compile(r"(^|\.)(relative_position_index|attn_mask|relative_coords_table)$")


def names(layout: str, name: str) -> tuple[str, ...]:
    """What a layout calls timm's parameter ``name``; three names where it keeps rows in thirds."""
    for old, new in _PAIRS[layout]:
        name = re.sub(old, new, name)
    return tuple(name.format(part) for part in _THIRDS[layout]) if "{}" in name else (name,)


def spelling(layout: str, keys: Iterable[str]) -> str:
    """The layout whose names these are, as ``names`` takes it: Hugging Face has two."""
    newer = layout == "huggingface" and any(".attention.q_proj." in key for key in keys)
    return _HF5 if newer else layout


def join(layout: str, name: str, tensors: list[Tensor]) -> Tensor:
    """A layout's tensors as the one that timm keeps under ``name``."""
    tensor = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
    if layout == "torchvision" and name.endswith(_QUERY_AND_VALUE):
        return tensor.chunk(3)[_QUERY_AND_VALUE.index(f".{name.split('.')[-1]}") * 2]
    if layout == "openmmlab" and ".downsample." in name:
        tensor = torch.unflatten(tensor, -1, (-1, 4))[..., _FOUR].transpose(-1, -2).flatten(-2)
    return tensor


def split(layout: str, name: str, tensor: Tensor) -> list[Tensor]:
    """Undo ``join``."""
    if layout == "openmmlab" and ".downsample." in name:
        tensor = torch.unflatten(tensor, -1, (4, -1))[..., _FOUR, :].transpose(-1, -2).flatten(-2)
    return list(tensor.chunk(len(names(layout, name))))


def recognise_all(keys: Iterable[str]) -> list[tuple[str, str]]:
    """The layout of every Swin in a state dict and the prefix of its names.

    The places of patch merging tell Microsoft's from timm's; heads may be missing.
    """
    keys = list(keys)
    return [
        (_layout(anchor, key[: -len(anchor)], keys), key[: -len(anchor)])
        for key in keys
        for anchor in _ANCHORS
        if key == anchor or key.endswith(f".{anchor}")
    ]


def _layout(anchor: str, prefix: str, keys: list[str]) -> str:
    if _ANCHORS[anchor] != "timm":
        return _ANCHORS[anchor]
    own = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
    stages = {m[1] for name in own if (m := re.match(_MERGING, name))}
    single = not stages and "head.weight" in own
    return "microsoft" if "0" in stages or single else "timm"


_MERGING = r"layers[._](\d+)\.downsample\.reduction\.weight$"


def to_timm(
    weights: Mapping[str, Tensor], layout: str, prefix: str
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """The weights by timm's names, and for each the file's own names that it came from."""
    keys: dict[str, tuple[str, ...]]
    own = _without_prefix(weights, prefix)
    if layout == "timm":  # ours as well, so names that Swin does not have pass
        keys = {name: (key,) for name, key in own.items()}
    else:
        spelt = spelling(layout, own)
        _name_last_norm(own, layout)
        wanted = {name: names(spelt, name) for name in _all_names(own, has_v2_names(own))}
        keys = {
            name: tuple(own[part] for part in parts)
            for name, parts in wanted.items()
            if all(part in own for part in parts)
        }
    return {n: join(layout, n, [weights[k] for k in parts]) for n, parts in keys.items()}, keys


_TRUNK = re.compile(
    r"(patch_embed|layers|stages|features|encoder\.layers|embeddings|norm|layernorm|pos_embed|"
    r"absolute_pos_embed)(?=[._]|$)(?!\.mask_token)"
)


def place_of(layout: str, name: str) -> str | None:
    """Timm's name of the block that a layout's name, without prefix, belongs to.

    ``trunk`` for what lies between blocks, before or behind them; None for what a network does
    without in giving its last map: heads, decoders, norms of the maps in between.
    """
    if not _TRUNK.match(name):
        return None
    match = _NUMBERS.match(name)
    if match is None or match[2] is None or (layout == "torchvision" and int(match[1]) % 2 == 0):
        return "trunk"
    stage = (int(match[1]) - 1) // 2 if layout == "torchvision" else int(match[1])
    return f"layers.{stage}.blocks.{match[2]}"


def _without_prefix(keys: Iterable[str], prefix: str) -> dict[str, str]:
    """The keys by their names without prefix.

    A head may stand beside the backbone: then it has only the beginning of the prefix.
    """
    outer = prefix.rstrip(".").rpartition(".")[0]
    outer = f"{outer}." if outer else ""
    heads = {key.removeprefix(outer): key for key in keys if key.startswith(outer)}
    own = {name: key for name, key in heads.items() if _HEAD.fullmatch(name)}
    for key in keys:
        if key.startswith(prefix):  # timm flattens `layers.0` to `layers_0` in its pyramids
            own[re.sub(r"^layers_(\d+)\.", r"layers.\1.", key.removeprefix(prefix))] = key
    return own


def _name_last_norm(own: dict[str, str], layout: str) -> None:
    """Backbones of dense tasks have a norm per stage; the last one's is the network's."""
    stages = (re.match(r"(?:(?:encoder\.)?layers|stages)\.(\d+)\.", name) for name in own)
    last = max((int(stage[1]) for stage in stages if stage), default=0)
    norms = (f"norm{last}.", f"hidden_states_norms.stage{last + 1}.")
    for kind in ("weight", "bias"):
        final = names(layout, f"norm.{kind}")[0]
        for norm in norms:
            if final not in own and norm + kind in own:
                own[final] = own.pop(norm + kind)


def _all_names(own: Iterable[str], is_v2: bool) -> Iterator[str]:
    """Timm's names of all that could be meant; the numbers in a file's names bound them."""
    numbers = {(int(m[1]), int(m[2] or 0)) for name in own if (m := _NUMBERS.match(name))}
    places = {(stage, j) for i, j in numbers for stage in (i, i // 2, i + 1)}
    yield from _both("patch_embed.proj", "patch_embed.norm", "norm", "head.fc")
    for i in sorted({i for i, _ in places}):
        yield from _both(f"layers.{i}.downsample.norm")
        yield f"layers.{i}.downsample.reduction.weight"
    for i, j in sorted(places):
        block = f"layers.{i}.blocks.{j}"
        yield from _both(*(f"{block}.{part}" for part in _PARTS))
        if is_v2:
            yield from (f"{block}.attn.{part}" for part in _V2_PARTS)
        else:
            yield from _both(f"{block}.attn.qkv")
            yield f"{block}.attn.relative_position_bias_table"


_NUMBERS = re.compile(r"(?:encoder\.)?(?:layers|stages|features)\.(\d+)\.(?:blocks\.)?(?:(\d+)\.)?")
_PARTS = "norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"
_QUERY_AND_VALUE = ".q_bias", ".v_bias"
_V2_PARTS = (
    *("qkv.weight", "q_bias", "v_bias", "logit_scale"),
    *("cpb_mlp.0.weight", "cpb_mlp.0.bias", "cpb_mlp.2.weight"),
)


_V2_MARKS = ".logit_scale", ".cpb_mlp.", ".continuous_position_bias_mlp."


def has_v2_names(names: Iterable[str]) -> bool:
    """Whether there is a cosine attention or a continuous position bias among the names."""
    return any(mark in name for name in names for mark in _V2_MARKS)


def _both(*modules: str) -> Iterator[str]:
    for module in modules:
        yield f"{module}.weight"
        yield f"{module}.bias"


# What each layout calls a parameter of timm's: what is replaced in its name, in this order.
_Pair = tuple[str, str | Callable[[re.Match[str]], str]]

# Patch merging belongs to the stage before it.
_MERGING_LAST: _Pair = (
    r"^layers\.(\d+)\.downsample",
    lambda m: f"layers.{int(m[1]) - 1}.downsample",
)
_THIRDS = {
    "huggingface": ("query", "key", "value"),
    _HF5: ("q_proj", "k_proj", "v_proj"),
}
_PAIRS: dict[str, tuple[_Pair, ...]] = {
    "timm": (),
    "microsoft": (_MERGING_LAST, (r"^head\.fc\.", "head.")),
    "torchvision": (
        (r"^layers\.(\d+)\.blocks", lambda m: f"features.{2 * int(m[1]) + 1}"),
        (r"^layers\.(\d+)\.downsample", lambda m: f"features.{2 * int(m[1])}"),
        (r"^patch_embed\.proj\.", "features.0.0."),
        (r"^patch_embed\.norm\.", "features.0.2."),
        (r"\.mlp\.fc1\.", ".mlp.0."),
        (r"\.mlp\.fc2\.", ".mlp.3."),
        (r"\.attn\.[qv]_bias$", ".attn.qkv.bias"),
        (r"^head\.fc\.", "head."),
    ),
    "openmmlab": (
        _MERGING_LAST,
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"^layers\.", "stages."),
        (r"\.attn\.", ".attn.w_msa."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."),
    ),
    "huggingface": (
        _MERGING_LAST,
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
        (r"^patch_embed\.norm\.", "embeddings.norm."),
        (r"^layers\.", "encoder.layers."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.attn\.qkv\.", ".attention.self.{}."),
        (r"\.attn\.q_bias$", ".attention.self.query.bias"),
        (r"\.attn\.v_bias$", ".attention.self.value.bias"),
        (r"\.cpb_mlp\.", ".continuous_position_bias_mlp."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.attn\.", ".attention.self."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
        (r"^norm\.", "layernorm."),
        (r"^head\.fc\.", "classifier."),
    ),
}
_PAIRS[_HF5] = (
    *_PAIRS["huggingface"],
    (r"\.attention\.self\.\{\}\.", ".attention.{}."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.attention\.self\.", ".attention.relative_position_bias."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)

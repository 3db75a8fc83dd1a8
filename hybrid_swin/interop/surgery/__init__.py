"""``replace_blocks``: our mixers in a user's own Swin, and back again."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.interop.surgery import huggingface_blocks, own_blocks, timm_blocks
from hybrid_swin.interop.surgery.host import Host
from hybrid_swin.interop.surgery.replacement import Replacement, fitting_mixer
from hybrid_swin.network.backbone import Backbone
from hybrid_swin.spec.block_words import BlockWord, Part, parse
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

Shift = Literal["block", "word"]


def replace_blocks(
    model: nn.Module,
    word: str = "w_msa+mdta:gate",
    stage: int = 2,
    blocks: Sequence[int] | None = None,
    identity_start: bool = True,
    shift: Shift = "block",
) -> Replacement:
    """Put the mixer of a block word into blocks of a Swin, in place; ``undo()`` takes it out.

    The block's attention gives its weights to the word's window attention; norms, MLP, drop path
    and dropout of outputs stay the model's own modules. Make optimisers after this, since
    parameters change. Windows lie as the block's library lays them, by options of the word. The
    mixer gives no attention maps, and hooks on a replaced block rest until ``undo()``.

    Args:
        model: a timm (0.9 or newer) SwinTransformer, a Hugging Face Swin or a ``HybridSwin``.
        word: what the blocks are to mix with.
        stage: which stage, from 0.
        blocks: which of its blocks, from 0; all of them if None.
        identity_start: whether the branches beside the attention start silent, so that the model
            computes what it did, where the fusion allows it.
        shift: ``block`` reads ``w_msa`` as the block's own attention, shifted where that is and
            with its library's rules; ``word`` reads it as it stands, never shifted. Where a word
            has ``sw_msa``, both do.

    Raises:
        InputError: a model that is not a Swin, a stage or block that it lacks, or a word that
            cannot be read or does not fit its heads. The model is then as it was.
    """
    if shift not in get_args(Shift):
        raise unknown("shift", shift, get_args(Shift))
    block_word = parse(word)
    hosts = _hosts(model, stage, blocks)
    words = {
        i: _own_attention(block_word, host) if shift == "block" else block_word
        for i, host in hosts.items()
    }
    variant = None
    if isinstance(model, Backbone):
        variant = own_blocks.changed(model.variant, stage, words)
        words = {i: variant.block_words[stage][i] for i in words}
    else:
        words = {i: _fitting(words[i], host, stage) for i, host in hosts.items()}
    made = [fitting_mixer(host, words[i], identity_start) for i, host in hosts.items()]
    return Replacement(model, list(hosts.values()), made, variant)


def _hosts(model: nn.Module, stage: int, blocks: Sequence[int] | None) -> dict[int, Host]:
    """The chosen blocks of a model of any of the three kinds."""
    for library in (own_blocks, timm_blocks, huggingface_blocks):
        if library.is_swin(model):
            break
    else:
        raise InputError(
            "replace_blocks takes a Swin Transformer of timm (0.9 or newer) or Hugging Face, or a "
            f"HybridSwin; got a {type(model).__name__}; where the Swin is inside, give that part, "
            "such as model.backbone or model.module (Swin V2 is another network)"
        )
    stages = library.stages(model)
    _check_index(stage, len(stages), "stage", "the model")
    depth = len(stages[stage])
    chosen = range(depth) if blocks is None else blocks
    if not isinstance(chosen, Sequence) or not chosen:
        raise InputError(f"blocks must be a list of at least one block's number; got {blocks!r}")
    for index in chosen:
        _check_index(index, depth, "block", f"stage {stage}")
    if len(set(chosen)) < len(chosen):
        raise InputError(f"blocks must name each block once; got {blocks!r}")
    return {index: library.host(model, stage, index) for index in chosen}


def _check_index(index: int, count: int, kind: str, where: str) -> None:
    whole = isinstance(index, int) and not isinstance(index, bool)
    if not whole or not 0 <= index < count:
        raise InputError(f"{kind} {index!r} does not exist; {where} has {kind}s 0 to {count - 1}")


def _own_attention(word: BlockWord, host: Host) -> BlockWord:
    """The word with the block's own window attention for ``w_msa``."""
    attentions = [part for part in host.word.branches if part.name in ("w_msa", "sw_msa")]
    own = min(attentions, key=lambda part: part.name, default=None)  # a shifted one first
    if own is None or any(part.name == "sw_msa" for part in word.branches):
        return word
    branches = (
        Part(own.name, tuple(sorted((own.kwargs | part.kwargs).items())))
        if part.name == "w_msa"
        else part
        for part in word.branches
    )
    return BlockWord(tuple(branches), word.fusion)


def _fitting(word: BlockWord, host: Host, stage: int) -> BlockWord:
    """The canonical word. Raises InputError where it does not fit the block's heads."""
    alone = Stage(host.dim, 1, host.num_heads, (str(word),), host.window_size)
    try:
        Variant(image_size=host.grid_size, patch_size=1, stages=(alone,))
    except InputError as error:
        raise InputError(str(error).replace("stages.0", f"stage {stage}", 1)) from None
    return word.canonical()

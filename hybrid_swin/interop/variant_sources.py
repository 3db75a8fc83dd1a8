"""Variants by what users call them: a name, a block word, a file, a run, or a variant itself."""

import os
from dataclasses import replace
from pathlib import Path

from hybrid_swin.errors import InputError, did_you_mean, here, quote, unknown
from hybrid_swin.spec import block_words, published, registry
from hybrid_swin.spec.published import meant_by
from hybrid_swin.spec.run_reference import names_run, run_folder, run_variant
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import given_path

OF_WORDS = "swin_t"  # the network that a block word is put into
_VARIANTS = ".yaml", ".yml"
_WEIGHTS = ".ckpt", ".safetensors", ".pth", ".pt", ".bin", ".index.json"
_LOCAL = "local-dir:"  # as timm marks a folder


def resolve_variant(source: str | Path | Variant) -> Variant:
    """The variant that a source means.

    Args:
        source: a variant, a YAML file's path, a published name, what ``load`` takes (the folder of
            a training or of a study's run, a checkpoint, an exported file), or a block word: Swin-T
            with this block throughout.

    Raises:
        InputError: anything else.
    """
    if isinstance(source, Variant):
        return source
    path = trained_path(source)
    name = str(source)
    if path is None:
        if name.endswith(_VARIANTS):
            return Variant.from_yaml(source)
        return published.published(name) if name in published.names() else _with_word(name)
    if names_run(path):
        return run_variant(path)
    from hybrid_swin.interop.trained import load_variant  # torch, which names and words do without

    return load_variant(path)


def is_block_word(source: str) -> bool:
    """Whether `resolve_variant` takes it for a block word, which stands for a Swin-T of it."""
    named = source in published.names() or source.endswith(_VARIANTS)
    return not named and trained_path(source) is None


def trained_path(source: str | Path | Variant) -> Path | None:
    """The path that ``load`` takes, if a source means one; None for names, words and variants.

    Raises:
        InputError: a path of nothing, or what can be no source at all.
    """
    if isinstance(source, Variant):
        return None
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            "a network is made from a name, a block word, a path or a Variant; got "
            f"{type(source).__name__} {quote(source)}"
        )
    text = str(source)
    if text.endswith(_VARIANTS) or text in published.names():
        return None
    plain = text.removeprefix(_LOCAL)
    path = given_path(plain)
    if path is None:
        if _looks_like_path(plain):
            raise InputError(f"{quote(plain)} is not a path")
        return None
    if names_run(path):
        return run_folder(path)
    is_path = plain != text or not isinstance(source, str) or _looks_like_path(plain)
    if path.exists() and (is_path or not _is_word(text)):
        return path if plain else None
    if is_path:
        raise _no_such_path(plain, path)
    return None


def _looks_like_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith("~") or text.endswith(_WEIGHTS)


def _is_word(text: str) -> bool:
    try:
        block_words.parse(text)
    except InputError:
        return False
    return True


def _no_such_path(given: str, path: Path) -> InputError:
    """The error for a path of nothing: how far it goes, and what may have been meant."""
    meant = meant_by(given)
    if meant and not path.parent.is_dir():
        return InputError(f"unknown variant {given!r}{meant}")
    parent, missing = path.parent, path.name
    while not parent.is_dir() and parent != parent.parent:
        parent, missing = parent.parent, parent.name
    try:
        there = sorted(os.listdir(parent))
    except OSError:
        there = []
    near = did_you_mean(missing, there)
    place = "" if str(parent) == "." else f": {quote(str(parent), 80)} holds no {missing!r}"
    return InputError(
        f"{quote(given, 80)} does not exist{here(path)}{place}"
        f"{near or '; give a trained folder, a checkpoint, a YAML file or a name'}"
    )


def _with_word(word: str) -> Variant:
    """Swin-T with a word for its blocks."""
    swin_t = published.published(OF_WORDS)
    try:
        return replace(swin_t, stages=tuple(replace(s, blocks=(word,)) for s in swin_t.stages))
    except InputError:
        branches = registry.names("branch")
        if word in branches:
            raise
        if meant := meant_by(word):
            raise InputError(f"unknown variant {word!r}{meant}") from None
        if word.isidentifier():
            known = [*published.names(), *branches]
            raise unknown("variant or branch", word, known, registry.elsewhere(word)) from None
        raise

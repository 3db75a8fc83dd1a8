"""Variants by what users call them: a name, a block word, a file, a run, or a variant itself."""

from dataclasses import replace
from pathlib import Path

from hybrid_swin import published, registry
from hybrid_swin.errors import InputError, unknown
from hybrid_swin.study_runs import names_run, run_variant
from hybrid_swin.variant import Variant


def resolve_variant(source: str | Path | Variant) -> Variant:
    """The variant that a source means.

    Args:
        source: a variant, a YAML file's path, a published name, the folder of a study's run, or a
            block word: Swin-T with this block throughout.

    Raises:
        InputError: anything else.
    """
    if isinstance(source, Variant):
        return source
    name = str(source)
    if name.endswith((".yaml", ".yml")):
        return Variant.from_yaml(source)
    if name in published.names():
        return published.published(name)
    return run_variant(name) if names_run(name) else _with_word(name)


def _with_word(word: str) -> Variant:
    """Swin-T with a word for its blocks."""
    swin_t = published.published("swin_t")
    try:
        return replace(swin_t, stages=tuple(replace(s, blocks=(word,)) for s in swin_t.stages))
    except InputError:
        branches = registry.names("branch")
        if word.isidentifier() and word not in branches:
            raise unknown("variant or branch", word, [*published.names(), *branches]) from None
        raise

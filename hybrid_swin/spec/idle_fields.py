"""Fields of a variant that change nothing beside its blocks, which a user may take for at work.

In a space or a comparison other networks may look at them, so they are noted, and not refused.
"""

from collections.abc import Iterable, Iterator

from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import REGISTERS, WINDOWED, Part
from hybrid_swin.spec.variant import Variant


def idle_fields(variants: Iterable[Variant]) -> list[str]:
    """The fields that are set and change nothing in any of these networks, a sentence each."""
    notes: dict[str, str] = {}
    at_work: set[str] = set()
    for variant in variants:
        for path, value, works, why in _particular(variant):
            notes.setdefault(path, f"{path} {value} changes nothing: {why}")
            if works:
                at_work.add(path)
    return [note for path, note in notes.items() if path not in at_work]


def _particular(variant: Variant) -> Iterator[tuple[str, object, bool, str]]:
    """Fields that are set and only some networks look at: path, value, at work or not, why not."""
    if variant.registers:
        takers = [name for name in registry.names("branch") if _takes_registers(Part(name))]
        parts = [part for words in variant.block_words for word in words for part in word.branches]
        works = any(map(_takes_registers, parts))
        why = f"of the blocks only {', '.join(takers)} take registers, and none is there"
        yield REGISTERS, variant.registers, works, why
    for name in ("merging", "merging_norm"):
        if (value := getattr(variant, name)) != getattr(Variant, name):
            yield name, value, len(variant.stages) > 1, "a single stage merges nothing"
    for index, stage in enumerate(variant.stages):
        words = variant.block_words[index]
        if stage.window_size is not None:
            works = any(_has_windows(part) for word in words for part in word.branches)
            why = "no block of the stage has windows"
            yield f"stages.{index}.window_size", stage.window_size, works, why
        if stage.norm == "branch":
            works = any(map(stage.norms_branches, words))
            why = "no block of the stage has several branches, and one alone is normed as by pre"
            yield f"stages.{index}.norm", stage.norm, works, why


def _takes_registers(part: Part) -> bool:
    return REGISTERS in registry.describe("branch", part.name).options


def _has_windows(part: Part) -> bool:
    """Whether it has, or may have, since only a plug-in's code knows."""
    return part.name in WINDOWED or bool(registry.plugin_hash("branch", part.name))

"""Width and heads that a fusion gives each branch, and what branches need of them (no torch).

A word that only fails for the network's width or heads is then refused before anything is built.
"""

from typing import NamedTuple

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import BlockWord, Part

_NEEDS = "min_width", "divides_heads", "heads_per_branch", "halves_heads"


class Shape(NamedTuple):
    """Width and heads of a stage, or of one branch in it."""

    width: int
    num_heads: int


def check_shapes(word: BlockWord, width: int, num_heads: int, where: str) -> None:
    """Raise InputError that says where, if a stage of this shape has too little for a word.

    What a plug-in's fusion gives its branches is not known before it is run: then only its own
    needs are looked at.
    """
    if word.fusion is not None:
        _check_fusion(word, width, num_heads, where)
    word = word.canonical()
    for part, shape in zip(word.branches, branch_shapes(word, width, num_heads), strict=False):
        check_branch(part, *shape, f"{where}: '{word}'")


def fits(word: BlockWord, width: int, num_heads: int) -> bool:
    """Whether a stage of this shape has enough for a word."""
    try:
        check_shapes(word, width, num_heads, "")
    except InputError:
        return False
    return True


def is_particular(word: BlockWord) -> bool:
    """Whether there are shapes that are not enough for a word."""
    described = [registry.describe("branch", part.name) for part in word.branches]
    if word.fusion is not None:
        described.append(registry.describe("fusion", word.fusion.name))
    return any(name in entry.constants for entry in described for name in _NEEDS)


def check_branch(part: Part, width: int, num_heads: int, where: str) -> None:
    """Raise InputError if a branch of this shape cannot be, by what its class says that it needs.

    Its ``min_width`` is the least width; options in ``divides_heads`` divide the heads, unless 0.
    """
    constants = registry.describe("branch", part.name).constants
    least = constants.get("min_width", 1)
    if width < least:
        raise InputError(
            f"{where} gives {part.name} {width} channels, and it needs at least {least}; choose a "
            "larger width, or another block"
        )
    for name in constants.get("divides_heads", ()):
        count = part.kwargs.get(name, 0)
        if isinstance(count, int) and count and num_heads % count:
            divisors = ", ".join(str(n) for n in range(1, num_heads + 1) if num_heads % n == 0)
            raise InputError(
                f"{where} has {num_heads} heads for {part.name}, and {name}={count} does not "
                f"divide them; give one of {divisors}, or leave {name} out"
            )


def branch_shapes(word: BlockWord, width: int, num_heads: int) -> list[Shape]:
    """The shape of each branch of a canonical word; empty if a plug-in's fusion chooses it."""
    fusion, count = word.joined_by, len(word.branches)
    if registry.plugin_hash("fusion", fusion.name):
        return []
    if fusion.name == "split":
        heads = share_heads(num_heads, count, str(fusion.kwargs.get("ratio", "equal")))
        return [Shape(n * (width // num_heads), n) for n in heads]
    widths = [width] * count
    if fusion.name == "cross":
        widths[gated_branch(word)] //= 2
    return [Shape(own, num_heads) for own in widths]


def share_heads(num_heads: int, branches: int, ratio: str) -> list[int]:
    """Whole heads for each branch, at least one, as near to the ratio as whole heads allow."""
    shares = [1] * branches if ratio == "equal" else [int(share) for share in ratio.split("-")]
    if num_heads < branches:
        raise InputError(f"split: num_heads {num_heads} is too few for {branches} branches")
    heads = [1] * branches
    for _ in range(num_heads - branches):
        # The next head goes to the branch that is furthest behind its share (then to the first).
        behind = [heads[i] / shares[i] for i in range(branches)]
        heads[behind.index(min(behind))] += 1
    return heads


def gated_branch(word: BlockWord) -> int:
    """Which branch of `cross` has its values gated: the last that can."""
    constants = [registry.describe("branch", part.name).constants for part in word.branches]
    return max(i for i, own in enumerate(constants) if own.get("gates_values"))


def _check_fusion(word: BlockWord, width: int, num_heads: int, where: str) -> None:
    """A fusion may want a head per branch, or heads that it can halve."""
    constants = registry.describe("fusion", word.joined_by.name).constants
    if constants.get("heads_per_branch") and num_heads < len(word.branches):
        raise InputError(
            f"{where}: '{word}' gives each branch whole heads, so num_heads "
            f"{num_heads} is too few for {len(word.branches)} branches"
        )
    if constants.get("halves_heads") and width // num_heads % 2:
        raise InputError(
            f"{where}: '{word}' gives each head half its channels, and width {width} with "
            f"num_heads {num_heads} has {width // num_heads} a head; choose "
            "width and num_heads such that it is even"
        )

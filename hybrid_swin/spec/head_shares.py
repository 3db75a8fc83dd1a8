"""Whole heads for each branch of a `split` (no torch, so that identities can use it)."""

from hybrid_swin.errors import InputError


def share_heads(num_heads: int, branches: int, ratio: str) -> list[int]:
    """Whole heads for each branch, at least one, as near to the ratio as whole heads allow."""
    shares = [1] * branches if ratio == "equal" else _shares(ratio, branches)
    if num_heads < branches:
        raise InputError(f"split: num_heads {num_heads} is too few for {branches} branches")
    heads = [1] * branches
    for _ in range(num_heads - branches):
        # The next head goes to the branch that is furthest behind its share (then to the first).
        behind = [heads[i] / shares[i] for i in range(branches)]
        heads[behind.index(min(behind))] += 1
    return heads


def _shares(ratio: str, branches: int) -> list[int]:
    parts = ratio.split("-")
    if len(parts) != branches or not all(p.isdigit() and int(p) > 0 for p in parts):
        example = "-".join(map(str, range(1, branches + 1)))
        raise InputError(
            f"split: ratio {ratio!r} does not fit {branches} branches; write one "
            f"whole number a branch, for example ratio={example}"
        )
    return [int(p) for p in parts]
